"""What Cloudbase-Init does of a network configuration, what a script has to do, and what
Windows cannot do.

Cloudbase-Init takes physical interfaces, bonds (as teams), VLANs of bonds, and for each of
them one address of IPv4 and one of IPv6.
"""

import ipaddress

# Other policies are none that Windows knows.
HASHES = ("layer2", "layer2+3", "layer3+4", "encap2+3", "encap3+4")
JUMBO = 1500  # larger packets are a setting of the driver, too


class Plan(object):
    def __init__(self, client):
        self.client = client  # Windows 10 or 11, which have no teams
        self.items = []  # for Cloudbase-Init, in curtin's version 1
        self.commands = []  # of PowerShell: a program and its arguments
        self.problems = []

    def problem(self, text, *args):
        self.problems.append(text % args)

    def run(self, command, **arguments):
        self.commands.append((command, arguments))


def plan(network, client):
    """What to do, for Windows Server or Windows 10 and 11."""
    made = Plan(client)
    made.problems += network.problems
    links = dict(network.links)
    _drop_unknown(made, links)
    _flatten(made, links, "bridge", "Windows has no such bridge: its first member takes its settings")
    if client:
        _flatten(made, links, "bond", "Windows 10 and 11 have no teams: its first member takes its settings")
    _place_vlans(made, links)
    used = any(link.configured() for link in links.values())
    for link in links.values():
        _link(made, links, network, link, used)
    _names(made, network, links)
    return made


def _drop_unknown(made, links):
    """Leaves out what Windows could not find, or could not put together."""
    for link in [link for link in links.values() if link.kind == "physical" and not link.mac]:
        made.problem("%s has no MAC address: Windows cannot find it", link.name)
        del links[link.name]
    for kind, of in (("bond", ("physical",)), ("bridge", ("physical", "bond", "vlan"))):
        for link in [link for link in links.values() if link.kind == kind]:
            link.members = [name for name in link.members if name in links and links[name].kind in of]
            if not link.members:
                made.problem("%s has no member of which Windows could make it", link.name)
                del links[link.name]


def _flatten(made, links, kind, why):
    """Gives the settings of what Windows does not have to its first member."""
    for link in [link for link in links.values() if link.kind == kind]:
        first = links[link.members[0]]
        if kind == "bond" or len(link.members) > 1:
            made.problem("%s: %s, %s", link.name, why, first.name)
        first.take(link)
        del links[link.name]
        for other in links.values():
            if other.parent == link.name:
                other.parent = first.name
            other.members = [first.name if name == link.name else name for name in other.members]


def _place_vlans(made, links):
    """Has each VLAN on a team, as Windows Server wants it."""
    for parent in list(links.values()):
        vlans = [link for link in links.values() if link.kind == "vlan" and link.parent == parent.name]
        if parent.kind != "physical" or not vlans:
            continue
        if made.client:
            _tag(made, links, parent, vlans)
        else:
            _team(links, parent, vlans)
    for vlan in [link for link in links.values() if link.kind == "vlan"]:
        if vlan.parent not in links or links[vlan.parent].kind != "bond":
            made.problem("%s: Windows has no VLAN on %s, which is none of its adapters", vlan.name, vlan.parent)
            del links[vlan.name]


def _team(links, parent, vlans):
    """Makes a team of one adapter. Nothing but its name tells it from the adapter."""
    team = type(parent)(parent.name + " team", "bond", parent.mac, parent.mtu)
    team.members, team.options = [parent.name], {"mode": "active-backup"}
    team.take(parent)
    parent.addresses, parent.dynamic, parent.gateways, parent.routes = [], False, {}, []
    links[team.name] = team
    for vlan in vlans:
        vlan.parent = team.name


def _tag(made, links, parent, vlans):
    """Windows 10 and 11 have one VLAN on an adapter, and nothing beside it."""
    if len(vlans) == 1 and not parent.configured():
        made.run("Set-NetAdapter", Name=parent.name, VlanID=int(vlans[0].vlan))
        parent.take(vlans[0])
        del links[vlans[0].name]
        return
    for vlan in vlans:
        made.problem("%s: Windows 10 and 11 have one VLAN on an adapter and no network beside it", vlan.name)
        del links[vlan.name]


