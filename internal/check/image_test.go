package check_test

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/check"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/partition"
	"github.com/packer-maas/packer-plugin-maas/internal/facts"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/tree"
)

// img is an image in memory: files by their path, and what is asked of it.
type img struct {
	files  map[string]file
	target check.Target
	disk   *facts.Disk
	facts  func(*facts.Facts) // changes what cannot be said by files
}

// file is a file of an image; without anything, an empty one.
type file struct {
	text     string
	mode     filesystem.Mode // type and permissions; 0 is a plain file
	target   string          // of a symbolic link
	hardLink string
	uid      uint32
	xattr    string
}

type content struct{ *bytes.Reader }

func (content) Segments() []filesystem.Segment { return nil }
func (content) Prefetch(int64, int64)          {}

func (f file) entry(at string) *tree.Entry {
	e := &tree.Entry{Path: at, HardLink: f.hardLink, Inode: filesystem.Inode{
		Mode: f.mode, UID: f.uid, Size: int64(len(f.text)), Target: f.target,
	}}
	switch {
	case f.target != "":
		e.Mode = filesystem.ModeSymlink | 0o777
	case f.mode == 0:
		e.Mode = filesystem.ModeRegular | 0o644
	case f.mode.Type() == 0:
		e.Mode |= filesystem.ModeRegular
	}
	if f.xattr != "" {
		e.Xattrs = []filesystem.Xattr{{Name: f.xattr, Value: []byte("x")}}
	}
	if e.Mode.IsRegular() && f.hardLink == "" {
		e.Data = content{bytes.NewReader([]byte(f.text))}
	}
	return e
}

// collect makes facts of files.
func collect(t testing.TB, files map[string]file) *facts.Tree {
	t.Helper()
	var c facts.Collector
	entries := func(yield func(*tree.Entry, error) bool) {
		for _, at := range slices.Sorted(maps.Keys(files)) {
			if !yield(files[at].entry(at), nil) {
				return
			}
		}
	}
	for _, err := range c.Watch(context.Background(), entries) {
		if err != nil {
			t.Fatal(err)
		}
	}
	return c.Tree(context.Background())
}

func (i img) run(t testing.TB, ignore ...string) []check.Result {
	t.Helper()
	f := &facts.Facts{Disk: i.disk}
	if len(i.files) > 0 {
		f.Tree = collect(t, i.files)
	}
	if i.facts != nil {
		i.facts(f)
	}
	return check.Run(f, i.target, ignore)
}

const (
	program = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00"
	foreign = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
	folder  = filesystem.ModeDir | 0o755
)

// drivers are those that a kernel should have.
var drivers = []string{"nvme", "ahci", "megaraid_sas", "igb"}

// ramdisk is an initial RAM disk with drivers, as Linux unpacks it.
func ramdisk(drivers ...string) string {
	var b strings.Builder
	for _, d := range append(slices.Clone(drivers), "") {
		name := "lib/modules/6.1/kernel/" + d + ".ko"
		if d == "" {
			name = "TRAILER!!!"
		}
		header := "070701" + strings.Repeat("00000000", 11) + hex8(len(name)+1) + "00000000"
		b.WriteString(header + name + strings.Repeat("\x00", 1+(-(len(header)+len(name)+1)&3)))
	}
	return b.String()
}

func hex8(n int) string {
	const digits = "0123456789abcdef"
	return "000000" + string(digits[n>>4&15]) + string(digits[n&15])
}

// linux are the files that all good images have.
func linux(version string) map[string]file {
	files := map[string]file{
		"etc/passwd": {text: "root:x:0:0::/root:/bin/bash\n"}, "etc/shadow": {text: "root:*:19000:0:99999:7:::\ndaemon:!:19000::::::\n"},
		"etc/machine-id": {}, "etc/resolv.conf": {target: "../run/systemd/resolve/stub-resolv.conf"}, "etc/fstab": {text: "# none\n"},
		"usr/bin/bash": {text: program, mode: 0o755}, "usr/bin/cloud-init": {text: "#!/usr/bin/python3\n", mode: 0o755},
		"usr/sbin/sshd": {text: program, mode: 0o755}, "bin": {target: "usr/bin"}, "sbin": {target: "usr/sbin"}, "lib": {target: "usr/lib"},
		"usr/lib/python3/dist-packages/cloudinit/sources/DataSourceMAAS.py": {}, "usr/lib/python3/dist-packages/oauthlib": {mode: folder},
		"etc/systemd/system/cloud-init.target.wants/cloud-init.service": {target: "/usr/lib/systemd/system/cloud-init.service"},
		"etc/cloud/cloud.cfg": {text: "users: [default]\n"}, "boot/vmlinuz-" + version: {text: "MZ"},
		"proc": {mode: folder}, "sys": {mode: folder},
	}
	for _, d := range drivers {
		files["usr/lib/modules/"+version+"/kernel/"+d+".ko.xz"] = file{}
	}
	return files
}

// debian is a good root tarball of Debian.
func debian() img {
	files := linux("6.1.0-1-amd64")
	maps.Copy(files, map[string]file{
		"etc/os-release":   {text: "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=Debian\n"},
		"usr/sbin/netplan": {target: "../share/netplan/netplan.script"}, "usr/share/netplan/netplan.script": {mode: 0o755}, "usr/bin/lsb_release": {mode: 0o755}, "usr/bin/dpkg-query": {text: program, mode: 0o755},
		"boot/initrd.img-6.1.0-1-amd64": {text: ramdisk(drivers...)},
		"curtin/curtin-hooks":           {mode: 0o755, text: "#!/bin/sh\n: kernel builtin_curthooks\n"},
		"etc/default/grub":              {text: "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n"},
		"var/lib/dpkg/status":           {text: dpkg("grub-pc", "grub-efi-amd64", "efibootmgr", "shim-signed", "e2fsprogs")},
	})
	return img{files: files, target: check.Target{Filetype: "tgz", System: "custom", BaseImage: "ubuntu/noble", Architecture: "amd64"}}
}

