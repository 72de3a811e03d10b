package xfs

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// bytesVolume is a volume in memory.
type bytesVolume struct{ *bytes.Reader }

func (bytesVolume) Prefetch(off, n int64) {}

// image is a file system in memory, for changes.
type image struct {
	t     *testing.T
	fs    *FS
	bytes []byte
}

// openSeed opens an image of testdata.
func openSeed(t *testing.T, name string) *image {
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
	fs, err := Open(bytesVolume{bytes.NewReader(b)})
	if err != nil {
		t.Fatal(err)
	}
	return &image{t, fs, b}
}

// lookup finds a name in the root; the root itself is ".".
func (i *image) lookup(name string) uint64 {
	i.t.Helper()
	var entries []filesystem.DirEntry
	root, err := i.fs.Inode(i.fs.sb.rootInode)
	if err == nil {
		entries, err = i.fs.ReadDir(root)
	}
	if err != nil {
		i.t.Fatal(err)
	}
	if name == "." {
		return root.Number
	}
	for _, e := range entries {
		if e.Name == name {
			return e.Inode
		}
	}
	i.t.Fatalf("no %s in %v", name, entries)
	return 0
}

// inode returns the bytes of an inode.
func (i *image) inode(number uint64) []byte {
	i.t.Helper()
	sb := i.fs.sb
	perBlock := sb.blockLog - sb.inodeLog
	block, err := sb.physical(number>>perBlock, 1)
	if err != nil {
		i.t.Fatal(err)
	}
	return i.bytes[int(block)<<sb.blockLog+int(number&(1<<perBlock-1))<<sb.inodeLog:][:sb.inodeSize]
}

// block returns the bytes of a block, given by the number by which others
// point to it.
func (i *image) block(number uint64) []byte {
	i.t.Helper()
	block, err := i.fs.sb.physical(number, 1)
	if err != nil {
		i.t.Fatal(err)
	}
	return i.bytes[int64(block)<<i.fs.sb.blockLog:][:i.fs.sb.blockSize]
}

// forkBlock returns the bytes of a block of a fork.
func (i *image) forkBlock(number uint64, attributes bool, logical uint64) []byte {
	i.t.Helper()
	n, err := i.fs.readNode(number)
	if err != nil {
		i.t.Fatal(err)
	}
	f := n.dataFork()
	if attributes {
		f = n.attrFork()
	}
	runs, err := i.fs.runs(n, f)
	if err != nil {
		i.t.Fatal(err)
	}
	physical, ok := (&blockFile{fs: i.fs, runs: runs}).block(logical)
	if !ok {
		i.t.Fatalf("inode %d has no block %d: %v", number, logical, runs)
	}
	return i.bytes[int64(physical)<<i.fs.sb.blockLog:][:i.fs.sb.blockSize]
}

// dirBlock returns the bytes of a directory's block.
func (i *image) dirBlock(number, index uint64) []byte {
	i.t.Helper()
	b := i.forkBlock(number, false, index<<i.fs.sb.dirBlockLog)
	return b[: len(b)<<i.fs.sb.dirBlockLog : cap(b)]
}

// seal sets the checksum at an offset of b.
func seal(b []byte, at int) {
	binary.LittleEndian.PutUint32(b[at:], 0)
	binary.LittleEndian.PutUint32(b[at:], crc32.Checksum(b, castagnoli))
}
