package check

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	// deviceRoot is a root device by a name that another machine's disk does not
	// have.
	deviceRoot = regexp.MustCompile(`(^|[\s"'=])root=/dev/(vd|sd|hd|xvd|nvme)\S*`)
	// mounts is a line of fstab for a file system of a disk.
	mounts = regexp.MustCompile(`^(UUID=|LABEL=|PARTUUID=|PARTLABEL=|/dev/)\S+\s+/`)
)

var storageChecks = []Check{
	{
		"device-names", Error, disk, func(s *subject) []string {
			if s.Tree == nil {
				return nil
			}
			found := s.matching(regexp.MustCompile(`^/dev/(vd|sd|hd|xvd|nvme)`), "etc/fstab", "etc/crypttab")
			found = append(found, s.matching(deviceRoot, append([]string{"etc/kernel/cmdline", "boot/loader/entries/*.conf", "boot/grub/grub.cfg", "boot/grub2/grub.cfg", "boot/efi/EFI/*/grub.cfg"}, grubDefaults...)...)...)
			return found
		},
		"name file systems by UUID= or LABEL=",
		"the disk of a machine has another name than that of the build: the system does not find its file systems",
		"fstab(5)",
	}, {
		"fstab", Error, disk, checkFstab,
		"correct the line, or give it the option nofail",
		"the file system is not on the disk: the system stops in an emergency shell",
		"systemd.mount(5), fstab(5)",
	}, {
		"fstab-kept", Warning, unpacked, func(s *subject) []string {
			if s.builtin() || s.hookDoes("fstab", "FSTAB") {
				return nil
			}
			return s.matching(mounts, "etc/fstab")
		},
		"have the curtin-hooks write it: curtin gives them the new one as OUTPUT_FSTAB",
		"the hooks of the image do not touch it, and it names file systems of the build's disk",
		"curtin, curtin/commands/curthooks.py, copy_fstab",
	}, {
		"crypttab", Warning, unpacked, func(s *subject) []string {
			return s.matching(regexp.MustCompile(`^\S+\s+(UUID=|/dev/)`), "etc/crypttab")
		},
		"remove the lines in the build",
		"they name volumes of the build's disk, for which each start waits",
		"crypttab(5)",
	}, {
		"lvm-devices", Warning, unpacked, func(s *subject) []string {
			return s.existing("etc/lvm/devices/*.devices")
		},
		"remove the file in the build: rm -f /etc/lvm/devices/system.devices",
		"LVM looks at no other disks than those that are listed there, which are the build's: volumes that MAAS made for /home or /var are not found",
		"lvmdevices(8)",
	}, {
		"raid-names", Warning, unpacked, func(s *subject) []string {
			return s.matching(regexp.MustCompile(`(?i)^ARRAY\s.*\bUUID=`), "etc/mdadm.conf", "etc/mdadm/mdadm.conf")
		},
		"remove the lines that begin with ARRAY in the build",
		"they name arrays of the build's disks, for which the system looks at each start; curtin replaces the file on machines with RAID alone",
		"mdadm.conf(5); curtin, curtin/commands/curthooks.py, copy_mdadm_conf",
	}, {
		"in-memory", Error, tarball | disk, checkInMemory,
		"make a tgz or txz, and leave no line for a disk in its /etc/fstab; or do without in_memory",
		"MAAS unpacks the tarball into the machine's memory, and curtin does not run: what fstab names is not there, and the system stops in an emergency shell",
		"MAAS 3.5, maasserver/utils/osystems.py",
	},
}

// checkInMemory is for images that are to be deployed into memory.
func checkInMemory(s *subject) []string {
	if !s.InMemory {
		return nil
	}
	found := one(s.Filetype != "tgz" && s.Filetype != "txz", "MAAS does not offer to deploy a "+s.Filetype+" into memory")
	if s.Tree == nil || !s.isSystem() || s.Disk != nil {
		return found
	}
	_, init, ok := s.Tree.Lookup("sbin/init")
	found = append(found, one(!ok || init.Mode&0o111 == 0, "there is no /sbin/init to start")...)
	for _, line := range s.matching(mounts, "etc/fstab") {
		if !strings.Contains(line, "nofail") && !strings.Contains(line, "noauto") {
			found = append(found, line)
		}
	}
	return found
}

func checkFstab(s *subject) []string {
	if s.Tree == nil {
		return nil
	}
	known := map[string]bool{}
	for _, v := range s.Disk.Volumes {
		for key, value := range map[string]string{"UUID": v.UUID, "LABEL": v.Label, "PARTUUID": v.PartUUID, "PARTLABEL": v.PartLabel} {
			known[key+"="+strings.ToLower(value)] = true
		}
	}
	if len(s.unread()) > 0 {
		return nil // their UUIDs are not known
	}
	var found []string
	for _, line := range lines(s.Tree.Text("etc/fstab")) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[2] == "swap" || strings.Contains(fields[3], "nofail") || strings.Contains(fields[3], "noauto") {
			continue
		}
		key, value, ok := strings.Cut(strings.ReplaceAll(fields[0], `"`, ""), "=")
		if ok && !strings.Contains(key, "/") && !known[key+"="+strings.ToLower(value)] {
			found = append(found, fmt.Sprintf("/etc/fstab mounts %s, which is not on the disk", fields[0]))
		}
	}
	return found
}
