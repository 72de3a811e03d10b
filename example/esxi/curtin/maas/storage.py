"""Makes the datastores that MAAS's storage configuration asks for.

MAAS's layouts vmfs6 and vmfs7 have the partitions of ESXi's own, then a datastore on
what remains; more can be on other partitions and disks. With a layout for Linux, the
datastore is all that remains of the boot disk, as ESXi's installer makes it."""

import binascii
import re

import esx

DISKS = "/vmfs/devices/disks/"
VMFS = "AA31E02A400F11DB9590000C2911D1B8"
VMFSL = "4EB2EA3978554790A79EFAE495E21F8D"  # ESX-OSData, since 7.0
SECTOR = 512  # of partedUtil, on 4Kn disks too: ESXi emulates it
GPT_TAIL = 34  # sectors behind the last for partitions, at most
ALIGNMENT = 2048  # sectors
SMALLEST = 1300 * 1024 * 1024 // SECTOR  # VMFS 6 needs 1.3 GB


def configure(config, problems):
    """Makes the datastores of a curtin configuration."""
    items = dict((item["id"], item) for item in (config.get("storage") or {}).get("config") or [])
    disks = Disks(config.get("disks") or {}, items)
    wanted = [item for item in (config.get("storage") or {}).get("config") or [] if item.get("type") == "vmfs6"]
    if not wanted:
        _guarded(problems, "datastore1", _default, disks)
    extents = {}
    for number, item in sorted(_pieces(items, wanted, problems), key=lambda piece: piece[:1]):
        _guarded(problems, item["id"], _partition, disks, items, item, number, extents)
    for datastore in wanted:
        _guarded(problems, datastore["name"], _format, datastore, extents)


def _guarded(problems, what, function, *args):
    try:
        function(*args)
    except (esx.Failed, KeyError, ValueError) as err:
        problems.add("storage: %s: %s" % (what, err if isinstance(err, esx.Failed) else repr(err)))


def _pieces(items, wanted, problems):
    """The partitions and whole disks that datastores are made of, with their numbers."""
    for datastore in wanted:
        for name in datastore.get("devices") or []:
            item = items.get(name) or {"type": "nothing"}
            if item["type"] == "partition":
                yield int(item["number"]), item
            elif item["type"] == "disk":
                yield 1, item
            else:
                problems.add("storage: %s: %s is a %s; a datastore is made of disks and partitions, RAID only by a controller"
                             % (datastore["name"], name, item["type"]))


