"""Compares what is asked of esxcli with a table of MAAS's network configurations."""

import unittest

import recorder

import esx
import netconf
import network

NICS = {"52:54:00:00:00:01": "vmnic0", "52:54:00:00:00:02": "vmnic1", "52:54:00:00:00:03": "vmnic2"}
INSTALLED = {"vSwitch0": ["vmnic0"]}
TAG = "ip interface tag add --interface-name=vmk0 --tagname=Management"
REMOVE = "ip interface remove --interface-name=vmk0"
GROUP = "vswitch standard portgroup policy failover set --portgroup-name=Management Network --use-vswitch"


def physical(number, *subnets, **more):
    return dict({"type": "physical", "id": "eno%d" % number, "name": "eno%d" % number,
                 "mac_address": "52:54:00:00:00:%02X" % number, "subnets": list(subnets)}, **more)


def bond(mode, *subnets, **params):
    return {"type": "bond", "id": "bond0", "name": "bond0", "mac_address": "52:54:00:00:00:01",
            "bond_interfaces": ["eno1", "eno2"], "params": dict({"bond-mode": mode}, **params), "subnets": list(subnets)}


def vlan(number, link, *subnets, **more):
    return dict({"type": "vlan", "id": "%s.%d" % (link, number), "name": "%s.%d" % (link, number),
                 "vlan_id": number, "vlan_link": link, "subnets": list(subnets)}, **more)


def static(address, **more):
    return dict({"type": "static", "address": address}, **more)


def switch(name, cards, policy="portid", standby=None):
    return "vswitch standard policy failover set --vswitch-name=%s --active-uplinks=%s --load-balancing=%s%s" % (
        name, cards, policy, " --standby-uplinks=" + standby if standby else "")


