package check

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/facts"
)

// efiFolders are where curtin looks for a system's boot loader on the EFI
// system partition, by the system's ID.
var efiFolders = map[string]string{"rhel": "redhat", "ol": "redhat", "sles": "sles", "opensuse-leap": "opensuse"}

var bootChecks = []Check{
	{
		"kernel", Error, linux, func(s *subject) []string {
			elsewhere := s.existing("boot/vmlinuz", "boot/*/*/linux", "efi/*/*/linux", "boot/efi/*/*/linux",
				"boot/EFI/Linux/*.efi", "efi/EFI/Linux/*.efi", "boot/efi/EFI/Linux/*.efi")
			return one(len(s.Tree.Kernels()) == 0 && !s.fetchesKernel() && len(elsewhere) == 0, "there is no kernel in /boot")
		},
		"install the kernel's package, and see that /boot is not left out by skip_mounts or a missing line in fstab",
		"nothing installs one at deployment: the machine does not start",
		"curtin, curtin/commands/curthooks.py",
	}, {
		"kernel-fetched", Warning, unpacked, func(s *subject) []string {
			return one(s.fetchesKernel() && len(s.Tree.Kernels()) == 0, "there is no kernel in /boot")
		},
		"install the kernel's package in the build, if machines are deployed without a network",
		"curtin installs one at deployment, from the package mirror",
		"curtin, curtin/commands/curthooks.py, install_kernel",
	}, {
		"initramfs", Error, linux, func(s *subject) []string {
			kernels := s.Tree.Kernels()
			with := slices.ContainsFunc(kernels, func(k facts.Kernel) bool { return k.Initramfs != "" })
			return one(len(kernels) > 0 && !with && !s.makesInitramfs(), "no kernel in /boot has an initial RAM disk")
		},
		"make it: update-initramfs -c -k all, or dracut --regenerate-all",
		"the kernel finds no root file system: the machine does not start",
		"the boot loaders' configurations name it",
	}, {
		"kernel-modules", Error, linux, func(s *subject) []string {
			var found []string
			for _, k := range s.Tree.Kernels() {
				numbered := k.Version[0] >= '0' && k.Version[0] <= '9' // others do not tell their version
				if numbered && !s.Tree.HasModules(k.Version) {
					found = append(found, fmt.Sprintf("/%s has no modules in /lib/modules/%s", k.Path, k.Version))
				}
			}
			return found
		},
		"install the modules of that version, or remove the kernel",
		"the kernel that is started has no drivers: no network, no disks",
		"depmod(8)",
	}, {
		"kernel-drivers", Warning, linux, func(s *subject) []string {
			return s.missingDrivers(func(k facts.Kernel, driver string) bool { return s.Tree.HasDriver(k.Version, driver) })
		},
		"install the kernel for all machines, not the one for clouds: linux-image-amd64, linux-generic, kernel",
		"machines with such disks, controllers or network cards cannot be deployed",
		"the drivers' names in Linux",
	}, {
		"initramfs-drivers", Error, linux, checkRamdiskDrivers,
		"have the build make it for every machine: MODULES=most for Debian, dracut --no-hostonly for the others",
		"it was made for the virtual machine of the build, and nothing makes it again at deployment: real machines do not find their disks",
		"dracut(8), initramfs.conf(5)",
	}, {
		"boot-packages", Warning, unpacked, checkBootPackages,
		"install them in the build",
		"curtin fetches them at deployment, from the image's own package sources: without a network or a subscription, the deployment fails",
		"curtin, curtin/commands/curthooks.py, install_missing_packages",
	}, {
		"efi-vendor", Error, unpacked, checkVendor,
		"keep the boot loader in the folder that curtin looks into, or bring curtin-hooks",
		"on machines that start by UEFI, curtin does not find the boot loader, and the deployment fails",
		"curtin, curtin/commands/install_grub.py",
	}, {
		"selinux", Error, unpacked, func(s *subject) []string {
			enforcing := slices.Contains(lines(s.Tree.Text("etc/selinux/config")), "SELINUX=enforcing")
			relabels := s.disguised() || s.builtin() && s.family() == "redhat" || s.hookDoes("autorelabel") || s.Tree.Exists(".autorelabel")
			return one(enforcing && s.Tree.Labels == 0 && !relabels, "SELinux is enforcing, and no file has a label")
		},
		"make the tar with --xattrs --xattrs-include='*', or leave a file /.autorelabel",
		"the system denies its own services what they need: it does not start, or nobody can log in",
		"curtin touches /.autorelabel only where it configures the system itself",
	}, {
		"capabilities", Warning, unpacked, checkCapabilities,
		"make the tar with --xattrs --xattrs-include='*'",
		"programs that need them fail for everybody but root",
		"capabilities(7); curtin restores SCHILY.xattr records alone",
	},
}

// fetchesKernel says whether curtin installs a kernel's package by itself.
func (s *subject) fetchesKernel() bool { return s.Disk == nil && s.onDebian() }

// makesInitramfs says whether the initial RAM disk is made again at deployment.
func (s *subject) makesInitramfs() bool {
	byCurtin := s.Disk == nil && (s.disguised() || s.builtin() && (s.family() == "debian" || s.family() == "redhat"))
	return byCurtin || s.hookDoes("dracut", "update-initramfs", "mkinitrd", "mkinitcpio")
}

