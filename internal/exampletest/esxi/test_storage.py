"""Compares what is asked of partedUtil and vmkfstools with MAAS's storage layouts."""

import unittest

import recorder

import esx
import storage

GIB = 1 << 30
EFI, BASIC = "C12A7328F81F11D2BA4B00A0C93EC93B", "EBD0A0A2B9E5443387C068B6B72699C7"
DIAGNOSTIC, VMFSL, VMFS = "9D27538040AD11DBBF97000C2911D1B8", "4EB2EA3978554790A79EFAE495E21F8D", "AA31E02A400F11DB9590000C2911D1B8"
BOOT = "naa.5000c500a1b2c3d4"

# What partedUtil says of a fresh installation: of 6.7, and of 7 and later on 32 GiB.
ESXI67 = "gpt\n1305 255 63 %d\n" + """1 64 8191 {0} systemPartition 128
5 8224 520191 {1} linuxNative 0
6 520224 1032191 {1} linuxNative 0
7 1032224 1257471 {2} vmkDiagnostic 0
8 1257504 1843199 {1} linuxNative 0
9 1843200 7086079 {2} vmkDiagnostic 0
2 7086080 15472639 {1} linuxNative 0
""".format(EFI, BASIC, DIAGNOSTIC)
ESXI7 = "gpt\n4177 255 63 %d\n" + """1 64 204863 {0} systemPartition 128
5 208896 8595455 {1} linuxNative 0
6 8597504 16984063 {1} linuxNative 0
7 16986112 67108830 {2} vmfsl 0
""".format(EFI, BASIC, VMFSL)


def device(name, size=100 * GIB, boot=False, model="DISK", uids=""):
    return {"Device": name, "Devfs Path": "/vmfs/devices/disks/" + name, "Size": size // 1048576, "Model": model,
            "Is Boot Device": "true" if boot else "false", "Is Pseudo": "false", "Other UIDs": uids}


def disk(name, serial, **more):
    return dict({"id": name, "name": name, "type": "disk", "serial": serial, "model": "DISK", "wipe": "superblock"}, **more)


def partition(disk, number, size):
    return {"id": "%s-part%d" % (disk, number), "type": "partition", "device": disk, "number": number, "size": "%dB" % size}


def vmfs(name, *devices):
    return {"id": name, "name": name, "type": "vmfs6", "devices": list(devices)}


def layout6(datastore):
    """MAAS's layout vmfs6, but for the disk's own line."""
    sizes = ((1, 3), (2, 4096), (5, 249), (6, 249), (7, 109), (8, 285), (9, 2560))
    return [partition("sda", number, size << 20) for number, size in sizes] + [partition("sda", 3, datastore)]


def layout7(datastore):
    sizes = ((1, 100 << 20), (5, 4095 << 20), (6, 4095 << 20), (7, 25662832128))
    return [partition("sda", number, size) for number, size in sizes] + [partition("sda", 8, datastore)]


SDA = disk("sda", "5000c500a1b2c3d4", grub_device=True)


