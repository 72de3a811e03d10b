"""Stands in for a Windows: for its volume, and for its network as Cloudbase-Init and the
script change it. Cloudbase-Init itself is the real one."""

import ipaddress
import pathlib
import sys
import types
import unittest.mock as mock

HOOKS = pathlib.Path(__file__).parents[3] / "example/windows/curtin"
sys.path[:0] = [str(HOOKS / "maas"), str(pathlib.Path(__file__).parents[1] / "esxi")]
sys.dont_write_bytecode = True

from cloudbaseinit.metadata.services import maasservice
from cloudbaseinit.plugins.common import networkconfig

# As its installer leaves it.
CONF = """[DEFAULT]
username=Admin
groups=Administrators
inject_user_password=true
logdir=C:\\Program Files\\Cloudbase Solutions\\Cloudbase-Init\\log\\
# what to run
plugins=cloudbaseinit.plugins.common.mtu.MTUPlugin,
        cloudbaseinit.plugins.common.sethostname.SetHostNamePlugin,
        cloudbaseinit.plugins.common.userdata.UserDataPlugin
metadata_services=cloudbaseinit.metadata.services.base.EmptyMetadataService
maas_metadata_url=http://of.the.build/
local_scripts_path=C:\\Program Files\\Cloudbase Solutions\\Cloudbase-Init\\LocalScripts\\
check_latest_version=true
""".replace("\n", "\r\n")

HOME = "Program Files/Cloudbase Solutions/Cloudbase-Init"


def lay_volume(root, files=(), home=HOME):
    """Makes a folder that looks like the volume of a Windows."""
    root = pathlib.Path(root)
    known = {
        home + "/conf/cloudbase-init.conf": CONF,
        home + "/conf/cloudbase-init-unattend.conf": CONF.replace("userdata.UserData", "mtu.MTU"),
        home + "/Python/python.exe": "MZ",
        "Windows/servicing/Packages/Microsoft-Windows-ServerStandardEdition~31bf3856ad364e35~amd64~~10.0.20348.1.mum": "",
        "Users/Public/desktop.ini": "",
    }
    known.update(files)
    for name, text in known.items():
        if text is not None:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
    return root


class Network(object):
    """The network of a Windows Server, or of Windows 10 and 11. What Windows refuses is an
    error."""

    def __init__(self, *macs, client=False):
        self.client = client
        self.adapters = {"Ethernet %d" % i: types.SimpleNamespace(mac=mac) for i, mac in enumerate(macs)}
        for adapter in self.adapters.values():
            self.reset(adapter)
        self.search = []

    @staticmethod
    def reset(adapter, team=None, vlan=None):
        adapter.enabled, adapter.bound, adapter.mtu, adapter.jumbo = True, True, None, None
        adapter.addresses, adapter.gateways, adapter.dns, adapter.routes = [], {}, [], []
        adapter.team, adapter.vlan, adapter.mode = team, vlan, None

    # What Cloudbase-Init calls

    def get_network_adapter_name_by_mac_address(self, mac):
        (name,) = [name for name, adapter in self.adapters.items() if getattr(adapter, "mac", "").lower() == mac.lower()]
        return name

    def rename_network_adapter(self, old, new):
        assert new not in self.adapters, "there are two adapters %s" % new
        self.adapters[new] = self.adapters.pop(old)

    def set_network_adapter_mtu(self, name, mtu):
        self.adapters[name].mtu = mtu

    def enable_network_adapter(self, name, enabled):
        self.adapters[name].enabled = enabled

    def create_network_team(self, team, mode, hash, members, mac, nic, vlan, lacp):
        assert not self.client, "Windows 10 and 11 have no teams"
        assert mode != "broadcast" and nic not in self.adapters and not vlan
        assert lacp is None or mode == "802.3ad"
        assert self.get_network_adapter_name_by_mac_address(mac) in members
        for member in members:
            assert self.adapters[member].enabled and self.adapters[member].team is None
            self.adapters[member].team, self.adapters[member].bound = team, False
        self.adapters[nic] = types.SimpleNamespace()
        self.reset(self.adapters[nic], team)
        self.adapters[nic].mode = " ".join(str(word) for word in (mode, hash, lacp) if word)

    def add_network_team_nic(self, team, nic, vlan):
        assert any(adapter.team == team and adapter.mode for adapter in self.adapters.values()), "no team %s" % team
        assert nic not in self.adapters
        self.adapters[nic] = types.SimpleNamespace()
        self.reset(self.adapters[nic], team, vlan)

    def set_static_network_config(self, name, address, prefix, gateway, dns):
        adapter = self.adapters[name]
        version = ipaddress.ip_address(address).version
        adapter.addresses = [one for one in adapter.addresses if ipaddress.ip_interface(one).version != version]
        adapter.routes = [one for one in adapter.routes if ipaddress.ip_network(one[0]).version != version]
        adapter.addresses.append("%s/%s" % (address, prefix))
        adapter.gateways.pop(version, None)
        if gateway:
            adapter.gateways[version] = gateway
        if dns:
            adapter.dns = list(dns)

    # What the script calls

    def run(self, command, arguments):
        arguments = dict(arguments)
        adapter = self.adapters.get(arguments.pop("Name", None) or arguments.pop("InterfaceAlias", None))
        if command == "Set-DnsClientGlobalSetting":
            self.search = arguments["SuffixSearchList"]
        elif command == "New-NetIPAddress":
            adapter.addresses.append("%s/%s" % (arguments["IPAddress"], arguments["PrefixLength"]))
        elif command == "New-NetRoute":
            adapter.routes.append((arguments["DestinationPrefix"], arguments["NextHop"], arguments.get("RouteMetric")))
        elif command == "Set-DnsClientServerAddress":
            adapter.dns = arguments["ServerAddresses"]
        elif command == "Disable-NetAdapterBinding":
            adapter.bound = False
        elif command == "Set-NetAdapter":
            adapter.vlan = arguments["VlanID"]
        elif command == "Set-NetAdapterAdvancedProperty":
            adapter.jumbo = arguments["RegistryValue"]
        else:
            raise AssertionError("no command %s" % command)

    def configure(self, items, commands):
        """Has Cloudbase-Init read a configuration, and the script do its part."""
        service = maasservice.MaaSHttpService()
        with mock.patch.object(service, "_get_network_data", lambda: {"version": 1, "config": items}), \
                mock.patch.object(networkconfig.osutils_factory, "get_os_utils", lambda: self):
            networkconfig.NetworkConfigPlugin().execute(service, {})
        for command, arguments in commands:
            self.run(command, arguments)

    def state(self):
        """What is not as it was, by adapter."""
        fresh = types.SimpleNamespace()
        self.reset(fresh)
        return {name: {key: value for key, value in vars(adapter).items() if key != "mac" and value != getattr(fresh, key)}
                for name, adapter in self.adapters.items()}
