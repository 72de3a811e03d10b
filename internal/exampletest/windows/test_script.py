"""Reads the script that the hooks make with PowerShell's grammar, and looks up every command
and parameter."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import windows

import netconf
import network
import script

# Of Windows PowerShell 5.1. Source: Microsoft, references of the modules DnsClient, NetAdapter,
# NetTCPIP, Microsoft.PowerShell.Management and Microsoft.PowerShell.Utility.
KNOWN = """
Add-Content -LiteralPath -Value -ErrorAction
Disable-NetAdapterBinding -Name -ComponentID -Confirm
Get-Service -ErrorAction
Invoke-Program
Join-Path
New-Item -ItemType -Force
New-NetIPAddress -InterfaceAlias -IPAddress -PrefixLength -Confirm
New-NetRoute -InterfaceAlias -DestinationPrefix -NextHop -RouteMetric -Confirm
Out-Null
Remove-Item -LiteralPath
Set-Content -LiteralPath -Encoding -Value
Set-DnsClientGlobalSetting -SuffixSearchList -Confirm
Set-DnsClientServerAddress -InterfaceAlias -ServerAddresses -Confirm
Set-NetAdapter -Name -VlanID -Confirm
Set-NetAdapterAdvancedProperty -Name -RegistryKeyword -RegistryValue -Confirm
Set-Service -StartupType
Split-Path -Leaf
Start-Service
Step
Write-Output
"""

# All that a script is ever asked for.
SUBNETS = [
    {"type": "static", "address": "10.0.0.5/24", "gateway": "10.0.0.1", "dns_nameservers": ["10.0.0.2", "2001:db8::2"], "dns_search": ["it's"],
     "routes": [{"network": "10.9.0.0/16", "gateway": "10.0.0.9", "metric": 5}]},
    {"type": "static", "address": "10.0.0.6/24"},
]
NETWORK = [
    {"type": "physical", "name": "eth0", "mac_address": "52:54:00:00:00:00", "mtu": 9000},
    {"type": "vlan", "name": "eth0.7", "vlan_link": "eth0", "vlan_id": 7, "subnets": SUBNETS},
]


def whole():
    made = script.Script()
    for client in (False, True):
        script.network(made, network.plan(netconf.read({"version": 1, "config": NETWORK}), client).commands)
    script.ssh_keys(made, ["ssh-ed25519 AAAA it's \u201cmine\u201d; $(x) \u2019", "ssh-rsa BBBB"])
    script.time_servers(made, ["10.0.0.1"])
    script.licence(made, "ABCDE-12345-ABCDE-12345-ABCDE")
    script.close_off(made, "Program Files\\Cloudbase Solutions\\Cloudbase-Init")
    return made.text()


class Text(unittest.TestCase):
    def test_commands(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "maas.ps1")
            path.write_bytes(whole().encode("utf-8-sig"))
            tool = pathlib.Path(__file__).with_name("powershell.py")
            read = json.loads(subprocess.check_output([sys.executable, "-B", str(tool), str(path)]))[str(path)]
        self.assertEqual(read["errors"], [], whole())
        known = {words[0]: words[1:] for words in (line.split() for line in KNOWN.strip().splitlines())}
        found = {}
        for command in read["commands"]:
            if command["name"] == "&":
                continue
            self.assertLessEqual(set(command["parameters"]), set(known.get(command["name"], ())), command)
            found.setdefault(command["name"], set()).update(command["parameters"])
        self.assertEqual({name: sorted(found[name]) for name in found}, {name: sorted(known[name]) for name in known})

    def test_quote(self):
        for value, want in ((["a", "it's"], "@('a', 'it''s')"), (7, "7"), ("\u2018x\u201b", "'\u2018\u2018x\u201b\u201b'"), ("a\nb", "'a b'"), ("$x `n", "'$x `n'")):
            self.assertEqual(script.quote(value), want)


if __name__ == "__main__":
    unittest.main()
