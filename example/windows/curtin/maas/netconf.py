"""Reads curtin's network configuration, version 1 or 2, into links."""

import ipaddress

from volume import Failed

KINDS = ("physical", "bond", "vlan", "bridge")
SECTIONS = (("ethernets", "physical"), ("bonds", "bond"), ("bridges", "bridge"), ("vlans", "vlan"))


class Link(object):
    """A network interface as MAAS knows it."""

    def __init__(self, name, kind, mac=None, mtu=None):
        self.name = str(name)
        self.kind = kind
        self.mac = mac and str(mac).lower()
        self.mtu = mtu
        self.members = []  # of a bond or bridge
        self.parent, self.vlan = None, None  # of a VLAN
        self.options = {}  # of a bond: mode, lacp-rate, hash
        self.addresses = []  # with their networks
        self.dynamic = False  # some of its addresses are given by the network
        self.gateways = {}  # by the version of IP
        self.routes = []  # (network, gateway, metric)
        self.dns, self.search = [], []

    def configured(self):
        return bool(self.addresses or self.dynamic)

    def take(self, other):
        """Makes another link's settings its own."""
        self.addresses += other.addresses
        self.dynamic = self.dynamic or other.dynamic
        self.gateways.update(other.gateways)
        self.routes += other.routes
        self.dns += other.dns
        self.search += other.search
        self.mtu = other.mtu or self.mtu

    def route(self, network, gateway, metric=None):
        if network.prefixlen:
            self.routes.append((network, gateway, metric))
        else:
            self.gateways.setdefault(network.version, gateway)


class Network(object):
    def __init__(self):
        self.links = {}
        self.dns, self.search = [], []
        self.problems = []

    def add(self, link):
        self.links[link.name] = link
        return link


def read(config):
    """Reads a configuration, with or without the key "network" around it."""
    config = config.get("network", config) or {}
    if config.get("config") == "disabled":
        return Network()
    try:
        if config.get("version", 1) == 1:
            return _version1(config.get("config") or [])
        if config["version"] == 2:
            return _version2(config)
    except (KeyError, TypeError, AttributeError, ValueError) as err:
        raise Failed("MAAS's network configuration cannot be read: %s: %s" % (type(err).__name__, err))
    raise Failed("MAAS's network configuration has the version %s; 1 and 2 are known" % config["version"])


def _list(value):
    if not value:
        return []
    return value.replace(",", " ").split() if isinstance(value, str) else list(value)


def _options(parameters):
    """Of a bond, however they are spelt: bond-mode, bond_mode, mode."""
    plain = {key.replace("_", "-").replace("bond-", "", 1): value for key, value in (parameters or {}).items()}
    return {
        "mode": plain.get("mode") or "balance-rr",  # Linux's
        "lacp-rate": plain.get("lacp-rate"),
        "hash": plain.get("xmit-hash-policy") or plain.get("transmit-hash-policy"),
    }


def _version1(items):
    network, routes = Network(), []
    for item in items:
        kind = item["type"]
        if kind == "nameserver":
            network.dns += _list(item.get("address"))
            network.search += _list(item.get("search"))
        elif kind == "route":
            routes.append(_route(item))
        elif kind in KINDS:
            link = network.add(Link(item["name"], kind, item.get("mac_address"), item.get("mtu")))
            link.members = _list(item.get("bond_interfaces") or item.get("bridge_interfaces"))
            link.parent, link.vlan = item.get("vlan_link"), item.get("vlan_id")
            link.options = _options(item.get("params"))
            for subnet in item.get("subnets") or []:
                _subnet(link, subnet)
        else:
            raise Failed("MAAS's network configuration has an interface of the kind %s" % kind)
    for to, gateway, metric in routes:
        near = [link for link in network.links.values() if any(gateway in address.network for address in link.addresses)]
        if near:
            near[0].route(to, gateway, metric)
        else:
            network.problems.append("the route to %s is left out: %s is in no interface's network" % (to, gateway))
    return network


def _subnet(link, subnet):
    kind = subnet.get("type") or ""
    link.dynamic = link.dynamic or kind.startswith(("dhcp", "ipv6_"))
    if subnet.get("address"):
        address = str(subnet["address"])
        if "/" not in address and subnet.get("netmask"):
            address += "/%s" % subnet["netmask"]
        link.addresses.append(ipaddress.ip_interface(address))
    if subnet.get("gateway"):
        gateway = ipaddress.ip_address(str(subnet["gateway"]))
        link.gateways.setdefault(gateway.version, gateway)
    link.dns += _list(subnet.get("dns_nameservers"))
    link.search += _list(subnet.get("dns_search"))
    for route in subnet.get("routes") or []:
        link.route(*_route(route))


def _route(route):
    to = str(route.get("destination") or route["network"])
    mask = route.get("netmask") or route.get("prefix")
    if "/" not in to and mask:
        to += "/%s" % mask
    return ipaddress.ip_network(to, strict=False), ipaddress.ip_address(str(route["gateway"])), route.get("metric")


def _version2(config):
    network = Network()
    for section, kind in SECTIONS:
        for name, item in (config.get(section) or {}).items():
            match = item.get("match") or {}
            link = network.add(Link(item.get("set-name") or name, kind, match.get("macaddress") or item.get("macaddress"), item.get("mtu")))
            link.members = _list(item.get("interfaces"))
            link.parent, link.vlan = item.get("link"), item.get("id")
            link.options = _options(item.get("parameters"))
            _settings(link, item)
    return network


def _settings(link, item):
    link.dynamic = bool(item.get("dhcp4") or item.get("dhcp6") or item.get("accept-ra"))
    link.addresses = [ipaddress.ip_interface(str(address)) for address in item.get("addresses") or []]
    for key in ("gateway4", "gateway6"):
        if item.get(key):
            link.route(ipaddress.ip_network("0.0.0.0/0" if key == "gateway4" else "::/0"), ipaddress.ip_address(str(item[key])))
    for route in item.get("routes") or []:
        gateway = ipaddress.ip_address(str(route["via"]))
        to = str(route["to"])
        if to == "default":
            to = "0.0.0.0/0" if gateway.version == 4 else "::/0"
        link.route(ipaddress.ip_network(to, strict=False), gateway, route.get("metric"))
    names = item.get("nameservers") or {}
    link.dns = _list(names.get("addresses"))
    link.search = _list(names.get("search"))
