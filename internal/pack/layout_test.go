package pack_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/lvm/lvmtest"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/partition"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/pack"
)

// sparse is an empty file of the given size.
func sparse(t *testing.T, size int64) string {
	t.Helper()
	return fstest.Image(t, size, "true")
}

// write writes files below a folder.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// enterpriseVolumes are the file systems of a system as the installers of Red
// Hat's kin make it: /boot and the root, of XFS, the root with all that is hard
// to read and restore.
func enterpriseVolumes(t *testing.T) (boot, root string) {
	t.Helper()
	fstest.RequireRoot(t)
	boot = fstest.Image(t, 300<<20, "mkfs.xfs", "-q", "-L", "boot")
	dir, unmount := fstest.Mount(t, boot, "")
	write(t, dir, map[string]string{"loader/entries/1.conf": "options root=/dev/mapper/rhel-root\n", "vmlinuz-1": "kernel", "efi/grub": ""})
	unmount()
	root = fstest.Image(t, 500<<20, "mkfs.xfs", "-q")
	dir, unmount = fstest.Mount(t, root, "")
	fstest.Nasty(t, dir, fstest.Limits{LargeXattrs: true, ShortSymlinks: 1022, Minors: 1<<18 - 1})
	write(t, dir, map[string]string{
		"etc/fstab":      "/dev/mapper/rhel-root / xfs defaults 0 0\nLABEL=boot /boot xfs defaults 0 0\n/dev/mapper/rhel-swap none swap defaults 0 0\n",
		"etc/os-release": "PRETTY_NAME=Enterprise\n", "usr/bin/true": "x", "boot/hidden": "by the mount",
	})
	unmount()
	return boot, root
}

// onVolumes puts /boot and the root of a system onto two disks: a partition, and
// a logical volume over both.
func onVolumes(t *testing.T, boot, root string) (first, second string) {
	t.Helper()
	first, second = sparse(t, 620<<20), sparse(t, 300<<20)
	cmd := exec.Command("sfdisk", "-q", first)
	cmd.Stdin = strings.NewReader("label: gpt\nsize=300MiB\nsize=300MiB, type=lvm\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sfdisk: %v\n%s", err, out)
	}
	table, err := partition.Read(fstest.Volume(t, first))
	if err != nil {
		t.Fatal(err)
	}
	fstest.Run(t, "dd", "if="+boot, "of="+first, "bs=1M", "seek=1", "conv=notrunc,sparse")
	l := lvmtest.New(t)
	member, detach := l.Device(first, table.Partitions[1].Offset, table.Partitions[1].Size)
	other, detachOther := l.Device(second, 0, 300<<20)
	l.Run("vgcreate", "-q", "rhel", member, other)
	l.Create("-L", "20m", "-n", "swap", "rhel")
	l.Create("-L", "500m", "-n", "root", "rhel")
	l.Fill("rhel/root", root)
	detach()
	detachOther()
	return first, second
}

// What curtin extracts of a system on XFS, LVM and two disks is what the kernel
// shows of its volumes, joined.
func TestRunJoinsVolumes(t *testing.T) {
	boot, root := enterpriseVolumes(t)
	first, second := onVolumes(t, boot, root)
	asQcow2 := filepath.Join(t.TempDir(), "second.qcow2")
	fstest.RequireTool(t, "qemu-img")
	fstest.Run(t, "qemu-img", "convert", "-O", "qcow2", second, asQcow2)

	output := filepath.Join(t.TempDir(), "out.tar.gz")
	result := packDisk(t, pack.Job{Disk: first, MoreDisks: []string{asQcow2}, Output: output})
	if result.System != "Enterprise" {
		t.Errorf("result is %+v", result)
	}
	dir, _ := fstest.Mount(t, root, "ro")
	fstest.Run(t, "mount", "-o", "loop,ro", boot, dir+"/boot")
	want := fstest.FromDir(t, dir)
	fstest.Run(t, "umount", dir+"/boot")
	// XFS can hold what ext4 cannot, such as long attributes.
	extracted, _ := fstest.Mount(t, fstest.Image(t, 700<<20, "mkfs.xfs", "-q"), "")
	extractTo(t, plainTar(t, output), extracted)
	fstest.Check(t, fstest.FromDir(t, extracted), want, fstest.Options{IgnoreSockets: true})

	_, err := pack.Run(t.Context(), pack.Job{Disk: first, Output: output + "2"}, logReporter{t})
	if err == nil || !strings.Contains(err.Error(), "logical volume rhel/root") || !strings.Contains(err.Error(), "is not on the disks that were given") {
		t.Errorf("without the second disk, the error is %v", err)
	}
	job := pack.Job{Disk: first, MoreDisks: []string{second}, Output: output + "3"}
	job.Image.Filetype = "ddgz"
	if _, err := pack.Run(t.Context(), job, logReporter{t}); err == nil || !strings.Contains(err.Error(), "the image is one disk; 2 are given") {
		t.Errorf("as a whole disk, the error is %v", err)
	}
	job.Image.Filetype, job.Output, job.Image.Force = "", second, true
	if _, err := pack.Run(t.Context(), job, logReporter{t}); err == nil || !strings.Contains(err.Error(), "is the disk itself") {
		t.Errorf("over a disk, the error is %v", err)
	}
}
