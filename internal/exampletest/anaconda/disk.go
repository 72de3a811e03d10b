package anaconda

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/lvm/lvmtest"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/partition"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

const (
	rootID = "b7c3f0de-6f6a-4b0e-9d51-6a51a1a6d6a1"
	bootID = "0d9c1a52-0c9a-4e53-8d30-8f2b3b2f9c11"
	efiID  = "A1B2-C3D4"

	mebibyte = 1 << 20
)

// volume is a file system of the disk.
type volume struct {
	at, image string
	size      int64  // in MiB
	kind      string // of its partition, for sfdisk
}

// root is the root's name for the kernel and in fstab.
func (i *Install) root() string {
	if i.Layout == LVM {
		return "/dev/mapper/rhel-root"
	}
	return "UUID=" + rootID
}

func (i *Install) fstab() string {
	kind := "xfs"
	if i.Layout == Ext4 {
		kind = "ext4"
	}
	text := fmt.Sprintf("#\n# /etc/fstab\n# Created by anaconda\n%s / %s defaults 0 0\n", i.root(), kind)
	if i.Layout == LVM {
		text += "UUID=" + bootID + " /boot xfs defaults 0 0\n/dev/mapper/rhel-swap none swap defaults 0 0\n"
	}
	if i.ARM64 {
		text += "UUID=" + efiID + " /boot/efi vfat umask=0077,shortname=winnt 0 2\n"
	}
	return text
}

// volumes are the disk's, in the order of their partitions, the root the last.
func (i *Install) volumes(t testing.TB) []volume {
	t.Helper()
	fstest.RequireTool(t, "mkfs.xfs", "mkfs.ext4", "mkfs.vfat")
	var list []volume
	if i.ARM64 {
		efi := fstest.Image(t, 64*mebibyte, "mkfs.vfat", "-F", "32", "-i", strings.ReplaceAll(efiID, "-", ""))
		list = append(list, volume{"boot/efi", efi, 64, "uefi"})
	} else if i.gpt {
		list = append(list, volume{"", "", 1, "21686148-6449-6E6F-744E-656564454649"}) // GRUB's
	}
	const size = 320 // the smallest that mkfs.xfs makes is 300 MiB
	if i.Layout == LVM {
		list = append(list, volume{"boot", fstest.Image(t, size*mebibyte, "mkfs.xfs", "-q", "-m", "uuid="+bootID), size, "linux"})
	}
	mkfs := []string{"mkfs.xfs", "-q", "-m", "uuid=" + rootID}
	if i.Layout == Ext4 {
		mkfs = []string{"mkfs.ext4", "-q", "-U", rootID}
	}
	return append(list, volume{"", fstest.Image(t, size*mebibyte, mkfs...), size, "linux"})
}

// Disk makes the disk, in a file for the test's time.
func (i *Install) Disk(t testing.TB) string {
	t.Helper()
	fstest.RequireRoot(t)
	list := i.volumes(t)
	root, unmount := fstest.Mount(t, list[len(list)-1].image, i.options())
	i.mounted(t, root, list[:len(list)-1])
	unmount()
	return i.join(t, list)
}

// options are mount(8)'s: all roots have one UUID, which XFS minds.
func (i *Install) options() string {
	if i.Layout == Ext4 {
		return ""
	}
	return "nouuid"
}

// mounted fills the root with the other volumes in it.
func (i *Install) mounted(t testing.TB, root string, others []volume) {
	t.Helper()
	for _, v := range others {
		if v.at == "" || v.at == "boot/efi" {
			continue
		}
		dir := filepath.Join(root, v.at)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		fstest.Run(t, "mount", "-o", "loop,nouuid", v.image, dir)
		defer fstest.Run(t, "umount", dir)
	}
	i.fill(t, root)
	if i.ARM64 {
		// Not every kernel mounts FAT; mtools needs none.
		fstest.RequireTool(t, "mcopy")
		efi := filepath.Join(root, "boot/efi")
		fstest.Run(t, "mcopy", "-s", "-i", others[0].image, efi+"/EFI", "::")
		fstest.Run(t, "rm", "-r", efi+"/EFI")
	}
}

// join puts the volumes onto one disk.
func (i *Install) join(t testing.TB, list []volume) string {
	t.Helper()
	last := &list[len(list)-1]
	table := "label: dos\n"
	if i.gpt || i.ARM64 {
		table = "label: gpt\n"
	}
	total := int64(2)
	if i.Layout == LVM {
		last.kind, last.size = "lvm", last.size+16
	}
	for _, v := range list {
		table += fmt.Sprintf("size=%dMiB, type=%s\n", v.size, v.kind)
		total += v.size
	}
	path := fstest.Image(t, total*mebibyte, "true")
	cmd := exec.Command("sfdisk", "-q", path)
	cmd.Stdin = strings.NewReader(table)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sfdisk: %v\n%s%s", err, table, out)
	}
	made, err := partition.Read(fstest.Volume(t, path))
	if err != nil {
		t.Fatal(err)
	}
	for n, v := range list {
		at := made.Partitions[n]
		switch {
		case v.kind == "lvm":
			group(t, path, at, v.image)
		case v.image != "":
			fstest.Run(t, "dd", "status=none", "if="+v.image, "of="+path, "bs=1M", fmt.Sprintf("seek=%d", at.Offset/mebibyte), "conv=notrunc,sparse")
		}
	}
	return path
}

// group makes a partition the volume group of the installer's own choice.
func group(t testing.TB, disk string, at partition.Partition, root string) {
	t.Helper()
	l := lvmtest.New(t)
	member, detach := l.Device(disk, at.Offset, at.Size)
	defer detach()
	l.Run("vgcreate", "-q", "rhel", member)
	l.Create("-L", "4m", "-n", "swap", "rhel")
	l.Create("-L", "320m", "-n", "root", "rhel")
	l.Fill("rhel/root", root)
}