DHCP = {"type": "dhcp4"}
V1 = [
    ("dhcp on the first card", [physical(1, DHCP)], [
        REMOVE,
        switch("vSwitch0", "vmnic0"),
        GROUP,
        "ip interface add --interface-name=vmk0 --portgroup-name=Management Network --mac-address=52:54:00:00:00:01",
        TAG,
        "ip interface ipv4 set --interface-name=vmk0 --type=dhcp --peer-dns=true",
    ], []),
    ("static on the second card, with names and a route", [
        physical(1),
        physical(2, static("10.0.0.5/24", gateway="10.0.0.1", dns_nameservers=["10.0.0.2"], dns_search=["example.com"],
                           routes=[{"destination": "192.168.0.0/16", "gateway": "10.0.0.9"}]), mtu=9000),
        {"type": "nameserver", "address": ["10.0.0.2", "10.0.0.3"], "search": ["example.com", "maas"]},
    ], [
        REMOVE,
        "vswitch standard uplink remove --uplink-name=vmnic0 --vswitch-name=vSwitch0",
        "vswitch standard uplink add --uplink-name=vmnic1 --vswitch-name=vSwitch0",
        "vswitch standard set --vswitch-name=vSwitch0 --mtu=9000",
        switch("vSwitch0", "vmnic1"),
        GROUP,
        "ip interface add --interface-name=vmk0 --portgroup-name=Management Network --mtu=9000 --mac-address=52:54:00:00:00:02",
        TAG,
        "ip interface ipv4 set --interface-name=vmk0 --type=static --ipv4=10.0.0.5 --netmask=255.255.255.0",
        "ip route ipv4 add --network=default --gateway=10.0.0.1",
        "ip route ipv4 add --network=192.168.0.0/16 --gateway=10.0.0.9",
        "ip dns server add --server=10.0.0.2",
        "ip dns server add --server=10.0.0.3",
        "ip dns search add --domain=example.com",
        "ip dns search add --domain=maas",
    ], []),
    ("management on a VLAN of a bond, a VLAN for machines, a storage card", [
        physical(1), physical(2), bond("802.3ad"),
        vlan(100, "bond0", static("10.0.1.5/24", gateway="10.0.1.1")),
        physical(3, static("10.9.0.5", netmask="255.255.0.0", gateway="10.9.0.1")),
        vlan(200, "bond0"),
    ], [
        REMOVE,
        "vswitch standard uplink add --uplink-name=vmnic1 --vswitch-name=vSwitch0",
        switch("vSwitch0", "vmnic0,vmnic1", "iphash"),
        "vswitch standard add --vswitch-name=vSwitch1",
        "vswitch standard uplink add --uplink-name=vmnic2 --vswitch-name=vSwitch1",
        switch("vSwitch1", "vmnic2"),
        GROUP,
        "vswitch standard portgroup set --portgroup-name=Management Network --vlan-id=100",
        "ip interface add --interface-name=vmk0 --portgroup-name=Management Network",
        TAG,
        "ip interface ipv4 set --interface-name=vmk0 --type=static --ipv4=10.0.1.5 --netmask=255.255.255.0",
        "ip route ipv4 add --network=default --gateway=10.0.1.1",
        "vswitch standard portgroup add --portgroup-name=eno3 --vswitch-name=vSwitch1",
        "ip interface add --interface-name=vmk1 --portgroup-name=eno3 --mac-address=52:54:00:00:00:03",
        "ip interface ipv4 set --interface-name=vmk1 --type=static --ipv4=10.9.0.5 --netmask=255.255.0.0 --gateway=10.9.0.1",
        "vswitch standard portgroup add --portgroup-name=bond0.200 --vswitch-name=vSwitch0",
        "vswitch standard portgroup set --portgroup-name=bond0.200 --vlan-id=200",
    ], []),
    ("active-backup with a primary", [physical(1), physical(2), bond("active-backup", DHCP, **{"bond-primary": "eno2"})], [
        REMOVE,
        "vswitch standard uplink add --uplink-name=vmnic1 --vswitch-name=vSwitch0",
        switch("vSwitch0", "vmnic1", "explicit", "vmnic0"),
        GROUP,
        "ip interface add --interface-name=vmk0 --portgroup-name=Management Network --mac-address=52:54:00:00:00:01",
        TAG,
        "ip interface ipv4 set --interface-name=vmk0 --type=dhcp --peer-dns=true",
    ], []),
    ("a bond mode that ESXi has not, and a card without a driver", [
        physical(1), physical(2, mac_address="52:54:00:00:00:99"), bond("broadcast", DHCP)], [
        REMOVE,
        switch("vSwitch0", "vmnic0"),
        GROUP,
        "ip interface add --interface-name=vmk0 --portgroup-name=Management Network --mac-address=52:54:00:00:00:01",
        TAG,
        "ip interface ipv4 set --interface-name=vmk0 --type=dhcp --peer-dns=true",
    ], ["no driver of this ESXi has the card eno2 (52:54:00:00:00:99)", "nothing like the bond mode broadcast"]),
    ("IPv6, two addresses, a link-local gateway", [
        physical(1, static("10.0.0.5/24"), static("10.0.0.6/24"), static("2001:db8::5/64", gateway="fe80::1"))], [
        REMOVE,
        switch("vSwitch0", "vmnic0"),
        GROUP,
        "ip interface add --interface-name=vmk0 --portgroup-name=Management Network --mac-address=52:54:00:00:00:01",
        TAG,
        "ip interface ipv4 set --interface-name=vmk0 --type=static --ipv4=10.0.0.5 --netmask=255.255.255.0",
        "ip interface ipv6 set --interface-name=vmk0 --enable-ipv6=true --enable-dhcpv6=false --enable-router-adv=false",
        "ip interface ipv6 address add --interface-name=vmk0 --ipv6=2001:db8::5/64",
        "ip route ipv6 add --network=default --gateway=fe80::1%vmk0",
        "vswitch standard portgroup add --portgroup-name=Management Network (2) --vswitch-name=vSwitch0",
        "ip interface add --interface-name=vmk1 --portgroup-name=Management Network (2)",
        "ip interface ipv4 set --interface-name=vmk1 --type=static --ipv4=10.0.0.6 --netmask=255.255.255.0",
    ], []),
    ("DHCPv6 alone", [physical(1, {"type": "dhcp6"})], [
        REMOVE,
        switch("vSwitch0", "vmnic0"),
        GROUP,
        "ip interface add --interface-name=vmk0 --portgroup-name=Management Network --mac-address=52:54:00:00:00:01",
        TAG,
        "ip interface ipv4 set --interface-name=vmk0 --type=none",
        "ip interface ipv6 set --interface-name=vmk0 --enable-ipv6=true --enable-dhcpv6=true --enable-router-adv=true",
    ], []),
    ("a bridge is its card", [
        physical(1), {"type": "bridge", "id": "br0", "name": "br0", "bridge_interfaces": ["eno1"],
                      "subnets": [static("10.0.0.5/24", gateway="10.0.0.1")]}, vlan(7, "br0")], [
        REMOVE,
        switch("vSwitch0", "vmnic0"),
        GROUP,
        "ip interface add --interface-name=vmk0 --portgroup-name=Management Network --mac-address=52:54:00:00:00:01",
        TAG,
        "ip interface ipv4 set --interface-name=vmk0 --type=static --ipv4=10.0.0.5 --netmask=255.255.255.0",
        "ip route ipv4 add --network=default --gateway=10.0.0.1",
        "vswitch standard portgroup add --portgroup-name=br0.7 --vswitch-name=vSwitch0",
        "vswitch standard portgroup set --portgroup-name=br0.7 --vlan-id=7",
    ], []),
    ("nothing to go by", [physical(1), physical(9, DHCP)], [],
     ["no driver of this ESXi has the card eno9", "the installer's network stays"]),
    ("an empty configuration", [], [], ["the installer's network stays"]),
]