// drivers are those of common machines: one of each kind has to be there.
var drivers = []struct {
	what string
	any  []string
}{
	{"NVMe disks", []string{"nvme"}},
	{"SATA disks", []string{"ahci"}},
	{"SAS and RAID controllers", []string{"megaraid_sas", "mpt3sas", "smartpqi", "hpsa", "aacraid"}},
	{"network cards", []string{"igb", "ixgbe", "i40e", "ice", "tg3", "bnxt_en", "mlx5_core", "e1000e"}},
}

// missingDrivers says what no kernel has a driver for.
func (s *subject) missingDrivers(has func(facts.Kernel, string) bool) []string {
	var found []string
	for _, k := range s.Tree.Kernels() {
		if !s.Tree.HasModules(k.Version) {
			continue // a check of its own
		}
		for _, d := range drivers {
			if !slices.ContainsFunc(d.any, func(driver string) bool { return has(k, driver) }) {
				found = append(found, fmt.Sprintf("/%s has no driver for %s (%s)", k.Path, d.what, strings.Join(d.any, ", ")))
			}
		}
	}
	return found
}

func checkRamdiskDrivers(s *subject) []string {
	if s.makesInitramfs() {
		return nil
	}
	var found []string
	for _, k := range s.Tree.Kernels() {
		for _, driver := range []string{"nvme", "ahci"} {
			// What the kernel does not have at all is another check's.
			has, known := s.Tree.InitramfsHas(k, driver)
			if known && !has && s.Tree.HasDriver(k.Version, driver) {
				found = append(found, fmt.Sprintf("/%s has no driver %s", k.Initramfs, driver))
			}
		}
	}
	return found
}

// What packages are for.
const (
	forBIOS = "machines that start by BIOS"
	forUEFI = "machines that start by UEFI"
	forRoot = "ext4, which MAAS makes unless it is told otherwise"
)

// neededPackages are what curtin wants, by family; of each list, one is enough.
var neededPackages = map[string][]struct {
	purpose  string
	packages [][]string
}{
	"debian": {
		{forBIOS, [][]string{{"grub-pc"}}},
		{forUEFI, [][]string{{"efibootmgr"}, {"grub-efi-amd64", "grub-efi-arm64"}, {"shim-signed"}}},
		{forRoot, [][]string{{"e2fsprogs"}}},
	},
	"redhat": {
		{forBIOS, [][]string{{"grub2-pc-modules", "grub2-pc"}}},
		{forUEFI, [][]string{{"efibootmgr"}, {"grub2-efi-x64", "grub2-efi-aa64"}, {"shim-x64", "shim-aa64"}}},
		{forRoot, [][]string{{"e2fsprogs"}}},
	},
	"suse": {
		{forUEFI, [][]string{{"efibootmgr"}, {"grub2-x86_64-efi", "grub2-arm64-efi"}}},
		{forRoot, [][]string{{"e2fsprogs"}}},
	},
}

func checkBootPackages(s *subject) []string {
	if !s.builtin() || len(s.Tree.Packages.List) == 0 {
		return nil
	}
	var found []string
	for _, b := range neededPackages[s.family()] {
		if b.purpose == forBIOS && s.Architecture != "" && s.Architecture != "amd64" {
			continue
		}
		var missing []string
		for _, any := range b.packages {
			if !s.Tree.Packages.Has(any...) {
				missing = append(missing, any[0])
			}
		}
		if len(missing) > 0 {
			found = append(found, fmt.Sprintf("for %s, curtin will install %s", b.purpose, strings.Join(missing, ", ")))
		}
	}
	return found
}

func checkVendor(s *subject) []string {
	if s.family() != "redhat" || s.hook.Path != "" {
		return nil
	}
	var loaders, folders []string
	for _, at := range s.Tree.Glob("boot/efi/EFI/*/*.efi") {
		folder, name := path.Base(path.Dir(at)), strings.ToLower(path.Base(at))
		if strings.EqualFold(folder, "BOOT") || !strings.HasPrefix(name, "shim") && !strings.HasPrefix(name, "grub") {
			continue
		}
		loaders = append(loaders, at)
		folders = append(folders, folder)
	}
	want := s.efiFolder()
	return one(len(loaders) > 0 && !slices.Contains(folders, want) && len(s.Tree.Glob("boot/efi/EFI/BOOT/BOOT*.EFI")) == 0,
		fmt.Sprintf("the boot loader is /%s, and curtin looks into /boot/efi/EFI/%s", first(loaders), want))
}

// efiFolder is the folder of the system's boot loader for curtin.
func (s *subject) efiFolder() string {
	id := s.Tree.Release["ID"]
	return or(efiFolders[id], id)
}

func first(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

// checkCapabilities looks at a program that each system of a kind installs with
// a capability.
func checkCapabilities(s *subject) []string {
	if len(s.Tree.Capable) > 0 || s.family() != "redhat" {
		return nil
	}
	at, f, ok := s.Tree.Lookup("usr/bin/newuidmap")
	return one(ok && f.Mode&0o6000 == 0, "no file has a capability, not even /"+at)
}
