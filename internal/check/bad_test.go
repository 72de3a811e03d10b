package check_test

import (
	"maps"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/partition"
	"github.com/packer-maas/packer-plugin-maas/internal/facts"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

func onDebian(testing.TB) img { return debian() }
func onRocky(testing.TB) img  { return rocky() }

// put adds or replaces files.
func put(files map[string]file) func(*img) {
	return func(i *img) { maps.Copy(i.files, files) }
}

// text replaces one file's content.
func text(at, content string) func(*img) { return put(map[string]file{at: {text: content}}) }

// python is a Python program in the place of a file.
func python(at, program string) func(*img) {
	return put(map[string]file{at: {mode: 0o755, text: "#!/usr/bin/env python3\n" + program}})
}

// without removes files.
func without(names ...string) func(*img) {
	return func(i *img) {
		for _, name := range names {
			delete(i.files, name)
		}
	}
}

// known changes the facts.
func known(change func(*facts.Facts)) func(*img) {
	return func(i *img) {
		before := i.facts
		i.facts = func(f *facts.Facts) {
			if before != nil {
				before(f)
			}
			change(f)
		}
	}
}

func both(changes ...func(*img)) func(*img) {
	return func(i *img) {
		for _, change := range changes {
			change(i)
		}
	}
}

// volume changes a volume of the disk.
func volume(n int, change func(*facts.Volume)) func(*img) {
	return func(i *img) { change(&i.disk.Volumes[n]) }
}

func noFiles(v *facts.Volume) { v.Files, v.Unread = nil, "its file system is not read" }

func own(i *img) {
	i.files["curtin/curtin-hooks"] = file{mode: 0o755, text: "#!/bin/sh\ntrue\n"}
}

var badImages = map[string][]bad{
	"whole":    {{onDebian, known(func(f *facts.Facts) { f.Damage = "gzip: invalid checksum" }), "invalid checksum", nil}},
	"one-disk": {{whole, known(func(f *facts.Facts) { f.Members = 2 }), "2 files", nil}},
	"system-tree": {
		{onDebian, func(i *img) { i.files = map[string]file{"rootfs/etc/passwd": {}} }, `a folder "rootfs"`, nil},
		{onDebian, func(i *img) { i.files = map[string]file{"disk.raw": {}} }, `at the top are "disk.raw"`, nil},
	},
	"inside-root":    {{onDebian, known(func(f *facts.Facts) { f.Tree.Refused = []string{"../x"} }), `"../x"`, nil}},
	"ubuntu-core":    {{onDebian, put(map[string]file{"snaps": {mode: folder}}), "/snaps", nil}},
	"efi-files":      efiFiles,
	"hard-links":     {{onDebian, put(map[string]file{"var/one": {}, "usr/two": {hardLink: "var/one"}}), "/var/one and /usr/two are one file", nil}},
	"kernel-folders": {{onDebian, put(map[string]file{"proc/cpuinfo": {}}), "/proc has 1", nil}},
	"hook-runs": {
		{onDebian, put(map[string]file{"curtin/curtin-hooks": {mode: 0o644, text: "#!/bin/sh\nbuiltin_curthooks kernel\n"}}), "0644", nil},
		{onDebian, put(map[string]file{"curtin/finalize": {mode: folder}}), "not a regular file", []string{"hook-interpreter"}},
	},
	"hook-interpreter": {
		{onDebian, put(map[string]file{"curtin/finalize": {mode: 0o755, text: "#!/bin/sh\r\n"}}), "CRLF", nil},
		{onDebian, put(map[string]file{"curtin/finalize": {mode: 0o755, text: "#!/usr/bin/env python2\n"}}), `"python2"`, nil},
		{onDebian, put(map[string]file{"curtin/finalize": {mode: 0o755, text: "#!/bin/sh\nls\r\n"}}), "Windows line endings", nil},
		{onDebian, put(map[string]file{"curtin/finalize": {mode: 0o755}}), "is empty", nil},
	},
	"hook-syntax": {
		{onDebian, python("curtin/curtin-hooks", "kernel = builtin_curthooks\nif True\n"), "/curtin/curtin-hooks does not compile as Python 3", nil},
		{onDebian, put(map[string]file{"curtin/maas/net.py": {text: "return 1\n"}}), "line 1: 'return' outside function", nil},
		{whole, volume(1, func(v *facts.Volume) { v.Files = pythonVolume }), "/curtin/curtin-hooks does not compile", nil},
	},
	"hook-python":  {{onDebian, python("curtin/curtin-hooks", "kernel = builtin_curthooks\nmatch kernel:\n  case 1: pass\n"), "Python 3.8: line 4: Pattern matching", nil}},
	"disk-hooks":   {{whole, volume(1, func(v *facts.Volume) { v.Files = emptyCurtin }), "no /curtin/curtin-hooks", nil}},
	"os-release":   {{onDebian, text("etc/os-release", "NAME=x\n"), "/etc/os-release", nil}},
	"known-system": {{onDebian, text("etc/os-release", "ID=void\n"), `ID="void"`, nil}},
	"lsb-release": {
		{onDebian, without("usr/bin/lsb_release"), "no lsb_release", nil},
		{onDebian, text("etc/os-release", "ID=debian\n"), "VERSION_ID", nil},
	},
	"kernel-package":  {{onDebian, without("curtin/curtin-hooks"), "linux-generic", nil}},
	"package-manager": {{onDebian, without("usr/bin/dpkg-query"), "dpkg-query", nil}},
	"one-kernel": {
		{onRocky, known(func(f *facts.Facts) {
			f.Tree.Packages = rpms("kernel", "kernel", "grub2-pc", "efibootmgr", "grub2-efi-x64", "shim-x64", "e2fsprogs")
		}), "5.14.0-1.el9 and 5.14.0-2.el9", nil},
		{onRocky, known(func(f *facts.Facts) {
			f.Tree.Packages = rpms("kernel-core", "grub2-pc", "efibootmgr", "grub2-efi-x64", "shim-x64", "e2fsprogs")
		}), "no package is called kernel", nil},
	},
	"dracut":       {{onRocky, without("usr/bin/dracut"), "no dracut", nil}},
	"architecture": {{onDebian, put(map[string]file{"usr/bin/bash": {text: foreign, mode: 0o755}}), "/usr/bin/bash is for arm64", nil}},
	"shell":        {{onDebian, without("usr/bin/bash"), "no bash", nil}},
	"kernel": {
		{onRocky, without("boot/vmlinuz-5.14.0-1.el9.x86_64"), "no kernel", nil},
		{whole, without("boot/vmlinuz-6.1.0-1-amd64"), "no kernel", nil},
	},
	"kernel-fetched": {{onDebian, without("boot/vmlinuz-6.1.0-1-amd64"), "no kernel", nil}},
	"initramfs":      {{whole, without("boot/initrd.img-6.1.0-1-amd64"), "no kernel in /boot has", nil}},
	"kernel-modules": {{onDebian, put(map[string]file{"boot/vmlinuz-7": {text: "MZ"}}), "/lib/modules/7", nil}},
	"kernel-drivers": {{onDebian, without("usr/lib/modules/6.1.0-1-amd64/kernel/nvme.ko.xz"), "NVMe", nil}},
	"initramfs-drivers": {
		{whole, text("boot/initrd.img-6.1.0-1-amd64", ramdisk("virtio_blk", "nvme")), "no driver ahci", nil},
		{onRocky, both(own, text("boot/initramfs-5.14.0-1.el9.x86_64.img", ramdisk("virtio_blk", "ahci")), text("etc/selinux/config", "")), "no driver nvme", nil},
	},
	"boot-packages": {
		{onDebian, text("var/lib/dpkg/status", dpkg("grub-pc", "efibootmgr", "e2fsprogs")), "UEFI, curtin will install grub-efi-amd64, shim-signed", nil},
		{onDebian, text("var/lib/dpkg/status", dpkg("grub-pc", "grub-efi-amd64", "efibootmgr", "shim-signed")), "for ext4", nil},
	},
	"efi-vendor":   {{onRocky, both(without("boot/efi/EFI/rocky/shimx64.efi"), put(map[string]file{"boot/efi/EFI/other/shimx64.efi": {}})), "/boot/efi/EFI/rocky", nil}},
	"selinux":      {{onRocky, own, "no file has a label", nil}},
	"capabilities": {{onRocky, put(map[string]file{"usr/bin/newuidmap": {mode: 0o755}}), "newuidmap", nil}},

	"root-argument": {
		{onDebian, text("etc/default/grub", "GRUB_CMDLINE_LINUX=\"ro root=/dev/mapper/vg-root\"\n"), "root=/dev/mapper/vg-root", nil},
		{onRocky, text("etc/default/grub", "GRUB_CMDLINE_LINUX=\"rootflags=ro,subvol=root\"\n"), "rootflags=ro,subvol=root", nil},
	},
	"boot-entries": {
		{onRocky, text("boot/loader/entries/x.conf", "title root=UUID=1\noptions root=UUID=2 ro\n"), "root=UUID=2", nil},
		{onRocky, text("etc/kernel/cmdline", "root=UUID=2 ro\n"), "/etc/kernel/cmdline", nil},
	},
	"disk-arguments": {
		{onRocky, text("etc/default/grub", "GRUB_CMDLINE_LINUX=\"rd.lvm.lv=rocky/root\"\n"), "rd.lvm.lv=rocky/root", nil},
		{onDebian, text("etc/initramfs-tools/conf.d/resume", "RESUME=UUID=1\n"), "RESUME=UUID=1", nil},
	},
	"default-arguments": {{onDebian, text("etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT='quiet hugepages=4'\n"), `"hugepages=4"`, nil}},

	"cloud-init": {{onDebian, without("usr/bin/cloud-init"), "no cloud-init", nil}},
	"cloud-init-maas": {
		{onDebian, without("usr/lib/python3/dist-packages/oauthlib"), "oauthlib", nil},
		{onDebian, without("usr/lib/python3/dist-packages/cloudinit/sources/DataSourceMAAS.py"), "DataSourceMAAS", nil},
	},
	"cloud-init-on": {
		{onDebian, put(map[string]file{"etc/cloud/cloud-init.disabled": {}}), "/etc/cloud/cloud-init.disabled", nil},
		{onDebian, put(map[string]file{"etc/systemd/system/cloud-final.service": {target: "/dev/null"}}), "cloud-final.service is masked", nil},
		{onDebian, both(without("etc/systemd/system/cloud-init.target.wants/cloud-init.service"), put(map[string]file{"etc/systemd/system/x": {}})), "no service of cloud-init is enabled", nil},
		{onDebian, text("etc/cloud/ds-identify.cfg", "policy: disabled\n"), "policy: disabled", nil},
		{onDebian, text("etc/default/grub", "GRUB_CMDLINE_LINUX=\"cloud-init=disabled\"\n"), "cloud-init=disabled", nil},
	},
	"cloud-init-source": {
		{onDebian, text("etc/cloud/cloud.cfg.d/99_x.cfg", "datasource_list: [ NoCloud, None ]\n"), "NoCloud, None", nil},
		{onDebian, text("etc/cloud/cloud.cfg.d/99_x.cfg", "datasource_list:\n  - NoCloud\n  - None\nother: MAAS\n"), "NoCloud", nil},
	},
	"cloud-init-network": {{onDebian, text("etc/cloud/cloud.cfg.d/99-off.cfg", "network: {config: disabled}\n"), "99-off.cfg", nil}},
	"cloud-init-seed":    {{onDebian, text("var/lib/cloud/seed/nocloud/user-data", "x"), "/var/lib/cloud/seed/nocloud", nil}},
	"cloud-init-state":   {{onDebian, put(map[string]file{"var/lib/cloud/instance": {target: "instances/x"}}), "/var/lib/cloud/instance", nil}},
	"netplan":            {{onDebian, both(without("usr/sbin/netplan"), put(map[string]file{"usr/sbin/ifup": {mode: 0o755}})), "no netplan", nil}},

	"network-renderer": {{onRocky, without("usr/sbin/NetworkManager"), "systemd-networkd is not enabled", nil}},
	"network-leftovers": {
		{onDebian, text("etc/netplan/50-x.yaml", "network:\n"), "/etc/netplan/50-x.yaml", nil},
		{onRocky, text("etc/sysconfig/network-scripts/ifcfg-eth0", "DEVICE=eth0\n"), "ifcfg-eth0", nil},
		{onRocky, text("etc/NetworkManager/system-connections/ens3.nmconnection", "[connection]\ninterface-name=ens3\n"), "ens3.nmconnection", nil},
		{onDebian, text("etc/network/interfaces", "auto lo\niface lo inet loopback\niface ens3 inet dhcp\n"), "iface ens3 inet dhcp", nil},
		{onDebian, text("etc/udev/rules.d/70-persistent-net.rules", "x"), "70-persistent-net.rules", nil},
	},
	"resolv-conf": {{onDebian, text("etc/resolv.conf", "nameserver 10.0.2.3\n"), "10.0.2.3", nil}},
	"proxy": {
		{onDebian, text("etc/apt/apt.conf.d/01proxy", "Acquire::http::Proxy \"http://10.0.2.2:8000\";\n"), "01proxy", nil},
		{onRocky, text("etc/dnf/dnf.conf", "[main]\nproxy=http://x:3128\n"), "proxy=http://x:3128", nil},
		{onDebian, text("etc/environment", "http_proxy=\"http://x\"\n"), "/etc/environment", nil},
	},
	"ssh-server": {{onDebian, without("usr/sbin/sshd"), "no ssh server", nil}},

	"machine-id":    {{onDebian, text("etc/machine-id", "0123456789abcdef0123456789abcdef\n"), "/etc/machine-id", nil}},
	"ssh-host-keys": {{onDebian, text("etc/ssh/ssh_host_rsa_key", "x"), "/etc/ssh/ssh_host_rsa_key", nil}},
	"random-seed":   {{onDebian, text("var/lib/systemd/random-seed", "x"), "/var/lib/systemd/random-seed", nil}},
	"subscription":  {{onRocky, text("etc/pki/consumer/cert.pem", "x"), "/etc/pki/consumer/cert.pem", nil}},

	"passwords": {
		{onDebian, text("etc/shadow", "root:$6$salt$hash:19000::::::\n"), `"root" has a password`, nil},
		{onDebian, text("etc/shadow", "old:abJnggxhB/yWI:19000::::::\n"), `"old" has a password`, nil},
	},
	"empty-passwords":       {{onDebian, text("etc/shadow", "root::19000::::::\n"), `"root" has an empty password`, nil}},
	"sudo-without-password": {{onDebian, text("etc/sudoers.d/90-x", "packer ALL=(ALL) NOPASSWD:ALL\n"), "packer ALL", nil}},
	"authorized-keys":       {{onDebian, text("home/me/.ssh/authorized_keys", "# x\nssh-ed25519 AAAA\n"), "/home/me/.ssh/authorized_keys has 1", nil}},
	"build-account":         {{onDebian, text("etc/passwd", "packer:x:1000:1000::/home/packer:/bin/bash\n"), `"packer"`, nil}},
	"root-login": {{onDebian, both(text("etc/shadow", "root:$6$salt$hash:19000::::::\n"),
		text("etc/ssh/sshd_config", "#PermitRootLogin yes\nPermitRootLogin yes\n")), `"PermitRootLogin yes"`, []string{"passwords"}}},
	"leftovers": {{onRocky, text("root/anaconda-ks.cfg", "rootpw x\n"), "/root/anaconda-ks.cfg", nil}},

	"partitions":              {{whole, func(i *img) { i.disk.Scheme = partition.None }, "no partition table", nil}},
	"installer-folder":        {{whole, volume(1, func(v *facts.Volume) { v.Files = noCurtin }), "no partition has a folder /curtin", []string{"disk-hooks"}}},
	"installer-folder-unseen": {{whole, both(without("etc/passwd", "etc/fstab"), volume(1, noFiles)), "partition 2 (ext4)", []string{"disk-hooks"}}},
	"one-installer-folder":    {{whole, volume(0, func(v *facts.Volume) { v.Files = emptyCurtin }), "partition 1 and partition 2", []string{"efi-fallback"}}},
	"sector-size":             {{whole, func(i *img) { i.disk.Sector = 4096 }, "sectors of 4096 bytes", nil}},
	"mountable":               {{whole, volume(1, func(v *facts.Volume) { v.Type, v.Linux = "xfs", [2]int{5, 19} }), "partition 2 (xfs) is for Linux 5.19 and later, and Ubuntu 20.04 or 22.04", nil}},
	"bootable":                {{whole, func(i *img) { i.disk.BootCode, i.disk.Volumes[0].Kind = false, "" }, "no EFI system partition", nil}},
	"uefi":                    {{whole, volume(0, func(v *facts.Volume) { v.Kind = "" }), "no EFI system partition", nil}},
	"efi-fallback": {
		{whole, volume(0, func(v *facts.Volume) { v.Files = noCurtin }), `\EFI\BOOT\BOOTX64.EFI`, nil},
		{whole, func(i *img) {
			i.target.Architecture = "arm64"
			i.files["usr/bin/bash"] = file{text: foreign, mode: 0o755}
			i.files["usr/sbin/sshd"] = file{mode: 0o755}
		}, "BOOTAA64.EFI", nil},
	},
	"growable": {
		{whole, without("usr/bin/growpart"), "no growpart", nil},
		{whole, func(i *img) { i.disk.Volumes[0].Offset = 2 << 30 }, "but partition 1 (vfat)", nil},
	},
	"disk-size": {{whole, func(i *img) { i.disk.Size = 200 << 30 }, "200 GiB", nil}},
}

var efiFiles = []bad{
	{onRocky, put(map[string]file{"boot/efi/x": {target: "y"}}), "/boot/efi/x is a symbolic link", nil},
	{onRocky, put(map[string]file{"boot/efi/x": {hardLink: "boot/efi/EFI/rocky/shimx64.efi"}}), "is a hard link", nil},
	{onRocky, put(map[string]file{"boot/efi/x": {uid: 1000}}), "belongs to 1000:0", nil},
	{onRocky, put(map[string]file{"boot/efi/x:y": {}}), "FAT cannot hold", nil},
	{onRocky, put(map[string]file{"boot/efi/x": {mode: filesystem.ModeFIFO}}), "neither a file", nil},
}

// Volumes that are not as they should be; made without a test to fail.
var (
	emptyCurtin  = volumeFiles(map[string]file{"curtin": {mode: folder}, "etc": {mode: folder}})
	pythonVolume = volumeFiles(map[string]file{
		"curtin/curtin-hooks": {mode: 0o755, text: "#!/usr/bin/python3\ndef f(:\n"}, "etc": {mode: folder}, "usr": {mode: folder},
	})
	noCurtin = volumeFiles(map[string]file{"etc": {mode: folder}})
)

func volumeFiles(files map[string]file) *facts.Tree { return collect(&testing.B{}, files) }