V2 = {
    "version": 2,
    "ethernets": {
        "eno1": {"match": {"macaddress": "52:54:00:00:00:01"}, "set-name": "eno1", "mtu": 9000},
        "eno2": {"match": {"macaddress": "52:54:00:00:00:02"}, "set-name": "eno2", "mtu": 9000},
        "eno3": {"match": {"macaddress": "52:54:00:00:00:03"}, "dhcp4": True, "accept-ra": True},
    },
    "bonds": {"bond0": {"interfaces": ["eno1", "eno2"], "macaddress": "52:54:00:00:00:01", "mtu": 9000,
                        "parameters": {"mode": "balance-rr"}}},
    "vlans": {"bond0.100": {"id": 100, "link": "bond0", "mtu": 1500, "addresses": ["10.0.1.5/24"],
                            "nameservers": {"addresses": ["10.0.1.2"], "search": ["maas"]},
                            "routes": [{"to": "0.0.0.0/0", "via": "10.0.1.1"}, {"to": "10.8.0.0/16", "via": "10.0.1.3"}]}},
}
V2_PLAN = [
    REMOVE,
    "vswitch standard uplink add --uplink-name=vmnic1 --vswitch-name=vSwitch0",
    "vswitch standard set --vswitch-name=vSwitch0 --mtu=9000",
    switch("vSwitch0", "vmnic0,vmnic1"),
    "vswitch standard add --vswitch-name=vSwitch1",
    "vswitch standard uplink add --uplink-name=vmnic2 --vswitch-name=vSwitch1",
    switch("vSwitch1", "vmnic2"),
    GROUP,
    "vswitch standard portgroup set --portgroup-name=Management Network --vlan-id=100",
    "ip interface add --interface-name=vmk0 --portgroup-name=Management Network",
    TAG,
    "ip interface ipv4 set --interface-name=vmk0 --type=static --ipv4=10.0.1.5 --netmask=255.255.255.0",
    "ip route ipv4 add --network=default --gateway=10.0.1.1",
    "ip route ipv4 add --network=10.8.0.0/16 --gateway=10.0.1.3",
    "vswitch standard portgroup add --portgroup-name=eno3 --vswitch-name=vSwitch1",
    "ip interface add --interface-name=vmk1 --portgroup-name=eno3 --mac-address=52:54:00:00:00:03",
    "ip interface ipv4 set --interface-name=vmk1 --type=dhcp --peer-dns=false",
    "ip interface ipv6 set --interface-name=vmk1 --enable-ipv6=true --enable-dhcpv6=false --enable-router-adv=true",
    "ip dns server add --server=10.0.1.2",
    "ip dns search add --domain=maas",
]


