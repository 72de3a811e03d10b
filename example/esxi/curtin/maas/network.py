"""Turns MAAS's network configuration into ESXi's: a standard switch for each network
card or bond in use, a port group for each VLAN, a VMkernel interface for each address."""

from collections import OrderedDict

import esx
import netconf

MANAGEMENT = "Management Network"  # the installer's port group, of vmk0

# How a standard switch shares traffic among its cards, for each bond mode of Linux.
# iphash needs a static channel on the physical switch: LACP takes a distributed switch,
# which only vCenter has.
TEAMING = {
    None: "portid",
    "balance-rr": "portid",
    "active-backup": "explicit",
    "balance-xor": "iphash",
    "802.3ad": "iphash",
    "balance-tlb": "portid",
    "balance-alb": "portid",
}


def configure(config, problems):
    """Applies a curtin configuration's network to this host."""
    nics = OrderedDict(
        (nic["macaddress"].lower(), nic["name"]) for nic in esx.records("network", "nic", "list") if nic.get("macaddress")
    )
    switches = dict(
        (switch["name"], _listed(switch.get("uplinks"))) for switch in esx.records("network", "vswitch", "standard", "list")
    )
    vmks = [interface["name"] for interface in esx.records("network", "ip", "interface", "list")]
    for command in plan(netconf.read(config), nics, switches, vmks, problems):
        try:
            esx.esxcli(*command)
        except esx.Failed as err:
            problems.add("network: %s" % err)


def plan(network, nics, switches, vmks, problems):
    """The arguments of esxcli that make the host's network so. nics are the host's cards
    by their addresses, switches its switches with their cards, vmks its interfaces."""
    _flatten_bridges(network, problems)
    uplinks = _uplinks(network, nics, problems)
    ports = _ports(network, uplinks, problems)
    primary = _primary(ports)
    if primary is None:
        problems.add("network: no interface with an address has a card on this host; the installer's network stays")
        return []
    ports.remove(primary)
    ports.insert(0, primary)
    return _Planner(network, uplinks, switches, vmks, ports, problems).commands


def _listed(value):
    if isinstance(value, str):
        return [part for part in value.replace(",", " ").split()]
    return list(value or [])


def _flatten_bridges(network, problems):
    """ESXi's switches are bridges already: what a bridge has goes to its interface."""
    bridges = [interface for interface in network.interfaces.values() if interface.kind == "bridge"]
    for bridge in bridges:
        del network.interfaces[bridge.name]
        if len(bridge.members) != 1:
            problems.add("network: bridge %s has %d interfaces; ESXi has no bridges, only the first is used"
                         % (bridge.name, len(bridge.members)))
        under = network.interfaces.get(bridge.members[0]) if bridge.members else None
        if under is None:
            continue
        for what in ("addresses", "gateways", "routes", "dns", "search"):
            getattr(under, what).extend(getattr(bridge, what))
        for what in ("dhcp4", "dhcp6", "slaac"):
            setattr(under, what, getattr(under, what) or getattr(bridge, what))
        for interface in network.interfaces.values():
            if interface.link == bridge.name:
                interface.link = under.name


def _uplinks(network, nics, problems):
    """The host's cards of each physical interface and bond, by MAAS's names of them."""
    bonded = set(member for interface in network.interfaces.values() if interface.kind == "bond"
                 for member in interface.members)
    found = OrderedDict()
    for interface in network.interfaces.values():
        if interface.kind == "bond":
            members = [network.interfaces[name] for name in interface.members if name in network.interfaces]
        elif interface.kind == "physical" and interface.name not in bonded:
            members = [interface]
        else:
            continue
        cards = OrderedDict()
        for member in members:
            card = nics.get((member.mac or "").lower())
            if card:
                cards[member.name] = card
            elif interface.kind == "bond" or interface.configured():
                problems.add("network: no driver of this ESXi has the card %s (%s)" % (member.name, member.mac))
        if cards:
            found[interface.name] = cards
    return found


