package check

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/partition"
	"github.com/packer-maas/packer-plugin-maas/internal/facts"
)

// largeDisk is what the disks of many servers do not have, in bytes.
const largeDisk = 100 << 30

var diskChecks = []Check{
	{
		"partitions", Error, disk, func(s *subject) []string {
			return one(s.Disk.Scheme == partition.None, "the disk has no partition table")
		},
		"give the disk a partition table, or make a tgz of the system",
		"curtin looks for the system on partitions alone, and the deployment fails",
		"curtin, curtin/block/__init__.py, get_root_device; tried",
	}, {
		"sector-size", Warning, disk, func(s *subject) []string {
			return one(s.Disk.Sector > 512, fmt.Sprintf("the partition table counts in sectors of %d bytes", s.Disk.Sector))
		},
		"build on a disk with sectors of 512 bytes, unless all machines have disks like this one",
		"on a disk with sectors of 512 bytes, as nearly all show them, neither firmware nor Linux finds the partitions",
		"UEFI Specification, 5.3",
	}, {
		"installer-folder", Error, disk, func(s *subject) []string {
			return one(len(s.installers()) == 0 && len(s.unread()) == 0, "no partition has a folder /curtin")
		},
		"have the build make one, on the partition with the system; on FAT and NTFS, curtin_hooks makes it",
		"curtin finds the system by it: \"Did not find any filesystem\", and the deployment fails",
		"curtin, curtin/block/__init__.py, get_root_device; tried",
	}, {
		"installer-folder-unseen", Warning, disk, func(s *subject) []string {
			return one(len(s.installers()) == 0 && len(s.unread()) > 0, "there is no folder /curtin on the partitions that can be read here, and "+strings.Join(s.unread(), ", ")+" cannot be")
		},
		"see that the build makes one",
		"curtin finds the system by it: \"Did not find any filesystem\", and the deployment fails",
		"curtin, curtin/block/__init__.py, get_root_device; tried",
	}, {
		"one-installer-folder", Warning, disk, func(s *subject) []string {
			found := s.installers()
			return one(len(found) > 1, strings.Join(found, " and ")+" have a folder by which curtin knows the system")
		},
		"keep one of them",
		"curtin takes the last one",
		"curtin, curtin/block/__init__.py, get_root_device; tried",
	}, {
		"mountable", Warning, disk, checkMountable,
		"make the file system without its newest features, as mkfs.xfs -i nrext64=0 -m bigtime=0,inobtcount=0 does, or have MAAS deploy with a newer Ubuntu",
		"curtin, in the Ubuntu that deploys, cannot mount it: \"Did not find any filesystem\", and the deployment fails",
		"xfs(5); curtin, curtin/block/__init__.py, get_root_device; the kernels that these Ubuntus came with",
	}, {
		"bootable", Error, disk, func(s *subject) []string {
			esp := slices.ContainsFunc(s.Disk.Volumes, facts.Volume.IsESP)
			return one(!esp && !s.Disk.BootCode, "there is no EFI system partition, and no program in the first sector")
		},
		"have the build install a boot loader",
		"neither UEFI nor a BIOS finds anything to start",
		"UEFI Specification, 13.3; PC BIOS",
	}, {
		"efi-fallback", Error, disk, checkFallback,
		"copy the boot loader there in the build: grub-install --removable, or shim as BOOTX64.EFI with grubx64.efi beside it",
		"curtin makes no boot entry in the firmware for a whole disk, and the firmware tries that file alone: machines that start by UEFI do not",
		"UEFI Specification, 3.5.1.1",
	}, {
		"uefi", Warning, disk, func(s *subject) []string {
			esp := slices.ContainsFunc(s.Disk.Volumes, facts.Volume.IsESP)
			return one(!esp && s.Disk.BootCode && s.Disk.Scheme != partition.None, "there is no EFI system partition")
		},
		"give the disk one, if it is for machines that start by UEFI",
		"only machines that start as a BIOS do can be deployed",
		"UEFI Specification, 13.3",
	}, {
		"growable", Warning, disk, checkGrowable,
		"install growpart (cloud-guest-utils, cloud-utils-growpart) and put the root's partition last",
		"the system stays as small as the image on a larger disk",
		"cloud-init's module growpart; tried: curtin grows nothing of a whole disk",
	}, {
		"disk-size", Warning, disk, func(s *subject) []string {
			return one(s.Disk.Size > largeDisk, fmt.Sprintf("the disk has %d GiB", s.Disk.Size>>30))
		},
		"build on a smaller disk, and let the system grow at its first start",
		"machines with a smaller disk cannot be deployed: dd ends with \"No space left on device\"",
		"curtin, curtin/commands/block_meta.py, write_image_to_disk",
	},
}

