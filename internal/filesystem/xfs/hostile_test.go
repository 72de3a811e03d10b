package xfs

import (
	"strings"
	"testing"
)

// readInode reads an inode and what it holds.
func readInode(fs *FS, number uint64) error {
	inode, err := fs.Inode(number)
	if err == nil && inode.Mode.IsDir() {
		_, err = fs.ReadDir(inode)
	} else if err == nil && inode.Mode.IsRegular() {
		_, err = fs.Open(inode)
	}
	return err
}

// treeRoot returns the entries of an inode's tree of extents: keys, and pointers
// behind all possible keys.
func treeRoot(inode []byte, v5 bool) (keys, pointers []byte) {
	area := inode[inodeV2Size:]
	if v5 {
		area = inode[inodeV3Size:]
	}
	if offset := int(inode[inodeForkOffset]) * 8; offset > 0 {
		area = area[:offset]
	}
	entries := area[btreeRootSize:]
	return entries, entries[len(entries)/btreeEntrySize*8:]
}

// TestHostile expects errors for files that were made to be read for ever, or
// to be read where nothing is.
func TestHostile(t *testing.T) {
	for _, c := range []struct {
		name, file string
		change     func(i *image, number uint64, inode []byte)
		want       string
	}{
		{"extent block twice", "holes", func(_ *image, _ uint64, inode []byte) {
			keys, pointers := treeRoot(inode, false)
			be.PutUint16(inode[inodeV2Size+2:], 2)
			be.PutUint64(keys[8:], 1<<20)
			copy(pointers[8:16], pointers[:8])
		}, "out of order"},
		{"extent block in itself", "holes", func(i *image, _ uint64, inode []byte) {
			_, pointers := treeRoot(inode, false)
			b := i.block(be.Uint64(pointers))
			be.PutUint16(b[4:], 1)
		}, "level 1 where 0 must be"},
		{"inner block before its key", "holes", func(i *image, _ uint64, inode []byte) {
			// The root's only key becomes 5, and a block between it and the leaf
			// says 0: so files could be out of order.
			keys, pointers := treeRoot(inode, false)
			be.PutUint64(keys, 5)
			be.PutUint32(inode[inodeV2Size:], 2<<16|1)
			file, leaf := i.inode(i.lookup("file"))[inodeV2Size:], be.Uint64(pointers)
			middle := be.Uint64(file)&0x1ff<<43 | be.Uint64(file[8:])>>21
			be.PutUint64(pointers, middle)
			b := i.block(middle)
			clear(b)
			be.PutUint32(b, btreeMagic)
			be.PutUint32(b[4:], 1<<16|1)
			be.PutUint64(b[btreeHeader+(len(b)-btreeHeader)/btreeEntrySize*8:], leaf)
		}, "blocks 0 to"},
		{"too deep", "holes", func(_ *image, _ uint64, inode []byte) { be.PutUint16(inode[inodeV2Size:], 17) }, "tree of 17 levels"},
		{"empty extent block", "holes", func(i *image, _ uint64, inode []byte) {
			_, pointers := treeRoot(inode, false)
			be.PutUint16(i.block(be.Uint64(pointers))[6:], 0)
		}, "0 entries"},
		{"more extents", "holes", func(_ *image, _ uint64, inode []byte) { be.PutUint32(inode[inodeExtents:], 5) }, "more than the inode says"},
		{"fewer extents", "holes", func(_ *image, _ uint64, inode []byte) { be.PutUint32(inode[inodeExtents:], 1<<30) }, "are missing of 1073741824"},
		{"extents outside", "file", func(_ *image, _ uint64, inode []byte) { be.PutUint32(inode[inodeExtents:], 1<<30) }, "extents: 1073741824 in"},
		{"block outside", "file", func(_ *image, _ uint64, inode []byte) { inode[inodeV2Size+7] |= 1 }, "outside the"},
		{"negative size", "file", func(_ *image, _ uint64, inode []byte) { inode[inodeSize] |= 0x80 }, "over the format's limit"},
		{"attributes outside", "file", func(_ *image, _ uint64, inode []byte) { inode[inodeForkOffset] = 200 }, "attributes at 1600"},
		{"realtime", "file", func(_ *image, _ uint64, inode []byte) { inode[inodeFlags+1] |= flagRealtime }, "realtime file"},
		{"file in inode", "file", func(_ *image, _ uint64, inode []byte) { inode[inodeFormat] = formatLocal }, "extents: format 1"},
		{"type", "file", func(_ *image, _ uint64, inode []byte) { inode[inodeMode] = 0xf0 }, "unknown file type"},
		{"free", "file", func(_ *image, _ uint64, inode []byte) { be.PutUint16(inode[inodeMode:], 0) }, "not in use"},
		{"unlinked", "file", func(_ *image, _ uint64, inode []byte) { be.PutUint32(inode[inodeLinks:], 0) }, "not in use"},
		{"magic", "file", func(_ *image, _ uint64, inode []byte) { inode[0] = 0 }, "no magic number"},
		{"version", "file", func(_ *image, _ uint64, inode []byte) { inode[inodeVersion] = 3 }, "version 3"},
		{"long symlink", "long", func(_ *image, _ uint64, inode []byte) { inode[inodeSize+6] = 9 }, "symlink of"},
		{"symlink outside", "symlink", func(_ *image, _ uint64, inode []byte) { inode[inodeSize+6] = 1 }, "symlink of 262 bytes in"},
		{"NUL in symlink", "symlink", func(_ *image, _ uint64, inode []byte) { inode[inodeV2Size] = 0 }, "NUL"},
		{"attribute block in itself", "node", func(i *image, number uint64, _ []byte) {
			b := i.forkBlock(number, true, 0)
			be.PutUint16(b[daHeader+2:], 2)
			clear(b[daHeader+nodeHeaderRest+4:][:4])
		}, "attributes: block 0: block 0: used twice"},
		{"attribute levels", "node", func(i *image, number uint64, _ []byte) {
			be.PutUint16(i.forkBlock(number, true, 0)[daHeader+2:], 6)
		}, "level 6"},
		{"attribute out of bounds", "holes", func(i *image, number uint64, _ []byte) {
			be.PutUint16(i.forkBlock(number, true, 0)[daHeader+leafHeaderRest+4:], 1023)
		}, "entry 0 at offset 1023 is out of bounds"},
		{"remote value", "short", func(i *image, number uint64, _ []byte) {
			b := i.forkBlock(number, true, 0)
			be.PutUint32(b[be.Uint16(b[daHeader+leafHeaderRest+4:])+4:], 1<<30)
		}, "value of 1073741824 bytes"},
		{"remote value in a hole", "short", func(i *image, number uint64, _ []byte) {
			b := i.forkBlock(number, true, 0)
			be.PutUint32(b[be.Uint16(b[daHeader+leafHeaderRest+4:]):], 1<<30)
		}, "block 1073741824: in a hole"},
		{"short attributes", "file", func(_ *image, _ uint64, inode []byte) {
			be.PutUint16(inode[inodeV2Size+int(inode[inodeForkOffset])*8:], 2000)
		}, "size is out of bounds"},
		{"name space", "file", func(_ *image, _ uint64, inode []byte) {
			inode[inodeV2Size+int(inode[inodeForkOffset])*8+6] = xattrRoot | xattrSecure
		}, "with flags 0x6"},
		{"directory's blocks twice", "leaf", func(_ *image, _ uint64, inode []byte) {
			// The first extent once more, a gigabyte later.
			first := inode[inodeV2Size:][:extentSize]
			second := inode[inodeV2Size+extentSize:]
			copy(second, first)
			be.PutUint64(second, be.Uint64(first)+1<<20<<9)
			be.PutUint32(inode[inodeExtents:], 2)
		}, "is used twice"},
		{"entry's length", "block", func(i *image, number uint64, _ []byte) {
			i.forkBlock(number, false, 0)[dirHeader+8] = 250
		}, "directory: block at 0: entry at offset"},
		{"index's length", "block", func(i *image, number uint64, _ []byte) {
			b := i.dirBlock(number, 0)
			be.PutUint32(b[len(b)-dirTailSize:], 1<<29)
		}, "index of 536870912 entries"},
		{"short directory", "short", func(_ *image, _ uint64, inode []byte) { inode[inodeV2Size] = 255 }, "entry at offset"},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := openSeed(t, "v4")
			number := i.lookup(c.file)
			c.change(i, number, i.inode(number))
			err := readInode(i.fs, number)
			if err == nil || !strings.HasPrefix(err.Error(), "xfs: inode ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, not about %q", err, c.want)
			}
		})
	}
}

