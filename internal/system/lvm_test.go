package system_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/lvm/lvmtest"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/partition"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/system"
)

// blank is a file of zeros.
func blank(t *testing.T, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "blank")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	return path
}

// lvmDevice makes a partition of a disk a device, or all of it if number is 0.
func lvmDevice(t *testing.T, l *lvmtest.LVM, path string, number int) string {
	t.Helper()
	d := fstest.Volume(t, path)
	offset, size := int64(0), d.Size()
	if number > 0 {
		table, err := partition.Read(d)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(table.Partitions, func(p partition.Partition) bool { return p.Number == number })
		offset, size = table.Partitions[i].Offset, table.Partitions[i].Size
	}
	device, _ := l.Device(path, offset, size)
	return device
}

// twoDisks are a system's disks, of which the first has /boot and a physical
// volume, and the second is one. The root lies on both.
func twoDisks(t *testing.T) (l *lvmtest.LVM, first, second string) {
	t.Helper()
	l = lvmtest.New(t)
	first = gpt(
		t,
		part{image: ext4(t, map[string]string{"vmlinuz": "kernel", "efi/": ""}, "-U", bootUUID)},
		part{image: blank(t, 48<<20), kind: "lvm"},
	)
	second = blank(t, 64<<20)
	l.Run("vgcreate", "-q", "vg-x", lvmDevice(t, l, first, 2), lvmDevice(t, l, second, 0))
	l.Create("-L", "16m", "-i", "2", "-n", "v-ar", "vg-x")
	l.Create("-L", "16m", "-n", "usr", "vg-x")
	l.Create("-L", "60m", "-n", "root", "vg-x")
	l.Fill("vg-x/usr", ext4(t, map[string]string{"bin/true": "x", "lib/os-release": release}, "-L", "usr"))
	l.Fill("vg-x/v-ar", ext4(t, map[string]string{"lib/data": strings.Repeat("data", 100_000)}))
	return l, first, second
}

// lvmRoot is a root file system whose /usr and /var are on volumes of their own.
func lvmRoot(fstab string) map[string]string {
	return map[string]string{"etc/fstab": fstab, "usr/": "", "var/": "", "boot/": "", "etc/os-release": "-> ../usr/lib/os-release"}
}

// TestOpenLVM joins logical volumes by all the names that fstab may give them.
func TestOpenLVM(t *testing.T) {
	l, first, second := twoDisks(t)
	ids := strings.Fields(strings.ReplaceAll(l.Run("lvs", "--noheadings", "-o", "vg_uuid,lv_uuid", "vg-x/usr"), "-", ""))
	want := map[string]string{
		"/": "logical volume vg-x/root", "/usr": "logical volume vg-x/usr",
		"/var": "logical volume vg-x/v-ar", "/boot": "disk 1, partition 1",
	}
	for name, fstab := range map[string]string{
		"mapper":  "/dev/mapper/vg--x-usr /usr ext4\n/dev/mapper/vg--x-v--ar /var ext4\n/dev/mapper/vg--x-swap none swap\n/dev/sda1 /boot ext4\n",
		"folder":  "/dev/vg-x/usr /usr ext4\n/dev/vg-x/v-ar /var ext4\n/dev/vg-x/root / ext4\nUUID=" + bootUUID + " /boot ext4\n",
		"udev":    "/dev/disk/by-id/dm-name-vg--x-usr /usr ext4\nID=dm-name-vg--x-v--ar /var ext4\n/dev/vda1 /boot ext4\n",
		"by uuid": "/dev/disk/by-id/dm-uuid-LVM-" + strings.Join(ids, "") + " /usr ext4\n/dev/vg-x/v-ar /var auto\n/dev/nvme0n1p1 /boot ext4\n",
		"content": "LABEL=usr /usr ext4\n/dev/vg-x/v-ar /var ext4\n/dev/xvda1 /boot ext4\n",
	} {
		t.Run(name, func(t *testing.T) {
			l.Fill("vg-x/root", ext4(t, lvmRoot(fstab)))
			o := system.Options{MoreDisks: []disk.Volume{openDisk(t, second)}}
			s, err := system.Open(openDisk(t, first), o)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, mounts(s)); diff != "" {
				t.Errorf("mounts (-want +got):\n%s", diff)
			}
			if s.Name != `Test Linux 1 "One"` || len(s.Notes) > 0 {
				t.Errorf("%s, notes %q", s.Name, s.Notes)
			}
			if content := readTree(t, s); content["var/lib/data"] != strings.Repeat("data", 100_000) || content["usr/bin/true"] != "x" {
				t.Error("files differ")
			}
		})
	}
}

