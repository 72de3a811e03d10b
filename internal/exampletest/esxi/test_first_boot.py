"""Runs the whole first boot on a host of recorders, with a metadata service."""

import base64
import email.mime.multipart
import email.mime.text
import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import recorder
from metadata_service import Service

import esx
import main
import metadata
import userdata

PROGRAMS = ("esxcli", "localcli", "vim-cmd", "partedUtil", "vmkfstools", "auto-backup.sh", "chkconfig")
BOOT = "naa.5000c500a1b2c3d4"
NETWORK = {"version": 1, "config": [{"type": "physical", "id": "eno1", "name": "eno1", "mac_address": "52:54:00:00:00:01",
                                     "subnets": [{"type": "dhcp4"}]}]}
STORAGE = {"version": 1, "config": [{"id": "sda", "type": "disk", "serial": "5000c500a1b2c3d4", "grub_device": True}]}
META = {
    "meta-data/public-keys": b"ssh-ed25519 AAAA one@maas\nssh-rsa BBBB two@maas\n",
    "meta-data/local-hostname": b"node1.maas",
    "meta-data/vendor-data": b'{"ntp": {"servers": ["10.0.0.1"], "pools": ["ntp.maas"]}, "system_info": {}}',
}


def host():
    programs = recorder.Programs(*PROGRAMS)
    programs.answer("esxcli --formatter=json network nic list", [{"Name": "vmnic0", "MACAddress": "52:54:00:00:00:01"}])
    programs.answer("esxcli --formatter=json network vswitch standard list", [{"Name": "vSwitch0", "Uplinks": ["vmnic0"]}])
    programs.answer("esxcli --formatter=json network ip interface list", [{"Name": "vmk0"}])
    programs.answer("esxcli --formatter=json storage core device list", [
        {"Device": BOOT, "DevfsPath": "/vmfs/devices/disks/" + BOOT, "IsBootDevice": True, "IsPseudo": False}])
    programs.answer("esxcli --formatter=json system settings advanced list", [{"IntValue": 1}])
    programs.answer("esxcli --formatter=json system hostname get", {"FullyQualifiedDomainName": "node1.maas"})
    programs.answer("esxcli --formatter=json network ip interface ipv4 get", [{"IPv4Address": "10.0.0.5"}])
    programs.answer("partedUtil getptbl", "gpt\n1 1 1 209715200\n1 64 204863 C12A7328F81F11D2BA4B00A0C93EC93B systemPartition 128\n")
    programs.answer("partedUtil getUsableSectors", "34 209715166\n")
    return programs


