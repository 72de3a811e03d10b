package check_test

import (
	"maps"
)

func init() { maps.Copy(badImages, badStorage) }

// guarded is what Enterprise Linux's grub2-mkconfig has in it since release 9.
const guarded = "gettext_printf \"will overwrite the GRUB wrapper\"\n"

// stub is what its installer puts onto the EFI system partition.
const stub = "search --no-floppy --root-dev-only --fs-uuid --set=dev 1\nset prefix=($dev)/grub2\nconfigfile $prefix/grub.cfg\n"

func inMemory(i *img) { i.target.InMemory = true }

var badStorage = map[string][]bad{
	"grub-wrapper": {{onRocky, both(text("usr/sbin/grub2-mkconfig", guarded), text("boot/efi/EFI/rocky/grub.cfg", stub)), "/boot/efi/EFI/rocky/grub.cfg leads to another", nil}},
	"boot-menu-kept": {
		{onDebian, both(own, text("boot/grub/grub.cfg", "set root='hd0,gpt2'\nlinux /vmlinuz root=UUID=2 ro\n")), `/boot/grub/grub.cfg has "root=UUID=2"`, nil},
		{onDebian, both(own, text("boot/grub2/grubenv", "kernelopts=root=/dev/mapper/rl-root ro\n")), "root=/dev/mapper/rl-root", nil},
	},
	"device-names": {
		{whole, text("etc/fstab", "/dev/vda2 / ext4 defaults 0 1\n"), "/dev/vda2", nil},
		{whole, text("boot/grub/grub.cfg", "linux /vmlinuz root=/dev/sda1 ro\n"), "root=/dev/sda1", nil},
	},
	"fstab":       {{whole, text("etc/fstab", "UUID=root / ext4 defaults 0 1\nUUID=gone /data xfs defaults 0 2\nUUID=maybe /x xfs nofail 0 2\n"), "UUID=gone", nil}},
	"fstab-kept":  {{onDebian, both(own, text("etc/fstab", "UUID=root / ext4 defaults 0 1\n")), "UUID=root", nil}},
	"crypttab":    {{onDebian, text("etc/crypttab", "luks UUID=1 none luks\n"), "luks UUID=1", nil}},
	"lvm-devices": {{onRocky, text("etc/lvm/devices/system.devices", "IDTYPE=devname IDNAME=/dev/vda3\n"), "/etc/lvm/devices/system.devices", nil}},
	"raid-names":  {{onDebian, text("etc/mdadm/mdadm.conf", "HOMEHOST <system>\nARRAY /dev/md/0 metadata=1.2 UUID=1:2:3:4\n"), "ARRAY /dev/md/0", nil}},
	"in-memory": {
		{whole, inMemory, "MAAS does not offer to deploy a ddgz", nil},
		{onDebian, both(inMemory, put(map[string]file{"usr/sbin/init": initProgram}), text("etc/fstab", "UUID=root / ext4 defaults 0 1\nUUID=x /data ext4 nofail 0 2\n")), "UUID=root", nil},
		{onDebian, inMemory, "no /sbin/init", nil},
	},
}

var initProgram = file{text: program, mode: 0o755}

// What curtin puts its own in place of is no finding, nor is what a system
// brings by itself.
var unsuspicious = map[string]func(*img){
	"the installer's defaults":                 text("etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=\"splash=silent resume=/dev/disk/by-uuid/1 root=UUID=1 mitigations=auto quiet\"\n"),
	"arguments that stay":                      text("etc/default/grub.d/50-x.cfg", "GRUB_CMDLINE_LINUX_DEFAULT=\"hugepages=4\"\n"),
	"no proxy":                                 text("etc/sysconfig/proxy", "PROXY_ENABLED=\"no\"\nHTTP_PROXY=\"\"\nHTTPS_PROXY=''\nhttp_proxy=\"$HTTP_PROXY\"\n"),
	"a wrapper that grub2-mkconfig overwrites": text("boot/efi/EFI/rocky/grub.cfg", stub),
	"hooks that remove the wrapper": both(put(map[string]file{"curtin/curtin-hooks": {mode: 0o755, text: "#!/bin/sh\nrm EFI/rocky/grub.cfg; builtin_curthooks\n"}}),
		text("usr/sbin/grub2-mkconfig", guarded), text("boot/efi/EFI/rocky/grub.cfg", stub)),
	"a menu that hooks write again": both(put(map[string]file{"curtin/curtin-hooks": {mode: 0o755, text: "#!/bin/sh\ngrub2-mkconfig; touch /.autorelabel\n"}}),
		text("boot/grub2/grub.cfg", "linux root=UUID=1\n")),
	"in memory, as it should be": both(inMemory, put(map[string]file{"usr/sbin/init": initProgram})),
}
