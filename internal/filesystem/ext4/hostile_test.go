package ext4

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// bytesVolume is a volume in memory.
type bytesVolume struct{ *bytes.Reader }

func (bytesVolume) Prefetch(off, n int64) {}

// TestHostile expects errors for files that were made to be read for ever.
func TestHostile(t *testing.T) {
	for _, c := range []struct {
		name, seed, file string
		change           func(fs *FS, image, inode []byte)
		want             string
	}{
		{"indirect block in itself", "plain", "file", func(fs *FS, image, inode []byte) {
			block := le.Uint32(inode[inodeBlock+4*directBlocks:])
			le.PutUint32(inode[inodeBlock+4*(directBlocks+2):], block)
			le.PutUint32(image[int64(block)*fs.sb.blockSize:], block)
			le.PutUint32(inode[inodeSizeHi:], 1<<8)
		}, "used twice"},
		{"size", "plain", "file", func(_ *FS, _, inode []byte) { le.PutUint32(inode[inodeSizeHi:], 1<<30) }, "over the format's limit"},
		{"block outside", "plain", "file", func(_ *FS, _, inode []byte) { le.PutUint32(inode[inodeBlock:], 1<<31) }, "outside the file system"},
		{"extent block in itself", "inline", "holes", func(fs *FS, image, inode []byte) {
			block := int64(le.Uint32(inode[inodeBlock+extentHeaderSize+4:]))
			child := image[block*fs.sb.blockSize:]
			le.PutUint16(child[6:], 1)
			le.PutUint32(child[extentHeaderSize+4:], uint32(block))
		}, "depth 1 where 0 must be"},
		{"extent block twice", "inline", "holes", func(_ *FS, _, inode []byte) {
			first := inode[inodeBlock+extentHeaderSize:]
			copy(first[extentSize:], first[:extentSize])
			le.PutUint32(first[extentSize:], 1<<20)
			le.PutUint16(inode[inodeBlock+2:], 2)
		}, "out of order"},
		{"extent tree too deep", "inline", "holes", func(_ *FS, _, inode []byte) {
			le.PutUint16(inode[inodeBlock+6:], 6)
		}, "depth 6"},
		{"empty extent block", "inline", "holes", func(fs *FS, image, inode []byte) {
			block := int64(le.Uint32(inode[inodeBlock+extentHeaderSize+4:]))
			le.PutUint16(image[block*fs.sb.blockSize+2:], 0)
		}, "no entries"},
		{"directory in terabytes", "plain", "dir1", func(_ *FS, _, inode []byte) {
			le.PutUint32(inode[inodeSizeLo:], 0xfffffc00)
		}, "hole at block"},
	} {
		t.Run(c.name, func(t *testing.T) {
			image := unpack(t, c.seed)
			fs, number := lookup(t, image, c.file)
			table, err := fs.inodeTable(0)
			if err != nil {
				t.Fatal(err)
			}
			at := int64(table)*fs.sb.blockSize + int64(number-1)*fs.sb.inodeSize
			c.change(fs, image, image[at:at+fs.sb.inodeSize])
			err = readInode(fs, number)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, not about %q", err, c.want)
			}
		})
	}
}

// TestChecksums expects one changed byte to be noticed in each structure that
// has a checksum.
func TestChecksums(t *testing.T) {
	for _, c := range []struct {
		name, file string
		position   func(fs *FS, inode []byte) int64
		want       string
	}{
		{"group descriptor", "file", func(fs *FS, _ []byte) int64 {
			return int64(fs.sb.descriptorBlock(0))*fs.sb.blockSize + descInodeTable
		}, "group descriptor 0: checksum mismatch"},
		{"inode", "file", func(_ *FS, _ []byte) int64 { return -1 }, ": checksum mismatch"},
		{"extent block", "holes", func(fs *FS, inode []byte) int64 {
			return int64(le.Uint32(inode[inodeBlock+extentHeaderSize+4:]))*fs.sb.blockSize + extentHeaderSize
		}, "checksum mismatch"},
		{"attribute block", "file", func(fs *FS, inode []byte) int64 {
			return int64(le.Uint32(inode[inodeFileACL:]))*fs.sb.blockSize + fs.sb.blockSize - 1
		}, ": checksum mismatch"},
		{"index", "dir1", func(fs *FS, inode []byte) int64 {
			return int64(le.Uint32(inode[inodeBlock+extentHeaderSize+8:]))*fs.sb.blockSize + 40
		}, "directory: block 0: index: checksum mismatch"},
		{"leaf", "dir2", func(fs *FS, inode []byte) int64 {
			return int64(le.Uint32(inode[inodeBlock+extentHeaderSize+8:]))*fs.sb.blockSize + 1
		}, "directory: block 0: checksum mismatch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			image := unpack(t, "checksums")
			fs, number := lookup(t, image, c.file)
			table, err := fs.inodeTable(0)
			if err != nil {
				t.Fatal(err)
			}
			inode := int64(table)*fs.sb.blockSize + int64(number-1)*fs.sb.inodeSize
			at := c.position(fs, image[inode:][:fs.sb.inodeSize])
			if at < 0 {
				at = inode + inodeUID
			}
			image[at] ^= 1
			if err := readInode(fs, number); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, not about %q", err, c.want)
			}
		})
	}
}

func TestSuperblockChecksum(t *testing.T) {
	image := unpack(t, "checksums")
	image[superblockOffset+0x78] ^= 1 // a letter of the label
	if _, err := Open(bytesVolume{bytes.NewReader(image)}); err == nil || !strings.Contains(err.Error(), "superblock: checksum mismatch") {
		t.Errorf("error is %v", err)
	}
}

// readInode reads an inode and what it holds.
func readInode(fs *FS, number uint64) error {
	inode, err := fs.Inode(number)
	if err == nil && inode.Mode.IsDir() {
		_, err = fs.ReadDir(inode)
	} else if err == nil {
		_, err = fs.Open(inode)
	}
	return err
}

// lookup opens an image and finds a name in its root.
func lookup(t *testing.T, image []byte, name string) (*FS, uint64) {
	t.Helper()
	fs, err := Open(bytesVolume{bytes.NewReader(image)})
	if err != nil {
		t.Fatal(err)
	}
	var entries []filesystem.DirEntry
	root, err := fs.Inode(rootInode)
	if err == nil {
		entries, err = fs.ReadDir(root)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name == name {
			return fs, e.Inode
		}
	}
	t.Fatalf("no %s in %v", name, entries)
	return nil, 0
}

// unpack returns an image of testdata.
func unpack(t *testing.T, name string) []byte {
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