class Disk(object):
    """A disk of this host and its partitions."""

    def __init__(self, name, boot):
        self.path = DISKS + name
        self.boot = boot
        self.table, self.partitions = self.read()
        if not boot:
            # What is there belongs to an earlier life of the machine.
            esx.run("partedUtil", "mklabel", self.path, "gpt")
            self.partitions = {}
        elif self.table != "gpt":
            raise esx.Failed("the boot disk %s has a partition table of type %s" % (name, self.table))
        self.first, self.last = self.usable()
        if boot and self.last + GPT_TAIL < self.sectors:
            # The image's disk was smaller; the hook moves the end of the table, too.
            esx.run("partedUtil", "fixGpt", self.path, stdin="Y\nFix\nFix\n")
            self.first, self.last = self.usable()

    def usable(self):
        """The first and last sector for partitions."""
        first, last = esx.run("partedUtil", "getUsableSectors", self.path).split()[:2]
        return int(first), int(last)

    def read(self):
        """The kind of table, and the first and last sector and type of each partition."""
        self.sectors = 0
        try:
            lines = esx.run("partedUtil", "getptbl", self.path).splitlines()
        except esx.Failed:
            if self.boot:
                raise
            return "unknown", {}
        partitions = {}
        self.sectors = int(lines[1].split()[3])
        for fields in (line.split() for line in lines[2:]):
            if len(fields) >= 5:
                partitions[int(fields[0])] = (int(fields[1]), int(fields[2]), fields[3].upper())
        return lines[0].strip(), partitions

    def add(self, number, size=None):
        """Adds a partition for VMFS behind all that are there; a size of None is the rest."""
        old = self.partitions.get(number)
        if old:
            if old[2] != VMFS:
                raise esx.Failed("partition %d of %s is ESXi's own (%s)" % (number, self.path, old[2]))
            esx.run("partedUtil", "delete", self.path, str(number))
            del self.partitions[number]
        start = max([self.first - 1] + [partition[1] for partition in self.partitions.values()]) + 1
        start = (start + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        end = self.last
        if size is not None:
            end = min(end, start + size // SECTOR - 1)
        if end - start + 1 < SMALLEST:
            raise esx.Failed("%s has %d MiB left; a datastore needs 1.3 GB" % (self.path, max(0, end - start + 1) // 2048))
        esx.run("partedUtil", "add", self.path, "gpt", "%d %d %d %s 0" % (number, start, end, VMFS))
        self.partitions[number] = (start, end, VMFS)
        return "%s:%d" % (self.path, number)


def _default(disks):
    disk = disks.get(None)
    # As the installers number it.
    since7 = any(kind == VMFSL for _, _, kind in disk.partitions.values())
    _make("datastore1", disk.add(8 if since7 else 3))


def _partition(disks, items, item, number, extents):
    whole = item["type"] == "disk"
    disk = disks.get(item if whole else items[item["device"]])
    size = None if whole else int(re.match("[0-9]+", str(item["size"])).group())
    if whole and disk.boot:
        raise esx.Failed("it is the disk with ESXi")
    extents[item["id"]] = disk.add(number, size)


def _format(datastore, extents):
    parts = [extents[name] for name in datastore["devices"] if name in extents]
    if not parts:
        raise esx.Failed("none of its disks and partitions could be used")
    _make(datastore["name"], parts[0])
    for part in parts[1:]:
        # It asks; 0 is yes.
        esx.run("vmkfstools", "--spanfs", part, parts[0], stdin="0\n")
    if len(parts) != len(datastore["devices"]):
        raise esx.Failed("it is smaller than asked for: of %s, only %d could be used" % (datastore["devices"], len(parts)))


def _make(name, partition):
    esx.run("vmkfstools", "--createfs", "vmfs6", "--setfsname", name, partition)


class Disks(object):
    """Finds the disks of the configuration on this host. The hook has written down what
    Linux knew of each: WWN, serial number, model, size."""

    def __init__(self, facts, items):
        self.facts = facts
        self.items = items
        self.found = {}
        self.devices = [
            device for device in esx.records("storage", "core", "device", "list")
            if str(device.get("devfspath", DISKS)).startswith(DISKS) and not _true(device.get("ispseudo"))
        ]

    def get(self, item):
        """The disk of an item of the configuration; of None, the boot disk."""
        if item is None or item.get("grub_device"):
            device, boot = self.boot(), True
        else:
            device, boot = self.find(item), False
            if device == self.boot():
                raise esx.Failed("it is the disk with ESXi, which MAAS does not take for the boot disk")
        if device not in self.found:
            self.found[device] = Disk(device, boot)
        return self.found[device]

    def boot(self):
        for device in self.devices:
            if _true(device.get("isbootdevice")):
                return device["device"]
        # vmkfstools names the partition that a volume is on.
        match = re.search(r"^\s+(\S+):\d+\s*$", esx.run("vmkfstools", "-P", "/bootbank"), re.MULTILINE)
        if not match:
            raise esx.Failed("it is not known which disk ESXi started from")
        return match.group(1)

    def find(self, item):
        facts = dict(self.facts.get(item["id"]) or {})
        facts["serials"] = (facts.get("serials") or []) + [item.get("serial")]
        facts.setdefault("model", item.get("model"))
        for matches in (_same_wwn, _same_serial, _same_size):
            found = sorted(set(device["device"] for device in self.devices if matches(device, facts)))
            if len(found) == 1:
                return found[0]
            if found:
                raise esx.Failed("not clear which of these disks it is: %s" % ", ".join(found))
        raise esx.Failed("this host has no disk like it: %s" % sorted(facts.items()))


def _true(value):
    return str(value).lower() == "true"


def _plain(text):
    return re.sub("[^a-z0-9]", "", str(text or "").lower())


def _same_wwn(device, facts):
    """naa.5000c500a1b2c3d4 is 0x5000c500a1b2c3d4 of Linux, eui.… and uuid.… likewise. The
    names of NVMe disks before 7.0 end with the EUI-64, its last byte first."""
    name = _plain(device["device"].split(".", 1)[-1])
    for wwn in facts.get("wwns") or []:
        digits = _plain(re.sub("^(0x|naa[.]|eui[.]|uuid[.])", "", str(wwn).lower()))
        if digits and name == digits:
            return True
        backwards = "".join(reversed([digits[at:at + 2] for at in range(0, len(digits), 2)]))
        if len(digits) == 16 and name.startswith("nvme") and name.endswith(backwards):
            return True
    return False


def _same_serial(device, facts):
    """The serial number is in the name of a disk without WWN (t10.ATA_____MODEL___SERIAL),
    where a dash is 2D, and in hexadecimal in its other name, vml.…"""
    spelt = [str(serial or "") for serial in facts["serials"]]
    spelt += [serial.replace("-", "2D") for serial in spelt]
    serials = set(serial for serial in map(_plain, spelt) if len(serial) >= 4)
    names = [device["device"]]
    others = device.get("otheruids") or []
    for other in others.split() if isinstance(others, str) else others:
        digits = re.sub("^vml[.]", "", str(other))
        try:
            text = binascii.unhexlify(digits).decode("latin-1")
        except (ValueError, TypeError):
            continue
        names += [text, text[:-6]]  # six letters of the model follow the serial number
    words = set(_plain(word) for name in names for word in re.split("[^A-Za-z0-9-]+", name))
    return bool(serials & words)


def _same_size(device, facts):
    """The size in MiB, where it and the model tell one disk from the others."""
    size = facts.get("size")
    if not size or int(device.get("size") or 0) != int(size) // 1048576:
        return False
    model, ours = _plain(facts.get("model")), _plain(device.get("model"))
    return not model or not ours or model.startswith(ours) or ours.startswith(model)
