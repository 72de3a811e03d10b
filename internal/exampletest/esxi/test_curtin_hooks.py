"""Runs the curtin hook on configurations as MAAS writes them."""

import contextlib
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import shutil
import tempfile
import unittest
import unittest.mock as mock

import recorder
from metadata_service import Service


def load_hook():
    loader = importlib.machinery.SourceFileLoader("curtin_hooks", str(recorder.HOOKS / "curtin-hooks"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("curtin_hooks", loader))
    loader.exec_module(module)
    return module


HOOK = load_hook()

DATASOURCE = {"metadata_url": "http://10.0.0.1:5248/MAAS/metadata/", "consumer_key": "ck", "token_key": "tk", "token_secret": "ts"}
# As MAAS writes it since 2.x, and into debconf's answers.
CLOUDCONFIG = {"cloudconfig": {
    "maas-datasource": {"path": "/etc/cloud/cloud.cfg.d/90_maas_datasource.cfg", "content": "datasource_list: [ MAAS ]"},
    "maas-cloud-config": {"path": "/etc/cloud/cloud.cfg.d/90_maas_cloud_config.cfg", "content": "#cloud-config\n" + json.dumps(
        {"datasource": {"MAAS": dict(DATASOURCE, timeout=50)}})},
}}
DEBCONF = {"debconf_selections": {"maas": """cloud-init   cloud-init/datasources  multiselect MAAS
cloud-init   cloud-init/maas-metadata-url  string http://10.0.0.1:5248/MAAS/metadata/
cloud-init   cloud-init/maas-metadata-credentials  string oauth_consumer_key=ck&oauth_token_key=tk&oauth_token_secret=ts
"""}}


class Configuration(unittest.TestCase):
    def test_datasource(self):
        self.assertEqual(HOOK.datasource(CLOUDCONFIG), DATASOURCE)
        self.assertEqual(HOOK.datasource(DEBCONF), DATASOURCE)
        self.assertEqual(HOOK.datasource(dict(DEBCONF, cloudconfig={"other": {"content": "- a\n"}})), DATASOURCE)
        self.assertIsNone(HOOK.datasource({}))

    def test_reporting(self):
        target = {"type": "webhook", "endpoint": "http://10.0.0.1:5248/MAAS/metadata/status/abc", "consumer_key": "ck", "token_key": "tk",
                  "token_secret": "ts", "level": "INFO"}
        self.assertEqual(HOOK.reporting({"reporting": {"install_log": None, "maas": target}})["endpoint"], target["endpoint"])
        self.assertIsNone(HOOK.reporting({"reporting": {"x": {"type": "log"}}}))

    def test_vendor_data(self):
        yaml = b"""ntp: {servers: [10.0.0.1]}
write_files:
- content: |
    vcenter_password: p
    vcenter_server: vc.example
  path: /altbootbank/maas/vcenter.yaml
"""
        with Service({"meta-data/vendor-data": yaml}) as service:
            data, _ = recorder.quietly(HOOK.vendor_data, service.datasource)
        self.assertEqual(data["ntp"], {"servers": ["10.0.0.1"]})
        self.assertEqual(json.loads(data["write_files"][0]["content"]), {"vcenter_password": "p", "vcenter_server": "vc.example"})
        # Reading user-data would end the deployment before ESXi has started once.
        self.assertEqual(service.asked, ["2012-03-01/meta-data/vendor-data"])
        with Service({}) as service:
            wrong = dict(service.datasource, token_key="other")
            data, said = recorder.quietly(HOOK.vendor_data, wrong)
        self.assertIsNone(data)
        self.assertIn("left to the first boot", said)


class Sysfs(unittest.TestCase):
    """A /sys of disks: directories as the kernel has them, links below class/block."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.sysfs = self.folder.name
        os.makedirs(self.sysfs + "/class/block")

    def add(self, name, under="", **files):
        real = pathlib.Path(self.sysfs, "devices", under, name)
        real.mkdir(parents=True)
        for file, text in files.items():
            path = real / file.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(text) + "\n")
        os.symlink(real, self.sysfs + "/class/block/" + name)

    def partitions(self, disk, separator=""):
        self.add(disk, size=209715200, device__model="x")
        for number in (1, 5, 6, 7):
            self.add("%s%s%d" % (disk, separator, number), disk, partition=number)

    def multipath(self):
        self.add("dm-0", dm__uuid="mpath-3600508b1001c0000", slaves__sda="")
        for number, name in ((1, "dm-1"), (5, "dm-2"), (6, "dm-3")):
            self.add(name, dm__uuid="part%d-mpath-3600508b1001c0000" % number)
            os.makedirs("%s/devices/%s/slaves/dm-0" % (self.sysfs, name))

    def test_altbootbank(self):
        for disk, separator in (("sda", ""), ("sdaa", ""), ("nvme0n1", "p"), ("mmcblk0", "p")):
            self.partitions(disk, separator)
        for start, want in (("sda1", "sda6"), ("sda6", "sda6"), ("sdaa5", "sdaa6"), ("nvme0n1p1", "nvme0n1p6"), ("mmcblk0p1", "mmcblk0p6")):
            with self.subTest(start):
                self.assertEqual(HOOK.altbootbank(start, self.sysfs), want)

    def test_altbootbank_of_a_multipath(self):
        self.multipath()
        self.partitions("sdb")
        self.assertEqual(HOOK.altbootbank("dm-1", self.sysfs), "dm-3")
        self.assertEqual(HOOK.disk_of("dm-1", self.sysfs), "dm-0")

    def test_no_altbootbank(self):
        self.add("sda", device__model="x")
        self.add("sda1", "sda", partition=1)
        with self.assertRaisesRegex(SystemExit, "sda has no partition 6"):
            HOOK.altbootbank("sda1", self.sysfs)

    def test_disk_facts(self):
        self.partitions("sda")
        self.partitions("nvme0n1", "p")
        self.add("nvme1n1", wwid="eui.0025385401b2488a", size=400, device__model="x")
        programs = recorder.Programs("udevadm")
        programs.answer("udevadm info --query=property --name=/dev/sda",
                        "ID_BUS=scsi\nID_SERIAL=35000c500a1b2c3d4\nID_SERIAL_SHORT=5000c500a1b2c3d4\nID_SCSI_SERIAL=Z1X2\nID_WWN=0x5000c500a1b2c3d4\n"
                        "ID_MODEL=ST1000\nSTRANGE\n")
        programs.answer("udevadm info --query=property --name=/dev/nvme1n1", "ID_SERIAL=Samsung_SSD_S466\nID_SERIAL_SHORT=S466\n")
        config = {"storage": {"config": [
            {"id": "sda", "type": "disk", "serial": "Z1X2"}, {"id": "fast", "type": "disk", "serial": "S466"},
            {"id": "bypath", "type": "disk", "path": self.sysfs + "/link"}, {"id": "gone", "type": "disk", "serial": "none"},
            {"id": "sda-part1", "type": "partition"}]}}
        os.symlink("/dev/nvme0n1", self.sysfs + "/link")
        with programs:
            facts, said = recorder.quietly(HOOK.disk_facts, config, self.sysfs)
        self.assertEqual(facts["sda"], {"serials": ["35000c500a1b2c3d4", "5000c500a1b2c3d4", "Z1X2"], "model": "ST1000",
                                        "wwns": ["0x5000c500a1b2c3d4", "5000c500a1b2c3d4"], "size": 100 << 30})
        self.assertEqual(facts["fast"], {"serials": ["S466", "Samsung_SSD_S466"], "model": "", "wwns": ["eui.0025385401b2488a"], "size": 400 * 512})
        self.assertEqual(facts["bypath"]["size"], 100 << 30)
        self.assertNotIn("gone", facts)
        self.assertIn("gone: no disk here", said)


class Laying(unittest.TestCase):
    def test_lay(self):
        with tempfile.TemporaryDirectory() as volume:
            os.makedirs(volume + "/maas/old")
            HOOK.lay(volume, {"network": {"version": 1}})
            found = {str(path.relative_to(volume)) for path in pathlib.Path(volume).rglob("*") if path.is_file()}
            self.assertEqual(json.loads(pathlib.Path(volume, "maas/config.json").read_text()), {"network": {"version": 1}})
        scripts = {"maas/" + path.name for path in (recorder.HOOKS / "maas").glob("*.py")}
        self.assertLessEqual(scripts | {"maas/main.py", "maas/config.json", "maas/yaml/__init__.py"}, found)
        self.assertNotIn("maas/old", found)

    def deploy(self, bank):
        """Runs the whole hook on a volume; returns the folder of altbootbank."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        target, other = pathlib.Path(folder.name, "target"), pathlib.Path(folder.name, "other")
        other.mkdir()
        shutil.copytree(recorder.HOOKS, target / "curtin")
        files = {"meta-data/vendor-data": b"ntp: {servers: [10.0.0.1]}\n"}
        with Service(files) as service:
            config = {"network": {"version": 1, "config": []}, "reporting": {"maas": dict(service.reporting, type="webhook")},
                      "cloudconfig": {"maas": {"content": "#cloud-config\n" + json.dumps({"datasource": {"MAAS": service.datasource}})}}}
            pathlib.Path(folder.name, "config").write_text(json.dumps(config))
            known = {"mounted_device": lambda folder: "sda6", "altbootbank": lambda device: bank, "disk_of": lambda device, sysfs: "sda",
                     "mounted": lambda device: contextlib.nullcontext(str(other)), "whole_disks": lambda sysfs: [],
                     "HERE": target / "curtin"}
            environment = {"CONFIG": folder.name + "/config", "TARGET_MOUNT_POINT": str(target)}
            with mock.patch.multiple(HOOK, **known), mock.patch.dict(os.environ, environment), recorder.Programs("sgdisk") as programs:
                recorder.quietly(HOOK.main)
        self.assertEqual(programs.lines(), ["sgdisk --move-second-header /dev/sda"])
        self.assertFalse((target / "curtin").exists(), "curtin's folder is still there")
        self.assertEqual((target / "maas").exists(), bank == "sda6")
        return (target if bank == "sda6" else other) / "maas"

    def test_main(self):
        for bank in ("sda6", "sda7"):
            with self.subTest(bank):
                laid = self.deploy(bank)
                config = json.loads((laid / "config.json").read_text())
                self.assertEqual(config["vendor_data"], {"ntp": {"servers": ["10.0.0.1"]}})
                self.assertEqual(config["datasource"]["token_key"], "token")
                self.assertTrue((laid / "main.py").exists())

    def test_move_backup_table(self):
        for present, want in ((("sgdisk", "sfdisk"), ["sgdisk --move-second-header /dev/x"]),
                              (("sfdisk",), ["sfdisk --relocate gpt-bak-std /dev/x"]), ((), [])):
            with self.subTest(present):
                programs = recorder.Programs(*present)
                with programs:
                    os.environ["PATH"] = programs.folder.name
                    _, said = recorder.quietly(HOOK.move_backup_table, "/dev/x")
                self.assertEqual(programs.lines(), want)
                self.assertEqual("stays where it was" in said, not want)


if __name__ == "__main__":
    unittest.main()
