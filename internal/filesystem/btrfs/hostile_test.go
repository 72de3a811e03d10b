package btrfs

import (
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// read reads an inode and what it holds.
func (i *image) read(path ...string) error {
	inode, err := i.walk(path...)
	if err == nil && inode.Mode.IsDir() {
		_, err = i.fs.ReadDir(inode)
	} else if err == nil && inode.Mode.IsRegular() {
		var f filesystem.File
		if f, err = i.fs.Open(inode); err == nil {
			for _, s := range f.Segments() {
				if _, err = f.ReadAt(make([]byte, s.Length), s.Offset); err != nil {
					return err
				}
			}
		}
	}
	return err
}

// TestHostile expects errors for files that were made to be read for ever, or
// to be read where nothing is. All checksums are right.
func TestHostile(t *testing.T) {
	setUint64 := func(at int, value uint64) func([]byte) { return func(b []byte) { le.PutUint64(b[at:], value) } }
	setByte := func(at int, value byte) func([]byte) { return func(b []byte) { b[at] = value } }
	for _, c := range []struct {
		name, file string
		kind       uint8
		change     func(data []byte)
		want       string
	}{
		{"size", "text", typeInode, setUint64(inodeSize, 1<<63), "size 9223372036854775808"},
		{"mode", "text", typeInode, setByte(inodeMode+2, 1), "mode 0300640"},
		{"type", "text", typeInode, setByte(inodeMode+1, 0xf0), "unknown file type"},
		{"unlinked", "text", typeInode, setByte(inodeLinks, 0), "not in use"},
		{"long symlink", "symlink", typeInode, setUint64(inodeSize, 4096), "symlink of 4096 bytes"},
		{"empty symlink", "symlink", typeInode, setUint64(inodeSize, 0), "symlink of 0 bytes"},
		{"NUL in symlink", "symlink", typeExtent, setByte(extentHeader, 0), "NUL"},
		{"attribute's length", "text", typeXattr, setByte(26, 0xff), "is cut short"},
		{"attribute's name", "text", typeXattr, setByte(dirEntryHeader, 0), "name \"\\x00ser"},
		{"name", "names", typeDirIndex, setByte(dirEntryHeader, '/'), "name \"/"},
		{"name's length", "names", typeDirIndex, setByte(28, 0xff), "is cut short"},
		{"encrypted name", "names", typeDirIndex, setByte(29, 0x81), "encrypted"},
		{"kind of entry", "names", typeDirIndex, setByte(8, 12), "names an item of type 12"},
		{"great inode", "names", typeDirIndex, setByte(7, 1), "numbers this great"},
		{"inode that is not there", "names", typeDirIndex, setByte(2, 1), ""},
		{"encrypted data", "text", typeExtent, setByte(17, 1), "encrypted or encoded"},
		{"kind of extent", "text", typeExtent, setByte(20, 3), "of type 3"},
		{"kind of compression", "text", typeExtent, setByte(16, 4), "compression 4 cannot be read"},
		{"wrong compression", "text", typeExtent, setByte(16, 3), "decompress: zstd"},
		{"bomb", "text", typeExtent, setUint64(8, 1<<40), "1099511627776 compressed to"},
		{"compressed to much", "text", typeExtent, setUint64(29, 1<<40), "compressed to 1099511627776 bytes"},
		{"compressed to nothing", "text", typeExtent, setUint64(29, 0), "compressed to 0 bytes"},
		{"part of extent", "text", typeExtent, setUint64(37, 1<<40), "bytes at 1099511627776 of"},
		{"length", "text", typeExtent, setUint64(45, 1<<63+4096), "9223372036854779904 bytes"},
		{"no length", "text", typeExtent, setUint64(45, 0), "0 bytes"},
		{"no sectors", "text", typeExtent, setUint64(45, 100), "100 bytes"},
		{"address", "text", typeExtent, setUint64(21, 1<<50), "are in no chunk"},
		{"address without checksums", "text", typeExtent, func(b []byte) { b[23] ^= 0x40 }, "checksum"},
		{"inline length", "inline", typeExtent, setUint64(8, 1<<20), "1048576 bytes in the tree"},
		{"inline compression", "inline", typeExtent, setByte(extentHeader, 0xff), "decompress: zlib"},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := openSeed(t)
			inode, err := i.walk("zlib", c.file)
			if err != nil {
				t.Fatal(err)
			}
			n := inode.Sys.(*node)
			block, data := i.item(n.subvolume.tree, n.object, c.kind)
			if block == nil {
				t.Fatal("no such item")
			}
			c.change(data)
			seal(block)
			i.fs.nodes = newCache[*treeNode](8)
			err = i.read("zlib", c.file)
			if c.want == "" {
				if err != nil {
					t.Error(err) // the directory itself can be read
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), "btrfs: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, not about %q", err, c.want)
			}
		})
	}
}

// TestTrees expects errors for trees that could be read for ever, or that are
// not what they were when they were pointed to.
func TestTrees(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(root, child []byte)
		want   string
	}{
		{"child twice", func(root, _ []byte) { copy(root[nodeHeader+pointerSize+keySize:][:16], root[nodeHeader+keySize:]) }, "does not begin with key"},
		{"child is itself", func(root, _ []byte) { copy(root[nodeHeader+keySize:][:8], root[48:56]) }, "level 1 of"},
		{"generation", func(root, _ []byte) { root[nodeHeader+keySize+8]++ }, "of generation"},
		{"first key", func(root, _ []byte) { root[nodeHeader+pointerSize+9]++ }, "does not begin with key"},
		{"order", func(root, _ []byte) { clear(root[nodeHeader+pointerSize:][:keySize]) }, "is out of order"},
		{"no pointers", func(root, _ []byte) { clear(root[96:100]) }, "0 entries at level 1"},
		{"many pointers", func(root, _ []byte) { root[97] = 1 }, "entries at level 1"},
		{"negative pointers", func(root, _ []byte) { root[99] = 0x80 }, "entries at level 1"},
		{"place", func(root, _ []byte) { root[49] ^= 0x10 }, "it belongs to address"},
		{"file system", func(root, _ []byte) { root[32]++ }, "another file system"},
		{"empty child", func(_, child []byte) { clear(child[96:100]) }, "does not begin with key"},
		{"child beyond its end", func(_, child []byte) {
			last := nodeHeader + (int(le.Uint32(child[96:]))-1)*itemSize
			child[last+3] = 1
		}, "is beyond its end"},
		{"item's place", func(_, child []byte) { child[nodeHeader+keySize+2] = 1 }, "are out of bounds"},
		{"item in the keys", func(_, child []byte) { clear(child[nodeHeader+keySize:][:4]) }, "are out of bounds"},
		{"item's length", func(_, child []byte) { child[nodeHeader+keySize+7] = 0xff }, "are out of bounds"},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := openSeed(t)
			zlib, err := i.walk("zlib")
			if err != nil {
				t.Fatal(err)
			}
			tree := zlib.Sys.(*node).subvolume.tree
			if tree.level != 1 {
				t.Fatalf("level %d", tree.level)
			}
			root := i.place(tree.block)
			child := i.place(le.Uint64(root[nodeHeader+keySize:]))
			c.change(root, child)
			seal(root)
			seal(child)
			i.fs.nodes = newCache[*treeNode](8)
			for _, err = range i.fs.items(&tree, key{}, key{object: maxOffset}) {
				if err != nil {
					break
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, not about %q", err, c.want)
			}
		})
	}
}