// TestOpenLVMRefuses says which disk or volume is missing or in the way.
func TestOpenLVMRefuses(t *testing.T) {
	l, first, second := twoDisks(t)
	other := ext4(t, root(""), "-L", "other")
	for name, c := range map[string]struct {
		fstab, first string
		more         []string
		root         string
		want         []string
	}{
		"a disk is missing": {"", first, nil, "", []string{
			"no operating system found", "partition 2, 48.0 MiB: LVM2_member of volume group vg-x",
			"logical volume vg-x/root, 60.0 MiB: cannot be read", "the physical volume pv1", "is not on the disks that were given",
		}},
		"the other disk is missing": {"", second, nil, "", []string{"the whole disk, 64.0 MiB: LVM2_member of volume group vg-x", "the physical volume pv0"}},
		"a disk twice":              {"", first, []string{second, second}, "", []string{"is there 2 times: disk 2; disk 3"}},
		"unknown volume":            {"/dev/vg-x/none /usr ext4", first, []string{second}, "", []string{"/dev/vg-x/none at /usr", "logical volume vg-x/usr"}},
		"one name for two":          {"/dev/mapper/vg--x-usr /usr ext4\n/dev/vg-x/usr /var ext4", first, []string{second}, "", []string{"vg-x/usr is already mounted at /usr"}},
		"two systems":               {"", first, []string{second, other}, "", []string{"(disk 3, logical volume vg-x/root)"}},
		"root by name":              {"/dev/none/none /usr ext4", first, []string{second, other}, "vg-x/root", []string{"/dev/none/none at /usr"}},
		"root by path":              {"/dev/none/none /usr ext4", first, []string{second, other}, "/dev/mapper/vg--x-root", []string{"/dev/none/none at /usr"}},
	} {
		t.Run(name, func(t *testing.T) {
			l.Fill("vg-x/root", ext4(t, lvmRootHolding(c.fstab)))
			o := system.Options{Root: c.root}
			for _, path := range c.more {
				o.MoreDisks = append(o.MoreDisks, openDisk(t, path))
			}
			_, err := system.Open(openDisk(t, c.first), o)
			for _, want := range c.want {
				if !strings.Contains(fmt.Sprint(err), want) {
					t.Errorf("error does not say %q:\n%v", want, err)
				}
			}
		})
	}
}

func lvmRootHolding(fstab string) map[string]string {
	content := lvmRoot(fstab)
	content["etc/os-release"] = release
	return content
}

// TestOpenXFSOnLVM reads what the installers of Red Hat's kin make: XFS on LVM,
// /boot beside it, with its entries, and an EFI system partition.
func TestOpenXFSOnLVM(t *testing.T) {
	l := lvmtest.New(t)
	path := gpt(
		t,
		part{image: vfat(t, map[string]string{"EFI/BOOT/BOOTX64.EFI": "efi"}, "-i", "ABCD1234"), kind: "uefi"},
		part{image: xfs(t, map[string]string{"loader/entries/1.conf": "options root=/dev/mapper/rhel-root", "efi/": ""}), name: "boot"},
		part{image: blank(t, 420<<20), kind: "lvm"},
	)
	l.Run("vgcreate", "-q", "rhel", lvmDevice(t, l, path, 3))
	l.Create("-L", "20m", "-n", "swap", "rhel")
	l.Create("-L", "300m", "-n", "root", "rhel")
	l.Fill("rhel/swap", swapSpace(t))
	l.Fill("rhel/root", xfs(t, root("/dev/mapper/rhel-root / xfs defaults 0 0\nPARTLABEL=boot /boot xfs defaults 0 0\n"+
		"UUID=ABCD-1234 /boot/efi vfat umask=0077,shortname=winnt 0 2\n/dev/mapper/rhel-swap none swap defaults 0 0\n")))
	s, err := system.Open(openDisk(t, path), system.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"/": "logical volume rhel/root", "/boot": "partition 2", "/boot/efi": "partition 1"}
	if diff := cmp.Diff(want, mounts(s)); diff != "" || len(s.Notes) > 0 {
		t.Errorf("notes %q, mounts (-want +got):\n%s", s.Notes, diff)
	}
	content := readTree(t, s)
	if content["boot/loader/entries/1.conf"] != "options root=/dev/mapper/rhel-root" || content["usr/bin/true"] != "x" || content["boot/efi/EFI/BOOT/BOOTX64.EFI"] != "efi" {
		t.Errorf("files are %q", content)
	}
}
