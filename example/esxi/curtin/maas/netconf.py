"""What curtin's network configuration, version 1 or 2, asks for, in one form."""

import ipaddress
from collections import OrderedDict

from esx import Failed


class Interface(object):
    """An interface of the machine as MAAS knows it."""

    def __init__(self, name, kind):
        self.name = name
        self.kind = kind  # physical, bond, vlan, bridge
        self.mac = None
        self.mtu = None
        self.members = []  # of a bond or a bridge
        self.link = None  # of a VLAN
        self.vlan = 0
        self.mode = None
        self.primary = None
        self.addresses = []  # ipaddress interfaces
        self.dhcp4 = False
        self.dhcp6 = False
        self.slaac = False
        self.gateways = []
        self.routes = []  # (network, gateway)
        self.dns = []
        self.search = []

    def configured(self):
        return bool(self.addresses or self.dhcp4 or self.dhcp6 or self.slaac)

    def gateway(self, version):
        """The default gateway through this interface, or None."""
        for gateway in self.gateways:
            if gateway.version == version:
                return gateway
        return None

    def add_route(self, network, gateway):
        if network.prefixlen == 0:
            self.gateways.append(gateway)
        else:
            self.routes.append((network, gateway))


class Network(object):
    def __init__(self):
        self.interfaces = OrderedDict()
        self.dns = []
        self.search = []
        self.routes = []

    def add(self, interface):
        self.interfaces[interface.name] = interface
        return interface


def read(config):
    """Reads a network configuration, with or without its outer "network" key."""
    config = config.get("network", config) or {}
    version = config.get("version", 1)
    if version == 1:
        return _read_v1(config.get("config") or [])
    if version == 2:
        return _read_v2(config)
    raise Failed("network configuration has version %r; 1 and 2 are known" % (version,))


def _listed(value):
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return value.replace(",", " ").split()
    return list(value)


def _option(options, name, default=None):
    """Bond parameters are spelt bond-mode, bond_mode or mode."""
    for key in ("bond-" + name, "bond_" + name.replace("-", "_"), name):
        if key in options:
            return options[key]
    return default


def _address(address, netmask=None):
    address = str(address)
    if "/" not in address and netmask:
        address = "%s/%s" % (address, netmask)
    return ipaddress.ip_interface(address)


def _read_v1(items):
    network = Network()
    for item in items:
        kind = item.get("type")
        if kind == "nameserver":
            network.dns += _listed(item.get("address"))
            network.search += _listed(item.get("search"))
        elif kind == "route":
            network.routes.append(_route_v1(item))
        elif kind in ("physical", "bond", "vlan", "bridge"):
            _interface_v1(network.add(Interface(item["name"], kind)), item)
    return network


def _interface_v1(interface, item):
    parameters = item.get("params") or {}
    interface.mac = item.get("mac_address")
    interface.mtu = item.get("mtu")
    interface.members = _listed(item.get("bond_interfaces") or item.get("bridge_interfaces"))
    interface.link = item.get("vlan_link")
    interface.vlan = int(item.get("vlan_id") or 0)
    interface.mode = _option(parameters, "mode")
    interface.primary = _option(parameters, "primary")
    for subnet in item.get("subnets") or []:
        _subnet_v1(interface, subnet)


def _subnet_v1(interface, subnet):
    kind = subnet.get("type")
    interface.dhcp4 |= kind in ("dhcp", "dhcp4")
    interface.dhcp6 |= kind in ("dhcp6", "ipv6_dhcpv6-stateful")
    interface.slaac |= kind in ("ipv6_slaac", "ipv6_dhcpv6-stateless")
    if subnet.get("address"):
        interface.addresses.append(_address(subnet["address"], subnet.get("netmask")))
    if subnet.get("gateway"):
        interface.gateways.append(ipaddress.ip_address(str(subnet["gateway"])))
    interface.dns += _listed(subnet.get("dns_nameservers"))
    interface.search += _listed(subnet.get("dns_search"))
    for route in subnet.get("routes") or []:
        interface.add_route(*_route_v1(route))


def _route_v1(route):
    destination = str(route.get("destination") or route.get("network"))
    mask = route.get("netmask") or route.get("prefix")
    if "/" not in destination and mask:
        destination = "%s/%s" % (destination, mask)
    return ipaddress.ip_network(destination, strict=False), ipaddress.ip_address(str(route["gateway"]))


_KINDS_V2 = (("ethernets", "physical"), ("bonds", "bond"), ("bridges", "bridge"), ("vlans", "vlan"))


def _read_v2(config):
    network = Network()
    for section, kind in _KINDS_V2:
        for name, item in sorted((config.get(section) or {}).items()):
            _interface_v2(network.add(Interface(name, kind)), item or {})
    return network


def _interface_v2(interface, item):
    parameters = item.get("parameters") or {}
    names = item.get("nameservers") or {}
    interface.mac = (item.get("match") or {}).get("macaddress") or item.get("macaddress")
    interface.mtu = item.get("mtu")
    interface.members = _listed(item.get("interfaces"))
    interface.link = item.get("link")
    interface.vlan = int(item.get("id") or 0)
    interface.mode = parameters.get("mode")
    interface.primary = parameters.get("primary")
    interface.dhcp4 = bool(item.get("dhcp4"))
    interface.dhcp6 = bool(item.get("dhcp6"))
    # Linux takes router advertisements unless told otherwise; MAAS says so only where
    # it means it.
    interface.slaac = bool(item.get("accept-ra"))
    interface.addresses = [_address(address) for address in item.get("addresses") or []]
    interface.dns = _listed(names.get("addresses"))
    interface.search = _listed(names.get("search"))
    for key in ("gateway4", "gateway6"):
        if item.get(key):
            interface.gateways.append(ipaddress.ip_address(str(item[key])))
    for route in item.get("routes") or []:
        gateway = ipaddress.ip_address(str(route["via"]))
        to = str(route["to"])
        if to == "default":
            to = "::/0" if gateway.version == 6 else "0.0.0.0/0"
        interface.add_route(ipaddress.ip_network(to, strict=False), gateway)
