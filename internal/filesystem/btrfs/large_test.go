package btrfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// TestLarge compares trees of several levels: of many names, half of them gone,
// and of many extents.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	fstest.RequireRoot(t)
	image := fstest.Image(t, 1<<30, mkfs("-n 4096")...)
	dir, unmount := fstest.Mount(t, image, "compress-force=zstd")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(dir, "names"), 0o755))
	name := func(i int) string { return filepath.Join(dir, "names", fmt.Sprintf("%0*d", 5+i%100, i)) }
	for i := range 20_000 {
		must(os.WriteFile(name(i), nil, 0o600))
	}
	for i := 0; i < 20_000; i += 2 {
		must(os.Remove(name(i)))
	}
	f, err := os.Create(filepath.Join(dir, "fragmented"))
	must(err)
	for i := range int64(20_000) {
		_, err := f.WriteAt([]byte{byte(i), byte(i >> 8), 1}, i*8192)
		must(err)
	}
	must(f.Close())
	unmount()
	compare(t, image, "")
}

// TestLongest reads a file of the greatest size possible, with data at its end.
func TestLongest(t *testing.T) {
	fstest.RequireRoot(t)
	image := fstest.Image(t, 300<<20, mkfs("")...)
	dir, unmount := fstest.Mount(t, image, "")
	f, err := os.Create(filepath.Join(dir, "longest"))
	if err == nil {
		_, err = f.WriteAt([]byte("end"), math.MaxInt64-3)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	unmount()
	file, inode := openFile(t, open(t, image), "longest")
	want := []filesystem.Segment{{Offset: math.MaxInt64 - 4095, Length: 4095}}
	if got := file.Segments(); !slices.Equal(got, want) || inode.Size != math.MaxInt64 {
		t.Errorf("size is %d, segments are %v, not %v", inode.Size, got, want)
	}
	b := bytes.Repeat([]byte{1}, 8000)
	n, err := file.ReadAt(b, math.MaxInt64-7000)
	if n != 7000 || !errors.Is(err, io.EOF) || !bytes.Equal(b[:n], append(make([]byte, 6997), "end"...)) {
		t.Errorf("read %d bytes: %v", n, err)
	}
}

// TestReadAt reads parts of files, several at a time, and compares them with
// the kernel's.
func TestReadAt(t *testing.T) {
	for _, kind := range []string{"none", "zlib", "lzo", "zstd"} {
		t.Run(kind, func(t *testing.T) {
			fstest.RequireRoot(t)
			image := fstest.Image(t, 300<<20, mkfs("")...)
			dir, unmount := fstest.Mount(t, image, "compress-force="+kind)
			compressible(t, dir)
			unmount()
			dir, _ = fstest.Mount(t, image, "ro")
			fs := open(t, image)
			var readers sync.WaitGroup
			for i, name := range []string{"text3000001", "mixed1048576", "text1048576", "clone", "run100000", "text2000", "mixed4097"} {
				file, inode := openFile(t, fs, "compressible", name)
				want, err := os.ReadFile(filepath.Join(dir, "compressible", name))
				if err != nil || inode.Size != int64(len(want)) {
					t.Fatalf("%s has %d bytes, not %d: %v", name, inode.Size, len(want), err)
				}
				readers.Go(func() { readParts(t, name, file, want, rand.New(rand.NewSource(int64(i)))) })
			}
			readers.Wait()
		})
	}
}

// readParts reads a file at random, and announces some of it.
func readParts(t *testing.T, name string, file filesystem.File, want []byte, random *rand.Rand) {
	t.Helper()
	for range 200 {
		off, n := random.Intn(len(want)), random.Intn(1+random.Intn(300_000))
		file.Prefetch(int64(off), int64(n))
		got := bytes.Repeat([]byte{0xee}, n)
		read, err := file.ReadAt(got, int64(off))
		end := min(off+n, len(want))
		if read != end-off || (err != nil) != (off+n > len(want)) || !bytes.Equal(got[:read], want[off:end]) {
			t.Errorf("%s: %d bytes at %d: got %d: %v", name, n, off, read, err)
			return
		}
	}
}

// openFile opens the file of a path, given in names.
func openFile(t *testing.T, fs filesystem.FS, path ...string) (filesystem.File, *filesystem.Inode) {
	t.Helper()
	inode, err := fs.Inode(fs.Info().Root)
	for _, name := range path {
		var entries []filesystem.DirEntry
		if err == nil {
			entries, err = fs.ReadDir(inode)
		}
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(entries, func(e filesystem.DirEntry) bool { return e.Name == name })
		if i < 0 {
			t.Fatalf("no %s in %v", name, entries)
		}
		inode, err = fs.Inode(entries[i].Inode)
	}
	if err != nil {
		t.Fatal(err)
	}
	file, err := fs.Open(inode)
	if err != nil {
		t.Fatal(err)
	}
	return file, inode
}