class Plan(unittest.TestCase):
    maxDiff = None

    def plan(self, config, switches=None):
        problems = esx.Problems()
        commands, _ = recorder.quietly(
            lambda: network.plan(netconf.read(config), NICS, switches or INSTALLED, ["vmk0"], problems))
        for command in commands:
            self.assertEqual(command[0], "network")
        return [" ".join(command[1:]) for command in commands], problems.found

    def test_version_1(self):
        for name, items, want, problems in V1:
            with self.subTest(name):
                commands, found = self.plan({"version": 1, "config": items})
                self.assertEqual(commands, want)
                self.assertEqual(len(found), len(problems), found)
                for problem, part in zip(found, problems):
                    self.assertIn(part, problem)

    def test_version_2(self):
        self.assertEqual(self.plan({"network": V2}), (V2_PLAN, []))

    def test_unknown_version(self):
        with self.assertRaisesRegex(esx.Failed, "version 3"):
            self.plan({"version": 3})

    def test_cards_move_between_switches(self):
        """A second boot of the scripts, or an image made with more switches, ends the same."""
        commands, _ = self.plan({"version": 1, "config": [physical(1, DHCP), physical(2, static("10.9.0.5/24"))]},
                                {"vSwitch0": ["vmnic1"], "vSwitch1": ["vmnic0"], "vSwitch7": ["vmnic2"]})
        self.assertEqual(commands[1:5], [
            "vswitch standard uplink remove --uplink-name=vmnic1 --vswitch-name=vSwitch0",
            "vswitch standard uplink remove --uplink-name=vmnic0 --vswitch-name=vSwitch1",
            "vswitch standard uplink add --uplink-name=vmnic0 --vswitch-name=vSwitch0",
            switch("vSwitch0", "vmnic0"),
        ])


class Configure(unittest.TestCase):
    def test_reads_the_host_and_goes_on(self):
        programs = recorder.Programs("esxcli")
        # Field names as two versions of ESXi write them.
        programs.answer("esxcli --formatter=json network nic list", [
            {"Name": "vmnic0", "MAC Address": "52:54:00:00:00:01"}, {"Name": "vmnic1", "MACAddress": "52:54:00:00:00:02"}])
        programs.answer("esxcli --formatter=json network vswitch standard list", [{"Name": "vSwitch0", "Uplinks": "vmnic0"}])
        programs.answer("esxcli --formatter=json network ip interface list", [{"Name": "vmk0"}])
        programs.answer("esxcli network ip dns", "no such server", 1)
        problems = esx.Problems()
        config = {"version": 1, "config": [physical(2, static("10.0.0.5/24", dns_nameservers="10.0.0.2", dns_search="maas"))]}
        with programs:
            recorder.quietly(network.configure, config, problems)
        lines = programs.lines()
        self.assertIn("esxcli network vswitch standard uplink remove --uplink-name=vmnic0 --vswitch-name=vSwitch0", lines)
        self.assertEqual(lines[-1], "esxcli network ip dns search add --domain=maas")
        self.assertEqual(len(problems.found), 2)
        self.assertIn("no such server", problems.found[0])


if __name__ == "__main__":
    unittest.main()
