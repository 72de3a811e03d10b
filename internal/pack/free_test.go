package pack_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fat"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/image"
	"github.com/packer-maas/packer-plugin-maas/internal/pack"
)

// part is a partition of a disk with a file system that has lost a file.
type part struct {
	mib   int64
	mkfs  []string // none: filled with text that has to stay
	mount func(t testing.TB, image string) (dir string, unmount func())
	fsck  []string
}

func kernel(t testing.TB, image string) (string, func()) { return fstest.Mount(t, image, "") }

// parts have one of each kind.
var parts = []part{
	{mib: 1}, // where GRUB is on a disk with GPT and BIOS
	{mib: 64, mkfs: []string{"mkfs.vfat", "-F", "32"}, fsck: []string{"fsck.vfat", "-n"}},
	{mib: 300, mkfs: []string{"mkfs.ext4", "-q", "-b", "1024"}, mount: kernel, fsck: []string{"e2fsck", "-fn"}},
	{mib: 300, mkfs: []string{"mkfs.ext4", "-q", "-O", "bigalloc", "-C", "65536"}, mount: kernel, fsck: []string{"e2fsck", "-fn"}},
	{mib: 320, mkfs: []string{"mkfs.xfs", "-q"}, mount: kernel, fsck: []string{"xfs_repair", "-n"}},
	{mib: 100, mkfs: []string{"mkntfs", "-q", "-F", "-Q"}, mount: fstest.MountNTFS, fsck: []string{"ntfsfix", "-n"}},
	{mib: 16, mkfs: []string{"mkswap"}},
}

// offset is where a partition begins, in MiB.
func offset(number int) (at int64) {
	at = 1
	for _, p := range parts[:number] {
		at += p.mib
	}
	return at
}

const stays = "what has to stay. "

// manyParts makes a disk of parts.
func manyParts(t *testing.T) string {
	t.Helper()
	fstest.RequireTool(t, "sgdisk", "mcopy", "mdel", "fsck.vfat", "ntfsfix", "xfs_repair", "mkswap")
	disk := fstest.Image(t, offset(len(parts))<<20+1<<20, "true")
	var layout []string
	for i, p := range parts {
		layout = append(layout, "-a", "1", "-n", fmt.Sprintf("%d:%dM:+%dM", i+1, offset(i), p.mib))
	}
	fstest.Run(t, "sgdisk", append(layout, disk)...)
	for i, p := range parts {
		mkfs := p.mkfs
		if mkfs == nil {
			mkfs = []string{"sh", "-c", `yes "` + stays + `" | head -c 1M >"$0"`}
		}
		image := fstest.Image(t, p.mib<<20, mkfs...)
		switch {
		case p.mount != nil:
			dir, unmount := p.mount(t, image)
			fill(t, dir)
			unmount()
		case p.fsck != nil:
			fillFAT(t, image)
		default:
			writeAt(t, image, strings.Repeat(stays, 5000), 900<<10)
		}
		fstest.Run(t, "dd", "if="+image, "of="+disk, "bs=1M", fmt.Sprintf("seek=%d", offset(i)), "conv=notrunc,sparse", "status=none")
	}
	writeAt(t, disk, stays, 100<<10) // between the table and the first partition
	return disk
}