def _link(made, links, network, link, used):
    """Plans a link. Those that MAAS does not use are switched off, if it uses others."""
    item = {"type": link.kind, "id": link.name, "name": link.name, "subnets": []}
    carries = any(link.name in other.members or other.parent == link.name for other in links.values())
    if link.kind == "vlan":
        item.update(vlan_link=link.parent, vlan_id=int(link.vlan))
    else:
        item["mac_address"] = link.mac
    if link.kind == "bond":
        _bond(made, links, link, item)
        if not link.configured():
            # It would ask for an address that MAAS did not mean it to have.
            made.run("Disable-NetAdapterBinding", Name=link.name, ComponentID=["ms_tcpip", "ms_tcpip6"])
    if link.mtu:
        item["mtu"] = int(link.mtu)
        if link.kind == "physical" and int(link.mtu) > JUMBO:
            made.run("Set-NetAdapterAdvancedProperty", Name=link.name, RegistryKeyword="*JumboPacket", RegistryValue=str(int(link.mtu) + 14))
    tagged = any(arguments.get("Name") == link.name for _, arguments in made.commands)
    if link.kind == "physical" and used and not (link.configured() or carries or tagged):
        item["subnets"].append({"type": "manual"})
    _addresses(made, network, link, item)
    made.items.append(item)


def _bond(made, links, link, item):
    mode, policy = link.options["mode"], link.options.get("hash")
    if mode == "broadcast":
        made.problem("%s: Windows has no teams that send everything twice; it becomes active-backup", link.name)
        mode = "active-backup"
    item["bond_interfaces"] = link.members
    item["params"] = {"bond-mode": mode}
    if policy in HASHES and mode in ("802.3ad", "balance-xor"):
        item["params"]["bond-xmit-hash-policy"] = policy
    if mode == "802.3ad" and link.options.get("lacp-rate") in ("fast", 1, "1"):
        item["params"]["bond-lacp-rate"] = "fast"
    # Windows makes a team of one adapter, which it finds by this, and adds the others.
    macs = [links[name].mac for name in link.members]
    if link.mac not in macs:
        item["mac_address"] = macs[0]


def _addresses(made, network, link, item):
    """One address of each version for Cloudbase-Init: that with the gateway. The others it
    would take for another in its place."""
    servers = link.dns or network.dns
    for version in (4, 6):
        gateway = link.gateways.get(version)
        addresses = [address for address in link.addresses if address.version == version]
        addresses.sort(key=lambda address: gateway is None or gateway not in address.network)
        for first, address in enumerate(addresses):
            if first == 0:
                subnet = {"type": "static", "address": str(address)}
                subnet["dns_nameservers"] = [server for server in servers if ipaddress.ip_address(server).version == version]
                if gateway:
                    subnet["gateway"] = str(gateway)
                item["subnets"].append(subnet)
            else:
                made.run("New-NetIPAddress", InterfaceAlias=link.name, IPAddress=str(address.ip), PrefixLength=address.network.prefixlen)
    if link.addresses and len({ipaddress.ip_address(server).version for server in servers}) > 1 or link.dynamic and link.dns:
        made.run("Set-DnsClientServerAddress", InterfaceAlias=link.name, ServerAddresses=servers)
    for to, gateway, metric in link.routes:
        more = {} if metric is None else {"RouteMetric": int(metric)}
        made.run("New-NetRoute", InterfaceAlias=link.name, DestinationPrefix=str(to), NextHop=str(gateway), **more)


def _names(made, network, links):
    if network.dns:
        made.items.append({"type": "nameserver", "address": network.dns, "search": network.search})
    search = []
    for name in network.search + [name for link in links.values() for name in link.search]:
        if name not in search:
            search.append(name)
    if search:
        made.run("Set-DnsClientGlobalSetting", SuffixSearchList=search)
