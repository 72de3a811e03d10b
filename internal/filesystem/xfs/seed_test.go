package xfs_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// seeds are small images in testdata, made by TestSeeds -update.
var seeds = []struct{ name, mkfs string }{
	{"v5", "-b size=1024 -m bigtime=1,inobtcount=1"},
	{"v4", "-b size=1024 -m crc=0"},
}

var update = flag.Bool("update", false, "make the images in testdata again")

// TestSeeds makes the images in testdata.
func TestSeeds(t *testing.T) {
	if !*update {
		t.Skip("only with -update")
	}
	for _, s := range seeds {
		image := fstest.Image(t, 16<<20, mkfs("--unsupported -d agcount=1 "+s.mkfs)...)
		dir, unmount, err := fstest.TryMount(t, image, "")
		if err != nil {
			t.Logf("%s: left as it is, for this kernel does not make it: %v", s.name, err)
			continue
		}
		fillSeed(t, dir)
		unmount()
		fstest.Run(t, "xfs_repair", "-L", "-o", "force_geometry", image) // which empties the log
		b, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		var packed bytes.Buffer
		w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if _, err := w.Write(b); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/"+s.name+".gz", packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// fillSeed makes something of each kind.
func fillSeed(t *testing.T, dir string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, size int) {
		t.Helper()
		must(os.WriteFile(path(name), bytes.Repeat([]byte("data"), size/4), 0o640))
	}
	// Directories in the inode, in one block, in several, and with an index of
	// several.
	for name, count := range map[string]int{"short": 3, "block": 20, "leaf": 60, "node": 200} {
		must(os.MkdirAll(path(name), 0o755))
		write("linked", 20)
		for i := range count {
			must(os.Link(path("linked"), path(fmt.Sprintf("%s/%d-%s", name, i, strings.Repeat("n", i%20)))))
		}
		must(os.Remove(path("linked")))
	}
	write("file", 20000)
	f, err := os.Create(path("holes"))
	must(err)
	for i := range int64(100) {
		_, err = f.WriteAt([]byte("x"), i*9000)
		must(err)
	}
	must(errors.Join(f.Close(), os.Symlink("target", path("symlink")), os.Symlink(strings.Repeat("l/", 500), path("long"))))
	// Attributes in the inode, in a block, in several, and in blocks of their own.
	for name, c := range map[string]struct{ count, size int }{
		"file": {2, 20}, "holes": {10, 50}, "node": {60, 40}, "short": {5, 3000}, "symlink": {1, 30},
	} {
		for i := range c.count {
			must(unix.Lsetxattr(path(name), fmt.Sprintf("trusted.%d", i), bytes.Repeat([]byte{byte(i)}, c.size), 0))
		}
	}
	must(unix.Mknod(path("device"), unix.S_IFBLK|0o600, int(unix.Mkdev(8, 300))))
	must(os.Chown(path("holes"), 1000, 70000))
}

// TestVersions compares the images in testdata: what is in them is the same. A
// kernel compares that of version 5; those that mount version 4 are rare.
func TestVersions(t *testing.T) {
	fstest.RequireRoot(t)
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, seed(t, "v5"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, _ := fstest.Mount(t, image, "ro")
	want := fstest.FromDir(t, dir)
	if len(want) < 290 {
		t.Fatalf("%d files", len(want))
	}
	for _, s := range seeds {
		got, err := readAll(seed(t, s.name))
		if err != nil {
			t.Fatal(err)
		}
		fstest.Check(t, got, want, fstest.Options{ExactSegments: true, IgnoreTimes: s.name == "v4"})
	}
}

// seed returns an image of testdata.
func seed(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
