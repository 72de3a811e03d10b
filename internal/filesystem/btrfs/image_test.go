package btrfs

import (
	"bytes"
	"compress/gzip"
	"hash/crc32"
	"io"
	"os"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// memoryVolume is a volume in memory.
type memoryVolume struct{ *bytes.Reader }

func (memoryVolume) Prefetch(off, n int64) {}

func bytesVolume(b []byte) memoryVolume { return memoryVolume{bytes.NewReader(b)} }

// readSeed returns an image of testdata.
func readSeed(t *testing.T, name string) []byte {
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

// seal sets the CRC-32C of a block.
func seal(b []byte) { le.PutUint32(b, crc32.Checksum(b[checksumField:], castagnoli)) }

// image is a file system in memory, for changes.
type image struct {
	t     *testing.T
	fs    *FS
	bytes []byte
}

func openSeed(t *testing.T) *image {
	t.Helper()
	b := readSeed(t, "crc32c")
	fs, err := Open(bytesVolume(b))
	if err != nil {
		t.Fatal(err)
	}
	return &image{t, fs, b}
}

// walk finds the inode of a path, given in names.
func (i *image) walk(path ...string) (*filesystem.Inode, error) {
	inode, err := i.fs.Inode(i.fs.Info().Root)
	for _, name := range path {
		var entries []filesystem.DirEntry
		if err == nil {
			entries, err = i.fs.ReadDir(inode)
		}
		if err != nil {
			return nil, err
		}
		inode = nil
		for _, e := range entries {
			if e.Name == name {
				inode, err = i.fs.Inode(e.Inode)
			}
		}
		if inode == nil && err == nil {
			i.t.Fatalf("no %s in %v", name, entries)
		}
	}
	return inode, err
}

// item returns the first item of a kind that an object has in a tree, and the
// block in which it is.
func (i *image) item(tree treeRoot, object uint64, kind uint8) (block, data []byte) {
	i.t.Helper()
	b := i.place(tree.block)
	n := &treeNode{raw: b, count: int(le.Uint32(b[96:])), level: b[100]}
	for entry := range n.count {
		if n.level > 0 {
			pointer := treeRoot{block: le.Uint64(n.entry(entry)[keySize:])}
			if block, data = i.item(pointer, object, kind); block != nil {
				return block, data
			}
		} else if k := n.key(entry); k.object == object && k.kind == kind {
			return b, n.data(entry)
		}
	}
	return nil, nil
}

// place returns the bytes of the block at an address.
func (i *image) place(logical uint64) []byte {
	i.t.Helper()
	copies, _, err := i.fs.chunks.find(logical)
	if err != nil {
		i.t.Fatal(err)
	}
	return i.bytes[copies[0]:][:i.fs.sb.nodeSize]
}