class Datastores(unittest.TestCase):
    maxDiff = None

    def configure(self, config, table=ESXI7, size=100 * GIB, devices=(), disks=None, answers=(), tail=34):
        """The calls that change something, and the problems."""
        programs = recorder.Programs("esxcli", "partedUtil", "vmkfstools")
        programs.answer("esxcli --formatter=json storage core device list", [device(BOOT, size, boot=True)] + list(devices))
        for words, output, code in answers:
            programs.answer(words, output, code)
        path = "/vmfs/devices/disks/" + BOOT
        programs.answer("partedUtil getptbl " + path, table % (size // 512))
        programs.answer("partedUtil getUsableSectors " + path, "34 %d\n" % (size // 512 - tail))
        programs.answer("partedUtil getptbl", "Error: Unable to read\n", 255)
        programs.answer("partedUtil getUsableSectors", "34 209715166\n")
        problems = esx.Problems()
        with programs:
            recorder.quietly(storage.configure, {"storage": {"version": 1, "config": config}, "disks": disks or {}}, problems)
        self.programs = programs
        reads = ("esxcli", "partedUtil getptbl", "partedUtil getUsableSectors")
        return [line.replace("/vmfs/devices/disks/", "") for line in programs.lines() if not line.startswith(reads)], problems.found

    def test_vmfs6_layout(self):
        calls, problems = self.configure([SDA] + layout6(40 * GIB) + [vmfs("datastore1", "sda-part3")], ESXI67)
        self.assertEqual((calls, problems), ([
            "partedUtil add %s gpt 3 15472640 99358719 %s 0" % (BOOT, VMFS),
            "vmkfstools --createfs vmfs6 --setfsname datastore1 %s:3" % BOOT,
        ], []))

    def test_vmfs7_layout(self):
        calls, problems = self.configure([SDA] + layout7(68 * GIB) + [vmfs("datastore1", "sda-part8")])
        # MAAS's sizes of the partitions before are not to the byte: the last is cut.
        self.assertEqual((calls, problems), ([
            "partedUtil add %s gpt 8 67108864 209715166 %s 0" % (BOOT, VMFS),
            "vmkfstools --createfs vmfs6 --setfsname datastore1 %s:8" % BOOT,
        ], []))

    def test_linux_layouts(self):
        """The rest of the boot disk, numbered as the installers do."""
        linux = [SDA, partition("sda", 1, 99 * GIB), {"id": "f", "type": "format", "volume": "sda-part1", "fstype": "ext4"}]
        for table, number, start in ((ESXI67, 3, 15472640), (ESXI7, 8, 67108864)):
            calls, problems = self.configure(linux, table)
            self.assertEqual((calls, problems), ([
                "partedUtil add %s gpt %d %d 209715166 %s 0" % (BOOT, number, start, VMFS),
                "vmkfstools --createfs vmfs6 --setfsname datastore1 %s:%d" % (BOOT, number),
            ], []))

    def test_no_room(self):
        calls, problems = self.configure([SDA], size=32 * GIB)
        self.assertEqual(calls, [])
        self.assertIn("0 MiB left; a datastore needs 1.3 GB", problems[0])

    def test_the_image_was_smaller(self):
        self.configure([SDA], tail=10 * GIB // 512)
        self.assertEqual([call for call, stdin in self.programs.calls if stdin],
                         [["partedUtil", "fixGpt", "/vmfs/devices/disks/" + BOOT]])

    def test_datastore_of_an_earlier_run(self):
        table = ESXI7 + "8 67108864 209715166 %s vmfs 0\n" % VMFS
        calls, problems = self.configure([SDA] + layout7(20 * GIB) + [vmfs("datastore1", "sda-part8")], table)
        self.assertEqual((calls[:2], problems), ([
            "partedUtil delete %s 8" % BOOT,
            "partedUtil add %s gpt 8 67108864 109051903 %s 0" % (BOOT, VMFS),
        ], []))

    def test_partitions_of_esxi_stay(self):
        """A datastore on a partition that ESXi has its own use for is not made."""
        calls, problems = self.configure([SDA, partition("sda", 7, 20 * GIB), vmfs("mine", "sda-part7")])
        self.assertEqual(calls, [])
        self.assertIn("partition 7 of /vmfs/devices/disks/%s is ESXi's own" % BOOT, problems[0])
        self.assertIn("mine: none of its disks and partitions could be used", problems[1])

    def test_several_datastores_and_extents(self):
        """Parts of the boot disk, a SATA disk by its serial number, an NVMe by its EUI, a
        RAID controller's volume by its WWN, one disk by model and size."""
        sata, nvme, raid = "t10.ATA_____WDC_WD40EFRX2D68N32N0________________WD2DWCC7K0000001", \
            "t10.NVMe____Samsung_SSD_970_EVO_1TB_________________8A48B20154382500", "naa.600508b1001c0000000000000000abcd"
        plain = "mpx.vmhba1:C0:T3:L0"
        config = [
            SDA, disk("sdb", "WD-WCC7K0000001"), disk("nvme0n1", "S466NX0K000001"), disk("sdc", "600508b1001c0000000000000000abcd"),
            disk("sdd", "beef", model="Elite"),
        ] + layout7(10 * GIB) + [
            partition("sda", 9, 20 * GIB), partition("sdb", 1, 30 * GIB), partition("sdb", 2, 10 * GIB),
            vmfs("datastore1", "sda-part8", "sda-part9"), vmfs("fast", "nvme0n1"), vmfs("mixed", "sdb-part2", "sdc", "sdd"),
        ]
        facts = {"nvme0n1": {"wwns": ["eui.0025385401b2488a"], "size": 200 * GIB},
                 "sdd": {"serials": ["beef"], "model": "Elite_Disk", "size": 50 * GIB}}
        devices = [device(sata), device(nvme, 200 * GIB), device(raid), device(plain, 50 * GIB, model="Elite Disk"),
                   device("mpx.vmhba1:C0:T4:L0", 50 * GIB, model="Other")]
        calls, problems = self.configure(config, devices=devices, disks=facts)
        self.assertEqual(problems, [])
        self.assertEqual(calls, [
            "partedUtil mklabel %s gpt" % nvme,
            "partedUtil add %s gpt 1 2048 209715166 %s 0" % (nvme, VMFS),
            "partedUtil mklabel %s gpt" % raid,
            "partedUtil add %s gpt 1 2048 209715166 %s 0" % (raid, VMFS),
            "partedUtil mklabel %s gpt" % plain,
            "partedUtil add %s gpt 1 2048 209715166 %s 0" % (plain, VMFS),
            "partedUtil mklabel %s gpt" % sata,
            "partedUtil add %s gpt 2 2048 20973567 %s 0" % (sata, VMFS),
            "partedUtil add %s gpt 8 67108864 88080383 %s 0" % (BOOT, VMFS),
            "partedUtil add %s gpt 9 88080384 130023423 %s 0" % (BOOT, VMFS),
            "vmkfstools --createfs vmfs6 --setfsname datastore1 %s:8" % BOOT,
            "vmkfstools --spanfs %s:9 %s:8" % (BOOT, BOOT),
            "vmkfstools --createfs vmfs6 --setfsname fast %s:1" % nvme,
            "vmkfstools --createfs vmfs6 --setfsname mixed %s:2" % sata,
            "vmkfstools --spanfs %s:1 %s:2" % (raid, sata),
            "vmkfstools --spanfs %s:1 %s:2" % (plain, sata),
        ])
        self.assertEqual([stdin for call, stdin in self.programs.calls if "--spanfs" in call], ["0\n"] * 3)

    def test_what_cannot_be_found_leaves_the_rest(self):
        config = [SDA, disk("sdb", "ABCD1234"), disk("sdc", "SAME0000"), {"id": "md0", "type": "raid"}] + layout7(20 * GIB) + [
            vmfs("gone", "sdb"), vmfs("twice", "sdc"), vmfs("raid", "md0"), vmfs("datastore1", "sda-part8")]
        devices = [device("t10.ATA_____A___SAME0000"), device("t10.ATA_____B___SAME0000")]
        calls, problems = self.configure(config, devices=devices, answers=[
            (["vmkfstools", "--createfs"], "Device is busy", 1)])
        self.assertEqual(calls[-1], "vmkfstools --createfs vmfs6 --setfsname datastore1 %s:8" % BOOT)
        for part in ("md0 is a raid", "sdb: this host has no disk like it", "not clear which of these disks it is: t10.ATA_____A___SAME0000, t10",
                     "gone: none of its", "twice: none of its", "raid: none of its", "datastore1: vmkfstools"):
            self.assertEqual(len([problem for problem in problems if part in problem]), 1, (part, problems))

    def test_the_boot_disk_of_old_versions(self):
        """Without "Is Boot Device", the disk is the one that bootbank is on."""
        old = {key: value for key, value in device("mpx.vmhba0:C0:T0:L0").items() if key != "Is Boot Device"}
        programs = recorder.Programs("esxcli", "vmkfstools")
        programs.answer("esxcli --formatter=json storage core device list", [old])
        programs.answer("vmkfstools -P /bootbank", 'vfat-0.04 file system\nPartitions spanned (on "disks"):\n\tmpx.vmhba0:C0:T0:L0:5\n')
        with programs:
            boot, _ = recorder.quietly(lambda: storage.Disks({}, {}).boot())
        self.assertEqual(boot, "mpx.vmhba0:C0:T0:L0")


class Identity(unittest.TestCase):
    def test_serial_numbers(self):
        hexadecimal = "vml.0100000000" + b"S3RIAL00000000000001SAMSUN".hex()
        for serial, name, uids, want in (
            ("S3RIAL00000000000001", "mpx.vmhba2:C0:T0:L0", hexadecimal, True),
            ("5000c500a1b2c3d4", "naa.5000c500a1b2c3d4", "", True),
            ("WD-WX21", "t10.ATA_____WDC_WD2D5000____WD2DWX21", "", True),
            ("1234", "t10.ATA_____MODEL____12345", "", False),
            ("2345", "t10.ATA_____MODEL____12345", "", False),
            ("5", "t10.ATA_____MODEL____5", "", False),
        ):
            with self.subTest(serial=serial, name=name):
                self.assertEqual(storage._same_serial({"device": name, "otheruids": uids}, {"serials": [serial]}), want)


if __name__ == "__main__":
    unittest.main()