// ubuntus are those that MAAS deploys with, and the Linux that each came with.
var ubuntus = []struct {
	name  string
	linux [2]int
}{{"20.04", [2]int{5, 4}}, {"22.04", [2]int{5, 15}}, {"24.04", [2]int{6, 8}}}

func checkMountable(s *subject) []string {
	var found []string
	for _, v := range s.Disk.Volumes {
		if v.Installer() == "" {
			continue // curtin mounts no other
		}
		var old []string
		for _, u := range ubuntus {
			if slices.Compare(u.linux[:], v.Linux[:]) < 0 {
				old = append(old, u.name)
			}
		}
		if len(old) > 0 {
			found = append(found, fmt.Sprintf("%s (%s) is for Linux %d.%d and later, and Ubuntu %s came with an older one",
				v.Name, v.Type, v.Linux[0], v.Linux[1], strings.Join(old, " or ")))
		}
	}
	return found
}

// installers are the volumes that curtin would take.
func (s *subject) installers() []string {
	var found []string
	for _, v := range s.Disk.Volumes {
		if v.Installer() != "" && v.Name != "the whole disk" {
			found = append(found, v.Name)
		}
	}
	return found
}

// unread are the volumes that may have what was not found.
func (s *subject) unread() []string {
	known := []string{"", "swap"}
	if slices.ContainsFunc(s.Disk.Volumes, func(v facts.Volume) bool { return !v.Partition }) {
		known = append(known, "LVM2_member", "linux_raid_member") // what is on them is listed, too
	}
	var found []string
	for _, v := range s.Disk.Volumes {
		if v.Unread != "" && !slices.Contains(known, v.Type) {
			found = append(found, fmt.Sprintf("%s (%s)", v.Name, v.Type))
		}
	}
	return found
}

// fallbacks are the names that firmware tries, by MAAS's architectures.
var fallbacks = map[string]string{"amd64": "BOOTX64.EFI", "arm64": "BOOTAA64.EFI", "riscv64": "BOOTRISCV64.EFI"}

func checkFallback(s *subject) []string {
	if s.hookDoes("efibootmgr", "builtin_curthooks") {
		return nil
	}
	var found []string
	for _, v := range s.Disk.Volumes {
		if !v.IsESP() {
			continue
		}
		if v.Files == nil {
			return nil // not known
		}
		for _, name := range loaders(v.Files) {
			if want := fallbacks[s.Architecture]; strings.EqualFold(name, want) || want == "" {
				return nil
			}
		}
		found = append(found, fmt.Sprintf("%s has no \\EFI\\BOOT\\%s", v.Name, or(fallbacks[s.Architecture], "BOOTX64.EFI")))
	}
	return found
}

// loaders are the names of what firmware starts by itself.
func loaders(esp *facts.Tree) []string {
	var names []string
	for _, dir := range esp.Glob("*/*") {
		if !strings.EqualFold(dir, "EFI/BOOT") {
			continue
		}
		for _, name := range esp.Names(dir) {
			if ok, _ := path.Match("BOOT*.EFI", strings.ToUpper(name)); ok {
				names = append(names, name)
			}
		}
	}
	return names
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func checkGrowable(s *subject) []string {
	if s.Tree == nil || !s.isSystem() || s.hookDoes("growpart", "resize2fs", "xfs_growfs", "sfdisk", "sgdisk") {
		return nil
	}
	found := one(!s.has("growpart"), "there is no growpart")
	last := facts.Volume{}
	for _, v := range s.Disk.Volumes {
		if v.Partition && v.Offset > last.Offset {
			last = v
		}
	}
	isRoot := last.Files != nil && last.Files.IsFolder("etc") || last.Type == "LVM2_member" || last.Unread != ""
	return append(found, one(last.Partition && !isRoot, fmt.Sprintf("the last partition is not the system's, but %s (%s)", last.Name, last.Type))...)
}