func dpkg(names ...string) string {
	var b strings.Builder
	for _, name := range names {
		b.WriteString("Package: " + name + "\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n\n")
	}
	return b.String()
}

// rocky is a good root tarball of a system of Red Hat's kind, which curtin
// configures by itself.
func rocky() img {
	files := linux("5.14.0-1.el9.x86_64")
	maps.Copy(files, map[string]file{
		"etc/os-release": {text: "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n"},
		"usr/bin/rpm":    {text: program, mode: 0o755}, "usr/bin/dracut": {mode: 0o755}, "usr/sbin/NetworkManager": {text: program, mode: 0o755},
		"boot/initramfs-5.14.0-1.el9.x86_64.img": {text: ramdisk(drivers...)},
		"boot/efi/EFI/rocky/shimx64.efi":         {text: "MZ"},
		"etc/selinux/config":                     {text: "# labels\nSELINUX=enforcing\n"},
		"usr/bin/newuidmap":                      {mode: 0o755, xattr: "security.capability"},
		"etc/default/grub":                       {text: "GRUB_CMDLINE_LINUX=\"console=ttyS0\"\n"},
	})
	return img{
		files: files, target: check.Target{Filetype: "tgz", System: "custom", BaseImage: "rhel/9", Architecture: "amd64"},
		facts: func(f *facts.Facts) {
			f.Tree.Packages = rpms("kernel", "grub2-pc-modules", "efibootmgr", "grub2-efi-x64", "shim-x64", "e2fsprogs")
		},
	}
}

// disguised is a system that curtin does not know, with a hook that shows it
// another one for the time.
func disguised() img {
	i := rocky()
	i.files["etc/os-release"] = file{text: "ID=\"openEuler\"\nVERSION_ID=\"24.03\"\n"}
	i.files["curtin/curtin-hooks"] = file{mode: 0o755, text: "#!/usr/bin/env python3\nreplace('etc/os-release')\nbuiltin_curthooks()\n"}
	return i
}

func rpms(names ...string) facts.Packages {
	p := facts.Packages{Format: "rpm"}
	for i, name := range names {
		p.List = append(p.List, facts.Package{Name: name, Version: "5.14.0-" + string(rune('1'+i)) + ".el9", Architecture: "x86_64"})
	}
	return p
}

// whole is a good whole disk with Debian.
func whole(t testing.TB) img {
	i := debian()
	i.files["usr/bin/growpart"] = file{mode: 0o755}
	i.files["curtin/curtin-hooks"] = file{mode: 0o755, text: "#!/bin/sh\ntrue\n"}
	i.files["etc/fstab"] = file{text: "UUID=root / ext4 defaults 0 1\nUUID=ABCD-1234 /boot/efi vfat umask=0077 0 1\nUUID=any none swap sw 0 0\n"}
	i.target.Filetype = "ddgz"
	i.disk = &facts.Disk{Size: 8 << 30, Scheme: partition.GPT, BootCode: true, Volumes: []facts.Volume{
		{
			Name: "partition 1", Kind: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", Type: "vfat", UUID: "ABCD-1234", Offset: 1 << 20, Partition: true,
			Files: collect(t, map[string]file{"EFI/BOOT/BOOTX64.EFI": {text: "MZ"}}),
		},
		{Name: "partition 2", Type: "ext4", UUID: "root", Offset: 1 << 30, Partition: true, Files: collect(t, map[string]file{
			"curtin/curtin-hooks": i.files["curtin/curtin-hooks"], "etc": {mode: folder}, "usr": {mode: folder},
		})},
	}}
	return i
}

// windows is a good whole disk with Windows.
func windows(t testing.TB) img {
	return img{target: check.Target{Filetype: "ddgz", System: "windows", Architecture: "amd64"}, disk: &facts.Disk{
		Size: 32 << 30, Scheme: partition.GPT, BootCode: true, Volumes: []facts.Volume{
			{
				Name: "partition 1", Kind: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", Type: "vfat", Partition: true,
				Files: collect(t, map[string]file{"EFI/Boot/bootx64.efi": {text: "MZ"}, "EFI/Microsoft/Boot/BCD": {text: "regf"}}),
			},
			{Name: "partition 4", Type: "ntfs", Offset: 1 << 30, Partition: true, Files: collect(t, map[string]file{
				"curtin/finalize": {text: "#!/bin/bash\n"}, "Windows": {mode: folder},
				"Program Files/Cloudbase Solutions/Cloudbase-Init/conf/cloudbase-init.conf": {text: "[DEFAULT]\nplugins=a,\n  b.UserDataPlugin\n"},
				"Windows/Panther/unattend.xml":                                              {text: "<Value>*SENSITIVE*DATA*DELETED*</Value><ComputerName>*</ComputerName>"},
			}), Registry: facts.Registry{
				`software\microsoft\windows nt\currentversion\winlogon\autoadminlogon`:                    "0",
				`software\microsoft\windows\currentversion\setup\state\imagestate`:                        "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE",
				`system\currentcontrolset\control\terminal server\fdenytsconnections`:                     "1",
				`system\currentcontrolset\control\terminal server\winstations\rdp-tcp\userauthentication`: "0",
				`system\currentcontrolset\control\session manager\power\hiberbootenabled`:                 "1",
				`system\currentcontrolset\control\power\hibernateenabled`:                                 "0",
				`system\currentcontrolset\services\cloudbase-init\start`:                                  "2",
				`sam\sam\domains\account\users\names\administrator\`:                                      "",
			}},
		},
	}}
}