// fill writes files in pieces, and deletes some.
func fill(t *testing.T, dir string) {
	t.Helper()
	for i := range 400 {
		name := filepath.Join(dir, fmt.Sprintf("file%03d", i))
		if err := os.WriteFile(name, bytes.Repeat(fmt.Append(nil, i), i*50), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < 400; i += 3 {
		if err := os.Remove(filepath.Join(dir, fmt.Sprintf("file%03d", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "large"), bytes.Repeat([]byte("large "), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	// NTFS has small files in its file table, and leaves them there.
	small := filepath.Join(dir, "small secret")
	if err := os.WriteFile(small, []byte(strings.Repeat(fstest.SecretText, 10)), 0o600); err != nil {
		t.Fatal(err)
	}
	fstest.Secret(t, dir)
	if err := os.Remove(small); err != nil {
		t.Fatal(err)
	}
}

// fillFAT does so by mtools: not every kernel mounts FAT.
func fillFAT(t *testing.T, image string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"KEPT": stays, "GONE": fstest.SecretText} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat(text, 5000)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fstest.Run(t, "mcopy", "-i", image, dir+"/GONE", dir+"/KEPT", "::/")
	fstest.Run(t, "mdel", "-i", image, "::/GONE")
}

func writeAt(t *testing.T, path, text string, off int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(text), off); err != nil {
		t.Fatal(err)
	}
}

// section copies a partition out of a disk.
func section(t *testing.T, disk string, number int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "partition")
	fstest.Run(t, "dd", "if="+disk, "of="+path, "bs=1M", fmt.Sprintf("skip=%d", offset(number)),
		fmt.Sprintf("count=%d", parts[number].mib), "conv=sparse", "status=none")
	return path
}

// files lists all that is on a partition.
func (p part) files(t *testing.T, image string) fstest.Manifest {
	t.Helper()
	if p.mount == nil {
		fs, err := fat.Open(fstest.Volume(t, image))
		if err != nil {
			t.Fatal(err)
		}
		return fstest.FromFS(t, fs)
	}
	dir, unmount := p.mount(t, image)
	defer unmount()
	return fstest.FromDir(t, dir)
}

// TestRunHidesFreeSpace expects every file on the disk that comes out, none that
// was deleted, file systems without an error, and all else as it was.
func TestRunHidesFreeSpace(t *testing.T) {
	fstest.RequireRoot(t)
	disk := manyParts(t)
	out := filepath.Join(t.TempDir(), "out.raw")
	var said messages
	job := pack.Job{Disk: disk, Format: "raw", Output: out, Image: image.Options{Filetype: "ddraw"}}
	result, err := pack.Run(t.Context(), job, &said)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.said.String(), "is not known: partition 1, partition 7\n") || strings.Contains(said.said.String(), "free space is packed as it is") {
		t.Errorf("said:\n%s", said.said.String())
	}
	if !fstest.HasSecret(t, disk) || fstest.HasSecret(t, out) {
		t.Error("deleted files are on the disk that came out, or never were")
	}
	for i, p := range parts {
		before, after := section(t, disk, i), section(t, out, i)
		if p.fsck == nil {
			fstest.Run(t, "cmp", before, after)
			continue
		}
		fstest.Run(t, p.fsck[0], append(p.fsck[1:], after)...)
		fstest.Check(t, p.files(t, after), p.files(t, before), fstest.Options{})
	}
	fstest.Run(t, "cmp", "-n", "1M", disk, out)

	qcow2 := filepath.Join(t.TempDir(), "disk.qcow2")
	fstest.Run(t, "qemu-img", "convert", "-O", "qcow2", disk, qcow2)
	job.Disk, job.Format, job.Output = qcow2, "qcow2", out+"2"
	if again := packDisk(t, job); again.SHA256 != result.SHA256 {
		t.Error("the same disk as qcow2 gave other bytes")
	}
	job.Disk, job.Format, job.Output, job.KeepFreeSpace = disk, "raw", out+"3", true
	packDisk(t, job)
	fstest.Run(t, "cmp", disk, out+"3")
}

// TestRunKeepsDoubtful expects a partition that was not unmounted to be packed as
// it is.
func TestRunKeepsDoubtful(t *testing.T) {
	fstest.RequireTool(t, "debugfs")
	root := smallSystem(t)
	if out, err := exec.Command("debugfs", "-w", "-R", "ssv state 0", root).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	writeAt(t, root, stays, 15<<20)
	disk, out := onDisk(t, root), filepath.Join(t.TempDir(), "out")
	var said messages
	if _, err := pack.Run(t.Context(), pack.Job{Disk: disk, Format: "raw", Output: out, Image: image.Options{Filetype: "ddraw"}}, &said); err != nil {
		t.Fatal(err)
	}
	fstest.Run(t, "cmp", disk, out)
	if !strings.Contains(said.said.String(), "partition 1: its free space is packed as it is: ext4: it was not unmounted cleanly") {
		t.Errorf("said:\n%s", said.said.String())
	}
}