class FirstBoot(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name)
        for name in ("tmp", "etc/vmware", "etc/ssh"):
            (self.root / name).mkdir(parents=True)
        (self.root / "etc/vmware/esx.conf").write_text('/adv/Misc/HostName = "x"\n/system/uuid = "564d-old"\n')
        saved = esx.ROOT, esx.AGENT_TIMEOUT, esx.AGENT_PAUSE, metadata.PATIENCE, metadata.PAUSE, main.HERE
        self.addCleanup(self.restore, saved)
        self.restore((str(self.root), 0, 0, 0.2, 0.01, str(self.root / "altbootbank/maas")))

    def restore(self, saved):
        esx.ROOT, esx.AGENT_TIMEOUT, esx.AGENT_PAUSE, metadata.PATIENCE, metadata.PAUSE, main.HERE = saved
        esx._cli[0] = "esxcli"

    def boot(self, service, programs=None, settings=None, **config):
        """Boots; returns the exit code, the calls, and the log."""
        shutil.copytree(recorder.HOOKS / "maas", main.HERE)
        known = {"network": NETWORK, "storage": STORAGE, "disks": {}, "datasource": service.datasource,
                 "reporting": service.reporting, "vendor_data": None}
        pathlib.Path(main.HERE, "config.json").write_text(json.dumps(dict(known, **config)))
        answers = self.root / "tmp/maas-settings.json"
        answers.write_text(json.dumps(settings or {}))
        programs = programs or host()
        with programs:
            code, log = recorder.quietly(main.main, str(answers))
        self.assertFalse(os.path.exists(main.HERE), "the machine's credentials are still there")
        self.assertFalse(answers.exists(), "the settings are still there")
        return code, programs.lines(), log

    def test_all_of_it(self):
        script = b"#!/usr/bin/env python3\nimport sys; open(sys.argv[0] + '.ran', 'w').close(); print('said so')\n"
        with Service(dict(META, **{"user-data": script})) as service:
            code, calls, log = self.boot(service)
        self.assertEqual(code, 0, log)
        self.assertEqual(service.events, [])
        # User-data comes last: with it, MAAS takes the machine for deployed.
        self.assertEqual([path.split("/")[-1] for path in service.asked], ["public-keys", "local-hostname", "vendor-data", "user-data"])
        self.assertEqual([call for call in calls if not call.startswith(("esxcli --formatter", "esxcli network ip", "esxcli network vswitch"))], [
            "vim-cmd hostsvc/runtimeinfo",
            "esxcli network firewall set --enabled=false",
            "esxcli system settings advanced set --option=/User/execInstalledOnly --int-value=0",
            "esxcli system uuid get",
            "vim-cmd hostsvc/enable_ssh",
            "vim-cmd hostsvc/start_ssh",
            "partedUtil getptbl /vmfs/devices/disks/" + BOOT,
            "partedUtil getUsableSectors /vmfs/devices/disks/" + BOOT,
            "partedUtil add /vmfs/devices/disks/%s gpt 3 206848 209715166 AA31E02A400F11DB9590000C2911D1B8 0" % BOOT,
            "vmkfstools --createfs vmfs6 --setfsname datastore1 /vmfs/devices/disks/%s:3" % BOOT,
            "esxcli system hostname set --fqdn=node1.maas",
            "esxcli system ntp set --enabled=true --server=10.0.0.1 --server=ntp.maas",
            "esxcli network firewall set --enabled=true",
            "esxcli system settings advanced set --option=/User/execInstalledOnly --int-value=1",
            "auto-backup.sh",
        ])
        self.assertEqual((self.root / "etc/ssh/keys-root/authorized_keys").read_text(), META["meta-data/public-keys"].decode())
        self.assertEqual((self.root / "etc/vmware/esx.conf").read_text(), '/adv/Misc/HostName = "x"\n')
        self.assertIn("said so", log)
        self.assertEqual(len(list((self.root / "tmp").glob("*.ran"))), 1)

    def test_each_failure_leaves_the_rest(self):
        """Everything fails that can, but the network and MAAS."""
        programs = recorder.Programs(*PROGRAMS)
        for call in ("vim-cmd hostsvc/enable_ssh", "vmkfstools", "esxcli system", "esxcli network firewall", "auto-backup.sh",
                     "esxcli network ip route"):
            programs.answer(call, "refused", 1)
        programs.answers += host().answers
        with Service(dict(META, **{"user-data": b"#!/bin/sh\nexit 3\n"})) as service:
            code, calls, log = self.boot(service, programs)
        self.assertEqual(code, 1)
        told = [event["description"] for event in service.events]
        for part in ("identity: ", "services: ", "storage: datastore1: vmkfstools", "names: ", "cloud-config: ntp: ", "user-data: part 1: "):
            self.assertEqual(len([text for text in told if part in text]), 1, (part, told))
        self.assertEqual(service.asked[-2:], ["2012-03-01/user-data", "status/abc123"])
        self.assertEqual(calls[-1], "auto-backup.sh")
        self.assertTrue((self.root / "etc/ssh/keys-root/authorized_keys").exists())

    def test_maas_is_not_there(self):
        with Service({}) as service:
            pass
        code, calls, log = self.boot(service)
        self.assertEqual(code, 1)
        self.assertIn("vim-cmd hostsvc/enable_ssh", calls)
        self.assertIn("PROBLEM: user_data: MAAS: user-data", log)

    def test_no_datasource(self):
        with Service({}) as service:
            code, calls, log = self.boot(service, datasource=None)
        self.assertEqual((code, service.asked), (1, []))
        self.assertIn("did not say where MAAS's metadata is", log)
        self.assertIn("partedUtil", " ".join(calls))

    def test_the_agent_is_not_there(self):
        programs = recorder.Programs(*PROGRAMS).answer("vim-cmd hostsvc/runtimeinfo", "", 1)
        programs.answers += [[["localcli"] + words[1:], output, code] for words, output, code in host().answers]
        programs.answers += host().answers
        with Service(META) as service:
            _, calls, _ = self.boot(service, programs)
        self.assertIn("localcli system hostname set --fqdn=node1.maas", calls)
        self.assertEqual([call for call in calls if call.startswith("esxcli")], [])

    def test_switches(self):
        with Service(META) as service:
            _, calls, _ = self.boot(service, settings={"ssh": False, "shell": True})
        self.assertEqual([call for call in calls if call.startswith("vim-cmd")],
                         ["vim-cmd hostsvc/runtimeinfo", "vim-cmd hostsvc/enable_esx_shell", "vim-cmd hostsvc/start_esx_shell"])


