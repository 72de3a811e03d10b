"""Has the real Cloudbase-Init configure a network from what the hook makes of MAAS's
configurations, and compares what comes of it."""

import copy
import unittest

import windows

import netconf
import network
from volume import Failed

MACS = ["52:54:00:00:00:0%d" % i for i in range(4)]


def nic(number, *subnets, **more):
    item = {"type": "physical", "id": "eth%d" % number, "name": "eth%d" % number, "mac_address": MACS[number]}
    return dict(item, subnets=list(subnets) or [{"type": "manual"}], **more)


def static(address, gateway=None, **more):
    subnet = dict(more, type="static", address=address)
    return dict(subnet, gateway=gateway) if gateway else subnet


def bond(number, members, *subnets, **params):
    item = {"type": "bond", "id": "bond%d" % number, "name": "bond%d" % number, "bond_interfaces": members, "mac_address": MACS[0]}
    return dict(item, params={"bond-" + key.replace("_", "-"): value for key, value in params.items()}, subnets=list(subnets))


def vlan(parent, number, *subnets):
    name = "%s.%d" % (parent, number)
    return {"type": "vlan", "id": name, "name": name, "vlan_link": parent, "vlan_id": number, "subnets": list(subnets)}


DNS = {"type": "nameserver", "address": ["10.0.0.2"], "search": ["maas", "example.org"]}
DHCP = {"type": "dhcp"}