// TestChecksums expects one changed byte to be noticed in each structure that
// has a checksum and, where it is right, what belongs elsewhere.
func TestChecksums(t *testing.T) {
	for _, c := range []struct {
		name, file string
		block      func(i *image, number uint64) []byte
		form       form
	}{
		{"extent block", "holes", func(i *image, number uint64) []byte {
			_, pointers := treeRoot(i.inode(number), true)
			return i.block(be.Uint64(pointers))
		}, btreeForm},
		{"directory of one block", "block", func(i *image, number uint64) []byte { return i.dirBlock(number, 0) }, dirForm},
		{"directory of several", "node", func(i *image, number uint64) []byte { return i.dirBlock(number, 1) }, dirForm},
		{"attribute leaf", "holes", func(i *image, number uint64) []byte { return i.forkBlock(number, true, 0) }, daBlockForm},
		{"attribute node", "node", func(i *image, number uint64) []byte { return i.forkBlock(number, true, 0) }, daBlockForm},
		{"leaf below a node", "node", func(i *image, number uint64) []byte { return i.forkBlock(number, true, 1) }, daBlockForm},
		{"remote value", "short", func(i *image, number uint64) []byte { return i.forkBlock(number, true, 1) }, remoteForm},
		{"symlink", "long", func(i *image, number uint64) []byte {
			b := i.forkBlock(number, false, 0)
			return b[: 2*len(b) : cap(b)] // two blocks with one checksum
		}, remoteForm},
		{"inode", "file", func(i *image, number uint64) []byte { return i.inode(number) }, form{inodeCRC, inodeNumber, inodeUUID, inodeNumber}},
	} {
		for _, change := range []struct {
			name string
			at   func(b []byte) int
			seal bool
			want string
		}{
			{"last byte", func(b []byte) int { return len(b) - 1 }, false, "checksum mismatch"},
			{"checksum", func([]byte) int { return c.form.crc }, false, "checksum mismatch"},
			{"file system", func([]byte) int { return c.form.uuid }, true, "another file system"},
			{"owner", func([]byte) int { return c.form.owner + 7 }, true, "inode "},
			{"place", func([]byte) int { return c.form.address + 7 }, true, "it "},
			{"offset", func([]byte) int { return 7 }, true, "where 0 comes"},
			{"length", func([]byte) int { return 8 }, true, "where 0 comes"},
		} {
			if c.form != remoteForm && (change.name == "offset" || change.name == "length") {
				continue // only these say what part of a whole they are
			}
			t.Run(c.name+"/"+change.name, func(t *testing.T) {
				i := openSeed(t, "v5")
				number := i.lookup(c.file)
				b := c.block(i, number)
				b[change.at(b)] ^= 1
				if change.seal {
					seal(b, c.form.crc)
				}
				err := readInode(i.fs, number)
				if err == nil || !strings.Contains(err.Error(), change.want) {
					t.Errorf("error is %v, not about %q", err, change.want)
				}
			})
		}
	}
}
