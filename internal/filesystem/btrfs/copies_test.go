package btrfs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// TestCopies damages the superblock, and one copy of everything else: the other
// serves.
func TestCopies(t *testing.T) {
	fstest.RequireRoot(t)
	image := fstest.Image(t, 400<<20, "mkfs.btrfs", "-q", "-m", "dup", "-d", "dup")
	dir, unmount := fstest.Mount(t, image, "compress=lzo")
	for name, size := range map[string]int{"small": 10, "middle": 5000, "large": 3 << 20} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("data of "+name, size/10)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("cp", "-a", "/usr/share/doc/bash", "/usr/bin/env", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	unmount()
	fs, err := Open(fstest.Volume(t, image))
	if err != nil {
		t.Fatal(err)
	}
	want := fstest.FromFS(t, fs)
	for _, which := range []int{0, 1} {
		damaged := fstest.Copy(t, image)
		f, err := os.OpenFile(damaged, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		damage := func(at int64) {
			t.Helper()
			if _, err := f.WriteAt([]byte("damage"), at+100); err != nil {
				t.Fatal(err)
			}
		}
		if which == 0 {
			damage(superblockOffsets[0])
		}
		for _, c := range fs.chunks {
			if len(c.copies) != 2 {
				t.Fatalf("chunk %+v", c)
			}
			for at := uint64(0); at < c.length; at += 4096 {
				if on := int64(c.copies[(which+int(at>>16))%2] + at); on != superblockOffsets[1] { // which no file gets
					damage(on)
				}
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		fs, err := Open(fstest.Volume(t, damaged))
		if err != nil {
			t.Fatal(err)
		}
		warnings := fs.Info().Warnings
		if which == 0 && (len(warnings) != 1 || !strings.Contains(warnings[0], "byte 67108864 is read: superblock: checksum mismatch")) || which == 1 && len(warnings) > 0 {
			t.Errorf("warnings are %q", warnings)
		}
		fstest.Check(t, fstest.FromFS(t, fs), want, fstest.Options{ExactSegments: true})
	}
}