class Locale(unittest.TestCase):
    def test_none(self):
        """A first boot has no locale, and Python 3.5 then takes all text for ASCII."""
        text = r"import esx; esx.log('n\u00e4me'); print(esx.run('printf', 'gr\u00fcn').encode('utf-8'))"
        environment = dict(os.environ, LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0", PYTHONIOENCODING="ascii:strict",
                           PYTHONPATH=str(recorder.HOOKS / "maas"), PYTHONDONTWRITEBYTECODE="1")
        done = subprocess.run([sys.executable, "-c", text], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn(b"n\\xe4me\n", done.stdout)
        self.assertIn(b"b'gr\\xc3\\xbcn'", done.stdout)


class UserData(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = self.folder.name
        os.mkdir(self.root + "/tmp")
        saved = esx.ROOT
        self.addCleanup(setattr, esx, "ROOT", saved)
        esx.ROOT = self.root

    def apply(self, data):
        problems = esx.Problems()
        with recorder.Programs("esxcli") as programs:
            _, log = recorder.quietly(userdata.apply, data, problems)
        return programs.lines(), problems.found, log

    def test_scripts(self):
        for script, said in (
            (b"#!/bin/sh\necho shell $0\n", "shell "),
            (b"\n#!/bin/bash -e\nfalse || echo on\n", "on"),
            (gzip.compress(b"#!/usr/bin/env python3\nprint('py' + 'thon')\n"), "python"),
            (b"#!\necho default\n", "default"),
        ):
            with self.subTest(script):
                _, problems, log = self.apply(script)
                self.assertEqual(problems, [])
                self.assertIn(said, log)
        self.assertEqual(os.listdir(self.root + "/tmp"), [])

    def test_mime(self):
        message = email.mime.multipart.MIMEMultipart()
        message.attach(email.mime.text.MIMEText("#!/bin/sh\necho first\n", "x-shellscript"))
        message.attach(email.mime.text.MIMEText('{"hostname": "h1"}', "cloud-config"))
        message.attach(email.mime.text.MIMEText("#include\nhttp://x", "x-include-url"))
        calls, problems, log = self.apply(message.as_bytes())
        self.assertEqual(calls, ["esxcli system hostname set --host=h1"])
        self.assertIn("first", log)
        self.assertEqual(problems, ["user-data: part 3 (#include) is neither a script nor cloud-config"])

    def test_cloud_config(self):
        config = {"write_files": [
            {"path": self.root + "/new/plain", "content": "text", "permissions": "0600"},
            {"path": self.root + "/b64", "content": base64.b64encode(b"\0\1").decode(), "encoding": "b64"},
            {"path": self.root + "/gz", "content": base64.b64encode(gzip.compress(b"zip")).decode(), "encoding": "gz+b64"},
            {"path": self.root + "/b64", "content": "more", "append": True},
        ], "runcmd": ["echo a >%s/ran" % self.root, ["touch", self.root + "/ran2"], "exit 4"], "ssh_authorized_keys": ["k1", "k1 "],
            "packages": ["vim"]}
        _, problems, log = self.apply(b"#cloud-config\n" + json.dumps(config).encode())
        found = {name: pathlib.Path(self.root, name).read_bytes() for name in ("new/plain", "b64", "gz", "ran", "ran2")}
        self.assertEqual(found, {"new/plain": b"text", "b64": b"\0\1more", "gz": b"zip", "ran": b"a\n", "ran2": b""})
        self.assertEqual(os.stat(self.root + "/new/plain").st_mode & 0o777, 0o600)
        self.assertEqual(pathlib.Path(self.root, "etc/ssh/keys-root/authorized_keys").read_text(), "k1\n")
        self.assertEqual(len(problems), 1)
        self.assertIn("exit 4", problems[0])
        self.assertIn("packages means nothing to ESXi", log)

    def test_yaml(self):
        calls, problems, _ = self.apply(b"#cloud-config\nhostname: h2\n")
        self.assertEqual((calls, problems), (["esxcli system hostname set --host=h2"], []))
        self.assertIn("not YAML", self.apply(b"#cloud-config\n{a: [\n")[1][0])

    def test_unknown(self):
        self.assertIn("(hello) is neither", self.apply(b"hello\n")[1][0])
        self.assertEqual(self.apply(b"")[1], [])

    def test_old_ntp(self):
        os.mkdir(self.root + "/etc")
        programs = recorder.Programs("esxcli", "chkconfig").answer("esxcli system ntp", "unknown command", 1)
        problems = esx.Problems()
        with programs:
            recorder.quietly(userdata.config, {"ntp": {"servers": ["10.0.0.1"]}}, problems)
        self.assertEqual(pathlib.Path(self.root, "etc/ntp.conf").read_text(), "server 10.0.0.1\n")
        self.assertIn("chkconfig ntpd on", programs.lines())


if __name__ == "__main__":
    unittest.main()
