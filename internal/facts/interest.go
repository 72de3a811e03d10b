package facts

import (
	"path"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/tree"
)

// interest is what is read of a file.
type interest int

const (
	nothing   interest = iota
	text               // all of it, if it is not larger than maxText
	head               // its beginning, which tells the processor it is for
	ramdisk            // an initial RAM disk: which drivers are in it
	installed          // a package database
)

// interesting are the files that are read, by what is read of them. Patterns
// are path.Match's. /lib is usr/lib in most systems, so both are here.
var interesting = map[interest][]string{
	text: {
		"etc/os-release", "usr/lib/os-release", "etc/fstab", "etc/crypttab", "etc/passwd", "etc/shadow", "etc/group",
		"etc/machine-id", "etc/hostname", "etc/resolv.conf", "etc/environment", "etc/sudoers", "etc/sudoers.d/*",
		"etc/default/grub", "etc/default/grub.d/*", "etc/sysconfig/grub", "etc/kernel/cmdline", "usr/lib/kernel/cmdline",
		"boot/loader/entries/*", "boot/grub/grub.cfg", "boot/grub2/grub.cfg", "boot/grub2/grubenv", "boot/efi/EFI/*/grub.cfg",
		"boot/efi/EFI/*/grubenv", "usr/sbin/grub2-mkconfig", "usr/bin/grub2-mkconfig",
		"etc/initramfs-tools/conf.d/*", "etc/dracut.conf.d/*", "etc/mdadm.conf", "etc/mdadm/mdadm.conf", "etc/cloud/cloud.cfg", "etc/cloud/cloud.cfg.d/*", "etc/cloud/ds-identify.cfg",
		"etc/apt/apt.conf", "etc/apt/apt.conf.d/*", "etc/yum.conf", "etc/dnf/dnf.conf", "etc/profile.d/*", "etc/sysconfig/proxy",
		"etc/systemd/system.conf.d/*", "etc/netplan/*", "etc/network/interfaces", "etc/network/interfaces.d/*",
		"etc/sysconfig/network-scripts/ifcfg-*", "etc/sysconfig/network/ifcfg-*", "etc/NetworkManager/system-connections/*",
		"etc/systemd/network/*", "etc/udev/rules.d/*", "etc/selinux/config", "etc/ssh/sshd_config", "etc/ssh/sshd_config.d/*",
		"root/.ssh/authorized_keys", "home/*/.ssh/authorized_keys", "curtin/*", "curtin/*/*.py",
		// Windows's, in lower case, whatever they are called.
		"unattend.xml", "autounattend.xml", "windows/panther/*unattend*.xml", "windows/panther/unattend/*unattend*.xml", "windows/system32/sysprep/*unattend*.xml",
		"windows/setup/state/state.ini", "program files/cloudbase solutions/cloudbase-init/conf/*.conf",
		"usr/lib/modules/*/modules.builtin", "lib/modules/*/modules.builtin",
	},
	head: {
		"bin/sh", "bin/bash", "bin/dash", "usr/bin/sh", "usr/bin/bash", "usr/bin/dash", "usr/bin/busybox", "bin/busybox",
		"usr/lib/systemd/systemd", "lib/systemd/systemd", "sbin/init", "usr/sbin/init",
		"boot/vmlinu*", "boot/Image-*", "boot/efi/EFI/*/*.efi", "boot/efi/EFI/*/*.EFI",
	},
	ramdisk: {"boot/initrd*", "boot/initramfs*"},
	installed: {
		"var/lib/dpkg/status", "var/lib/rpm/rpmdb.sqlite", "var/lib/rpm/rpmdb.sqlite-wal", "var/lib/rpm/Packages", "var/lib/rpm/Packages.db",
		"usr/lib/sysimage/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite-wal", "usr/lib/sysimage/rpm/Packages", "usr/lib/sysimage/rpm/Packages.db",
	},
}

// named are what is looked for wherever it is: a Python module's place depends
// on Python's version.
var named = map[string]bool{"DataSourceMAAS.py": true, "oauthlib": true}

// forgotten are folders with very many files that tell nothing of all this,
// but for the programs that some packages keep there.
var forgotten = []string{"usr/share/", "usr/src/", "usr/include/", "var/cache/"}

// keep says whether a name is worth remembering.
func keep(e *tree.Entry) bool {
	for _, dir := range forgotten {
		if strings.HasPrefix(e.Path, dir) {
			return e.Mode.IsRegular() && e.Mode&0o111 != 0
		}
	}
	return true
}

// pattern is one of the interesting files.
type pattern struct {
	match string
	what  interest
}

// patterns are the interesting files by their folder's first component and how
// deep they are, so that few are tried for each name.
var patterns = func() map[string][]pattern {
	index := map[string][]pattern{}
	for what, list := range interesting {
		for _, match := range list {
			index[bucket(match)] = append(index[bucket(match)], pattern{match, what})
		}
	}
	return index
}()

// bucket is where a path is in the index.
func bucket(at string) string {
	first, _, _ := strings.Cut(at, "/")
	return first + strings.Repeat("/", strings.Count(at, "/"))
}

// interestIn says what is to be read of a file.
func interestIn(at string) interest {
	for _, p := range patterns[bucket(at)] {
		if ok, _ := path.Match(p.match, at); ok {
			return p.what
		}
	}
	if lower := strings.ToLower(at); lower != at {
		return interestIn(lower)
	}
	return nothing
}
