package xfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// TestLarge compares what is in trees: of extents, names and attributes.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	for name, options := range map[string]string{
		"defaults":             "",
		"1k blocks":            "-b size=1024",
		"64k directory blocks": "-b size=1024 -n size=65536 -i nrext64=1",
	} {
		t.Run(name, func(t *testing.T) {
			fstest.RequireRoot(t)
			image := fstest.Image(t, 1<<30, mkfs(options)...)
			dir, unmount := fstest.Mount(t, image, "")
			l := large{t: t, dir: dir}
			full, count := 200_000, 50_000
			if options != "" {
				full, count = 15_000, 15_000
			}
			l.names("full", full, 0)
			l.names("deleted", count, 7)
			l.names("gone", 5000, 1)
			l.emptied("emptied", 15_000)
			l.fragmented()
			l.attributes()
			l.reflinks()
			unmount()
			compare(t, image)
		})
	}
}

// large fills a directory.
type large struct {
	t   *testing.T
	dir string
}

func (l *large) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *large) path(name string) string { return filepath.Join(l.dir, name) }

// names makes files, and removes every one whose number can be
// divided by gone.
func (l *large) names(name string, count, gone int) {
	l.must(os.Mkdir(l.path(name), 0o755))
	file := func(i int) string { return l.path(fmt.Sprintf("%s/%0*d", name, 5+i%100, i)) }
	for i := range count {
		l.must(os.WriteFile(file(i), nil, 0o600))
	}
	for i := range count {
		if gone > 0 && i%gone == 0 {
			l.must(os.Remove(file(i)))
		}
	}
}

// emptied makes a directory with holes where names were.
func (l *large) emptied(name string, count int) {
	l.names(name, count, 0)
	for i := count / 10; i < count*9/10; i++ {
		l.must(os.Remove(l.path(fmt.Sprintf("%s/%0*d", name, 5+i%100, i))))
	}
}

// fragmented makes a file of 20,000 extents, and others between them.
func (l *large) fragmented() {
	f, err := os.Create(l.path("fragmented"))
	l.must(err)
	defer f.Close()
	for i := range int64(20_000) {
		_, err := f.WriteAt([]byte{byte(i), byte(i >> 8), 1}, i*8192)
		l.must(err)
	}
	l.must(unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 200<<20, 1<<20))
	for i := int64(0); i < 20_000; i += 3 {
		l.must(unix.Fallocate(int(f.Fd()), 0, i*8192+4096, 4096))
	}
}

// attributes makes trees of attributes, of small and large values.
func (l *large) attributes() {
	for name, c := range map[string]struct{ count, size int }{
		"60": {60, 40}, "1500": {1500, 100}, "3000": {3000, 200}, "large": {300, 3000}, "largest": {40, 65536},
	} {
		l.must(os.WriteFile(l.path("attributes-"+name), nil, 0o600))
		value := make([]byte, c.size)
		for i := range c.count {
			for k := range value {
				value[k] = byte(i + k*k)
			}
			l.must(unix.Setxattr(l.path("attributes-"+name), fmt.Sprintf("user.%d", i), value, 0))
		}
		for i := 0; i < c.count; i += 5 {
			l.must(unix.Removexattr(l.path("attributes-"+name), fmt.Sprintf("user.%d", i)))
		}
	}
}

// reflinks makes files that share blocks, and one that has some twice.
func (l *large) reflinks() {
	source := l.path("fragmented")
	fstest.Run(l.t, "cp", "--reflink=always", source, l.path("reflink"))
	fstest.Run(l.t, "cp", "--reflink=always", source, l.path("changed"))
	f, err := os.OpenFile(l.path("changed"), os.O_RDWR, 0)
	l.must(err)
	defer f.Close()
	for i := range int64(500) {
		_, err := f.WriteAt([]byte("changed"), i*100_000)
		l.must(err)
	}
	clone := unix.FileCloneRange{Src_fd: int64(f.Fd()), Src_length: 1 << 20, Dest_offset: 300 << 20}
	l.must(unix.IoctlFileCloneRange(int(f.Fd()), &clone))
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
	fs := open(t, image)
	inode, err := fs.Inode(find(t, fs, "longest"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := fs.Open(inode)
	if err != nil {
		t.Fatal(err)
	}
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

// find returns the inode of a name in the root.
func find(t *testing.T, fs filesystem.FS, name string) uint64 {
	t.Helper()
	root, err := fs.Inode(fs.Info().Root)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := fs.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name == name {
			return e.Inode
		}
	}
	t.Fatalf("no %s in %v", name, entries)
	return 0
}