def _ports(network, uplinks, problems):
    """The interfaces that get a port group: those with addresses, and VLANs for virtual
    machines. Each comes with the card or bond that carries it."""
    ports = []
    for interface in network.interfaces.values():
        if not interface.configured() and interface.kind != "vlan":
            continue
        carrier = interface.link if interface.kind == "vlan" else interface.name
        if carrier in uplinks:
            ports.append((interface, carrier))
        elif interface.kind != "physical":  # those were told already
            problems.add("network: %s has no card on this host" % interface.name)
    return ports


def _primary(ports):
    """The interface for management: the one that leads to the default gateway."""
    ports = [port for port in ports if port[0].configured()]
    for wanted in (
        lambda interface: interface.gateway(4),
        lambda interface: interface.gateway(6),
        lambda interface: interface.dhcp4,
        lambda interface: True,
    ):
        for port in ports:
            if wanted(port[0]):
                return port
    return None


class _Planner(object):
    def __init__(self, network, uplinks, switches, vmks, ports, problems):
        self.network = network
        self.problems = problems
        self.commands = []
        self.vmks = 0
        for vmk in vmks:
            # Its address on the wire is that of the machine that made the image.
            self.command("ip", "interface", "remove", "--interface-name=" + vmk)
        carriers = OrderedDict.fromkeys(carrier for _, carrier in ports)
        for number, carrier in enumerate(carriers):
            carriers[carrier] = "vSwitch%d" % number
        self.release(switches, dict((carriers[name], uplinks[name].values()) for name in carriers))
        for carrier, switch in carriers.items():
            self.switch(switch, carrier, uplinks[carrier], switches,
                        [interface for interface, under in ports if under == carrier])
        for interface, carrier in ports:
            self.port(interface, carriers[carrier])
        self.names()

    def command(self, *args):
        self.commands.append(("network",) + args)

    def release(self, switches, wanted):
        """Takes cards from where they are not wanted: each can be in one switch."""
        moved = set(card for cards in wanted.values() for card in cards)
        for name in sorted(switches):
            for card in switches[name]:
                if card not in wanted.get(name, []) and (name in wanted or card in moved):
                    self.command("vswitch", "standard", "uplink", "remove", "--uplink-name=" + card,
                                 "--vswitch-name=" + name)

    def switch(self, name, carrier, cards, switches, interfaces):
        """A switch with the cards of a physical interface or bond."""
        carrier = self.network.interfaces[carrier]
        if name not in switches:
            self.command("vswitch", "standard", "add", "--vswitch-name=" + name)
        for card in cards.values():
            if card not in switches.get(name, []):
                self.command("vswitch", "standard", "uplink", "add", "--uplink-name=" + card, "--vswitch-name=" + name)
        mtu = max([int(interface.mtu or 1500) for interface in interfaces + [carrier]])
        if mtu != 1500:
            self.command("vswitch", "standard", "set", "--vswitch-name=" + name, "--mtu=%d" % mtu)
        self.teaming(name, carrier, cards)

    def teaming(self, name, carrier, cards):
        """How the cards share traffic; and the installer's choice of a card goes."""
        policy = TEAMING.get(carrier.mode)
        if policy is None:
            self.problems.add("network: %s: ESXi has nothing like the bond mode %s; its cards share traffic by port"
                              % (carrier.name, carrier.mode))
            policy = "portid"
        active, standby = list(cards.values()), []
        if policy == "explicit":
            first = cards.get(carrier.primary, active[0])
            active, standby = [first], [card for card in active if card != first]
        args = ["--vswitch-name=" + name, "--active-uplinks=" + ",".join(active), "--load-balancing=" + policy]
        if standby:
            args.append("--standby-uplinks=" + ",".join(standby))
        self.command("vswitch", "standard", "policy", "failover", "set", *args)

    def port(self, interface, switch):
        """The port groups and VMkernel interfaces of an interface."""
        ipv4 = [address for address in interface.addresses if address.version == 4]
        if not interface.configured():
            self.group(interface.name, switch, interface)
            return
        name = interface.name if self.vmks else MANAGEMENT
        for number, address in enumerate(ipv4 or [None]):
            # One VMkernel interface has one IPv4 address, one port group has one of them.
            group = name if number == 0 else "%s (%d)" % (name, number + 1)
            self.group(group, switch, interface)
            vmk = "vmk%d" % self.vmks
            self.vmks += 1
            self.vmkernel(vmk, group, interface, number == 0)
            self.ipv4(vmk, interface, address)
            if number == 0:
                self.ipv6(vmk, interface)
                self.routes(vmk, interface)

    def group(self, name, switch, interface):
        if name == MANAGEMENT:
            # The installer tied it to the card of the machine that made the image.
            self.command("vswitch", "standard", "portgroup", "policy", "failover", "set",
                         "--portgroup-name=" + name, "--use-vswitch")
        else:
            self.command("vswitch", "standard", "portgroup", "add", "--portgroup-name=" + name, "--vswitch-name=" + switch)
        if interface.vlan:
            self.command("vswitch", "standard", "portgroup", "set", "--portgroup-name=" + name,
                         "--vlan-id=%d" % interface.vlan)

    def vmkernel(self, vmk, group, interface, first):
        args = ["--interface-name=" + vmk, "--portgroup-name=" + group]
        if interface.mtu and int(interface.mtu) != 1500:
            args.append("--mtu=%d" % int(interface.mtu))
        if first and interface.kind != "vlan" and interface.mac:
            # The address by which MAAS's DHCP knows the machine.
            args.append("--mac-address=" + interface.mac.lower())
        self.command("ip", "interface", "add", *args)
        if vmk == "vmk0":
            self.command("ip", "interface", "tag", "add", "--interface-name=" + vmk, "--tagname=Management")

    def ipv4(self, vmk, interface, address):
        args = ["--interface-name=" + vmk]
        if address:
            args += ["--type=static", "--ipv4=%s" % address.ip, "--netmask=%s" % address.network.netmask]
            gateway = interface.gateway(4)
            if vmk != "vmk0" and gateway and gateway in address.network:
                args.append("--gateway=%s" % gateway)
        elif interface.dhcp4:
            args += ["--type=dhcp", "--peer-dns=%s" % ("true" if vmk == "vmk0" else "false")]
        else:
            args.append("--type=none")
        self.command("ip", "interface", "ipv4", "set", *args)

    def ipv6(self, vmk, interface):
        ipv6 = [address for address in interface.addresses if address.version == 6]
        if not (ipv6 or interface.dhcp6 or interface.slaac):
            return
        self.command("ip", "interface", "ipv6", "set", "--interface-name=" + vmk, "--enable-ipv6=true",
                     "--enable-dhcpv6=%s" % ("true" if interface.dhcp6 else "false"),
                     "--enable-router-adv=%s" % ("true" if interface.slaac or interface.dhcp6 else "false"))
        for address in ipv6:
            self.command("ip", "interface", "ipv6", "address", "add", "--interface-name=" + vmk, "--ipv6=%s" % address)

    def routes(self, vmk, interface):
        routes = list(interface.routes)
        if vmk == "vmk0":
            routes += self.network.routes
            if interface.gateway(4):
                self.route("default", interface.gateway(4), vmk)
        if interface.gateway(6):
            self.route("default", interface.gateway(6), vmk)
        for network, gateway in routes:
            self.route("default" if network.prefixlen == 0 else network, gateway, vmk)

    def route(self, network, gateway, vmk):
        via = "%s%%%s" % (gateway, vmk) if gateway.is_link_local else str(gateway)
        self.command("ip", "route", "ipv%d" % gateway.version, "add", "--network=%s" % network, "--gateway=" + via)

    def names(self):
        interfaces = self.network.interfaces.values()
        servers = self.network.dns + [server for interface in interfaces for server in interface.dns]
        domains = self.network.search + [domain for interface in interfaces for domain in interface.search]
        for server in OrderedDict.fromkeys(servers):
            self.command("ip", "dns", "server", "add", "--server=%s" % server)
        for domain in OrderedDict.fromkeys(domains):
            self.command("ip", "dns", "search", "add", "--domain=%s" % domain)