class Plans(unittest.TestCase):
    maxDiff = None

    def after(self, config, macs=2, client=False):
        """The network of a Windows that was configured, and the problems."""
        before = copy.deepcopy(config)
        planned = network.plan(netconf.read(config), client)
        self.assertEqual(config, before, "the configuration was changed")
        made = windows.Network(*MACS[:macs], client=client)
        made.configure(planned.items, planned.commands)
        self.search = made.search
        return made.state(), planned.problems

    def expect(self, items, state, problems=(), **more):
        found, said = self.after({"version": 1, "config": items}, **more)
        self.assertEqual(found, state)
        self.assertEqual(len(said), len(problems), said)
        for text, part in zip(said, problems):
            self.assertIn(part, text)

    def test_dhcp(self):
        self.expect([nic(0, DHCP), nic(1), DNS], {"eth0": {}, "eth1": {"enabled": False}})
        self.assertEqual(self.search, ["maas", "example.org"])

    def test_nothing_configured(self):
        """Whoever says nothing of any interface, does not mean a machine without network."""
        self.expect([nic(0), nic(1)], {"eth0": {}, "eth1": {}})

    def test_static(self):
        self.expect(
            [nic(0, static("10.0.0.5/24", "10.0.0.1", dns_nameservers=["10.0.0.3"], dns_search="a b")),
             nic(1, static("10.1.0.5/16")), DNS],
            {"eth0": {"addresses": ["10.0.0.5/24"], "gateways": {4: "10.0.0.1"}, "dns": ["10.0.0.3"]},
             "eth1": {"addresses": ["10.1.0.5/16"], "dns": ["10.0.0.2"]}})
        self.assertEqual(self.search, ["maas", "example.org", "a", "b"])

    def test_several_addresses(self):
        """Cloudbase-Init alone would keep the last one."""
        self.expect(
            [nic(0, static("10.9.0.5/24"), static("10.0.0.5/24", "10.0.0.1"), static("2001:db8::5/64", "2001:db8::1"),
                 static("10.0.0.6", netmask="255.255.255.0")), {"type": "nameserver", "address": "10.0.0.2 2001:db8::2"}],
            {"eth0": {"addresses": ["10.0.0.5/24", "2001:db8::5/64", "10.0.0.6/24", "10.9.0.5/24"],
                      "gateways": {4: "10.0.0.1", 6: "2001:db8::1"}, "dns": ["10.0.0.2", "2001:db8::2"]}}, macs=1)

    def test_routes(self):
        routes = [{"destination": "192.168.0.0/16", "gateway": "10.0.0.9", "metric": 5}, {"network": "172.16.0.0", "netmask": "255.240.0.0", "gateway": "10.0.0.8"}]
        self.expect(
            [nic(0, static("10.0.0.5/24", routes=routes)), nic(1, static("10.1.0.5/24")),
             {"type": "route", "destination": "0.0.0.0/0", "gateway": "10.1.0.1"}, {"type": "route", "destination": "10.7.0.0/16", "gateway": "10.6.0.1"}],
            {"eth0": {"addresses": ["10.0.0.5/24"], "routes": [("192.168.0.0/16", "10.0.0.9", 5), ("172.16.0.0/12", "10.0.0.8", None)]},
             "eth1": {"addresses": ["10.1.0.5/24"], "gateways": {4: "10.1.0.1"}}},
            ["10.7.0.0/16 is left out"])

    def test_large_packets(self):
        self.expect([nic(0, DHCP, mtu=9000)], {"eth0": {"mtu": 9000, "jumbo": "9014"}}, macs=1)

    def test_bonds(self):
        for params, mode, problems in (
            ({"mode": "802.3ad", "lacp_rate": "fast", "xmit_hash_policy": "layer3+4"}, "802.3ad layer3+4 fast", []),
            ({"mode": "802.3ad", "lacp_rate": "slow", "xmit_hash_policy": "vlan+srcmac"}, "802.3ad", []),
            ({"mode": "active-backup", "lacp_rate": "fast", "xmit_hash_policy": "layer2"}, "active-backup", []),
            ({"mode": "broadcast"}, "active-backup", ["send everything twice"]),
            ({}, "balance-rr", []),
        ):
            with self.subTest(params):
                team = {"team": "bond_bond0", "bound": False}
                self.expect(
                    [nic(0), nic(1), bond(0, ["eth0", "eth1"], static("10.0.0.5/24", "10.0.0.1"), **params)],
                    {"eth0": team, "eth1": team,
                     "bond0": {"team": "bond_bond0", "mode": mode, "addresses": ["10.0.0.5/24"], "gateways": {4: "10.0.0.1"}}}, problems)

    def test_a_bond_with_its_own_address(self):
        """Windows finds the first member by the bond's MAC address."""
        other = dict(bond(0, ["eth0", "eth1"], DHCP), mac_address="02:00:00:00:00:01")
        state, problems = self.after({"version": 1, "config": [nic(0), nic(1), other]})
        self.assertEqual((state["bond0"], problems), ({"team": "bond_bond0", "mode": "balance-rr"}, []))

    def test_vlans_of_a_bond(self):
        state, problems = self.after({"version": 1, "config": [
            nic(0), nic(1), bond(0, ["eth0", "eth1"], {"type": "manual"}), vlan("bond0", 7, static("10.7.0.5/24")), vlan("bond0", 8, DHCP)]})
        self.assertEqual(problems, [])
        self.assertEqual(state["bond0"], {"team": "bond_bond0", "mode": "balance-rr", "bound": False})
        self.assertEqual(state["bond0.7"], {"team": "bond_bond0", "vlan": 7, "addresses": ["10.7.0.5/24"]})
        self.assertEqual(state["bond0.8"], {"team": "bond_bond0", "vlan": 8})

    def test_vlans_of_an_adapter(self):
        """A team of one carries them; the network beside them is the team's, too."""
        self.expect(
            [nic(0, static("10.0.0.5/24", "10.0.0.1"), mtu=9000), vlan("eth0", 7, static("10.7.0.5/24")), DNS],
            {"eth0": {"team": "bond_eth0 team", "bound": False, "mtu": 9000, "jumbo": "9014"},
             "eth0 team": {"team": "bond_eth0 team", "mode": "active-backup", "mtu": 9000, "addresses": ["10.0.0.5/24"],
                           "gateways": {4: "10.0.0.1"}, "dns": ["10.0.0.2"]},
             "eth0.7": {"team": "bond_eth0 team", "vlan": 7, "addresses": ["10.7.0.5/24"], "dns": ["10.0.0.2"]}}, macs=1)

    def test_windows_10_and_11(self):
        self.expect([nic(0, DHCP), nic(1), vlan("eth1", 7, static("10.7.0.5/24"))],
                    {"eth0": {}, "eth1": {"vlan": 7, "addresses": ["10.7.0.5/24"]}}, client=True)
        self.expect([nic(0, DHCP), vlan("eth0", 7, DHCP)], {"eth0": {}}, ["one VLAN on an adapter"], macs=1, client=True)
        self.expect([nic(0), nic(1), bond(0, ["eth0", "eth1"], static("10.0.0.5/24"), mode="802.3ad")],
                    {"eth0": {"addresses": ["10.0.0.5/24"]}, "eth1": {"enabled": False}}, ["no teams"], client=True)

    def test_bridges(self):
        bridge = {"type": "bridge", "name": "br0", "bridge_interfaces": ["bond0"], "subnets": [static("10.0.0.5/24")]}
        state, problems = self.after({"version": 1, "config": [nic(0), nic(1), bond(0, ["eth0", "eth1"]), bridge, vlan("br0", 7, DHCP)]})
        self.assertEqual((state["bond0"]["addresses"], state["br0.7"]["vlan"], problems), (["10.0.0.5/24"], 7, []))
        self.expect([nic(0), nic(1), dict(bridge, bridge_interfaces=["eth0", "eth1"])],
                    {"eth0": {"addresses": ["10.0.0.5/24"]}, "eth1": {"enabled": False}}, ["Windows has no such bridge"])

    def test_left_out(self):
        self.expect(
            [nic(0, DHCP), dict(nic(1), mac_address=None), bond(0, ["eth1"], DHCP), vlan("eth1", 7, DHCP), vlan("eth0", 8, DHCP), vlan("eth0.8", 9, DHCP)],
            {"eth0": {"team": "bond_eth0 team", "bound": False}, "eth0 team": {"team": "bond_eth0 team", "mode": "active-backup"},
             "eth0.8": {"team": "bond_eth0 team", "vlan": 8}},
            ["eth1 has no MAC", "bond0 has no member", "eth1.7: Windows has no VLAN on eth1", "eth0.8.9: Windows has no VLAN"], macs=1)

    def test_version_2(self):
        config = {"network": {
            "version": 2,
            "ethernets": {
                "eth0": {"match": {"macaddress": MACS[0].upper()}, "set-name": "eth0", "mtu": 1500},
                "eth1": {"match": {"macaddress": MACS[1]}, "set-name": "eth1"},
                "eth2": {"match": {"macaddress": MACS[2]}, "set-name": "eth2", "dhcp4": True},
            },
            "bonds": {"bond0": {"interfaces": ["eth0", "eth1"], "macaddress": MACS[0], "parameters": {
                "mode": "802.3ad", "lacp-rate": "fast", "transmit-hash-policy": "layer2+3"}, "addresses": ["10.0.0.5/24", "2001:db8::5/64"],
                "gateway4": "10.0.0.1", "routes": [{"to": "default", "via": "2001:db8::1"}, {"to": "10.9.0.0/16", "via": "10.0.0.9", "metric": 7}],
                "nameservers": {"addresses": ["10.0.0.2"], "search": ["maas"]}}},
            "vlans": {"bond0.7": {"id": 7, "link": "bond0", "addresses": ["10.7.0.5/24"]}},
        }}
        state, problems = self.after(config, macs=3)
        self.assertEqual((problems, self.search), ([], ["maas"]))
        team = {"team": "bond_bond0", "bound": False}
        self.assertEqual(state, {
            "eth0": dict(team, mtu=1500), "eth1": team, "eth2": {},
            "bond0": {"team": "bond_bond0", "mode": "802.3ad layer2+3 fast", "addresses": ["10.0.0.5/24", "2001:db8::5/64"],
                      "gateways": {4: "10.0.0.1", 6: "2001:db8::1"}, "dns": ["10.0.0.2"], "routes": [("10.9.0.0/16", "10.0.0.9", 7)]},
            "bond0.7": {"team": "bond_bond0", "vlan": 7, "addresses": ["10.7.0.5/24"]},
        })

    def test_disabled(self):
        self.assertEqual(self.after({"network": {"config": "disabled"}}, macs=0), ({}, []))

    def test_refused(self):
        for config, part in (
            ({"version": 3}, "version 3"), ({"version": 1, "config": [{"type": "wifi", "name": "w"}]}, "kind wifi"),
            ({"version": 1, "config": [nic(0, static("10.0.0.500/24"))]}, "10.0.0.500"), ({"version": 1, "config": ["x"]}, "cannot be read"),
        ):
            with self.subTest(part), self.assertRaisesRegex(Failed, part):
                netconf.read(config)


if __name__ == "__main__":
    unittest.main()
