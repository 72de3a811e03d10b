package ext4_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// manyFiles makes an image of files with a little data in directories of 100,
// and 50,000 empty ones in a single directory. It returns the image and where
// the kernel has it mounted.
func manyFiles(t testing.TB, files int) (image, dir string) {
	t.Helper()
	fstest.RequireRoot(t)
	image = fstest.Image(t, 1<<30, mkfs("-t ext4 -N 200000")...)
	dir, unmount := fstest.Mount(t, image, "")
	data := make([]byte, 10000)
	for i := range data {
		data[i] = byte(i*i) | 1
	}
	for i := range files + 50_000 {
		sub := filepath.Join(dir, "large")
		if i < files {
			sub = filepath.Join(dir, fmt.Sprintf("%d/%d", i/5000, i/100))
		}
		var err error
		if i%100 == 0 {
			err = os.MkdirAll(sub, 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(sub, fmt.Sprintf("file-number-%d", i)), data[:max(0, files-i)*i%len(data)], 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	unmount()
	dir, _ = fstest.Mount(t, image, "ro")
	return image, dir
}

// TestManyFiles compares a directory of 50,000.
func TestManyFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	image, dir := manyFiles(t, 1000)
	fstest.Check(t, fstest.FromFS(t, open(t, image)), fstest.FromDir(t, dir), fstest.Options{ExactSegments: true})
}

// walk reads every inode and, if data is set, every file; it returns how many
// inodes there are.
func walk(b *testing.B, fs filesystem.FS, number uint64, buffer []byte) int {
	inode, err := fs.Inode(number)
	if err != nil {
		b.Fatal(err)
	}
	count := 1
	switch {
	case inode.Mode.IsDir():
		entries, err := fs.ReadDir(inode)
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range entries {
			count += walk(b, fs, e.Inode, buffer)
		}
	case inode.Mode.IsRegular() && buffer != nil:
		f, err := fs.Open(inode)
		if err != nil {
			b.Fatal(err)
		}
		for at := int64(0); at < inode.Size; at += int64(len(buffer)) {
			if n, err := f.ReadAt(buffer, at); n == 0 {
				b.Fatal(err)
			}
		}
	}
	return count
}

// BenchmarkWalk compares reading all inodes, and all data, with the kernel.
func BenchmarkWalk(b *testing.B) {
	image, dir := manyFiles(b, 60_000)
	for name, buffer := range map[string][]byte{"inodes": nil, "data": make([]byte, 1<<20)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				fs := open(b, image)
				if n := walk(b, fs, fs.Info().Root, buffer); n < 110_000 {
					b.Fatal(n)
				}
			}
		})
	}
	for name, command := range map[string]string{
		"kernel/inodes": "find . -printf '%s %T@ %m %U\\n' >/dev/null",
		"kernel/data":   "tar -c --xattrs . | cat >/dev/null",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				c := exec.Command("sh", "-c", command)
				c.Dir = dir
				if out, err := c.CombinedOutput(); err != nil {
					b.Fatal(err, string(out))
				}
			}
		})
	}
}
