package xfs

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

const (
	// dirLeafOffset is where in a directory's fork its index begins; names are
	// before it.
	dirLeafOffset = 32 << 30
	// dirReadAtATime is a multiple of the largest directory block.
	dirReadAtATime = 256 << 10

	dirHeader   = 16
	dirHeaderV5 = 64
	dirTailSize = 8 // of a directory that is a single block; before it are index entries
	indexSize   = 8
	direntSize  = 9      // and the name, perhaps a file type, and the entry's offset
	direntFree  = 0xffff // in place of the upper half of an inode number
)

// Magic numbers of blocks with names: of a single one, and of one of several.
var (
	dirBlockMagic = map[bool]uint32{false: 0x58443242, true: 0x58444233} // "XD2B", "XDB3"
	dirDataMagic  = map[bool]uint32{false: 0x58443244, true: 0x58444433} // "XD2D", "XDD3"
)

// ReadDir lists a directory, sorted by name. Every block with names is read in
// order, and its index not at all.
func (fs *FS) ReadDir(dir *filesystem.Inode) ([]filesystem.DirEntry, error) {
	n, err := fs.node(dir)
	if err != nil {
		return nil, err
	}
	if !n.mode().IsDir() {
		return nil, n.errorf("not a directory")
	}
	read := fs.readDirBlocks
	if n.raw[inodeFormat] == formatLocal {
		read = fs.readShortDir
	}
	entries, err := read(n)
	if err != nil {
		return nil, n.errorf("directory: %w", err)
	}
	slices.SortFunc(entries, func(a, b filesystem.DirEntry) int { return cmp.Compare(a.Name, b.Name) })
	for i := 1; i < len(entries); i++ {
		if entries[i].Name == entries[i-1].Name {
			return nil, n.errorf("directory: two entries named %q", entries[i].Name)
		}
	}
	return entries, nil
}

// readShortDir reads a directory in its inode ("Short Form Directories").
func (fs *FS) readShortDir(n *node) ([]filesystem.DirEntry, error) {
	b := n.dataFork().area
	if size := n.size(); size < int64(len(b)) {
		b = b[:size]
	}
	if len(b) < 6 {
		return nil, fmt.Errorf("cut short at %d bytes", len(b))
	}
	count, numberSize := int(b[0]), 4
	if b[1] > 0 {
		numberSize = 8
	}
	typeSize := 0
	if fs.sb.fileType() {
		typeSize = 1
	}
	entries := make([]filesystem.DirEntry, 0, count)
	at := 2 + numberSize
	for range count {
		if at+3 > len(b) || at+3+int(b[at])+typeSize+numberSize > len(b) {
			return nil, fmt.Errorf("entry at offset %d: cut short", at)
		}
		name := string(b[at+3:][:b[at]])
		if err := checkName(name); err != nil {
			return nil, fmt.Errorf("entry at offset %d: %w", at, err)
		}
		at += 3 + len(name) + typeSize
		inode := uint64(be.Uint32(b[at:]))
		if numberSize == 8 {
			inode = be.Uint64(b[at:])
		}
		entries = append(entries, filesystem.DirEntry{Name: name, Inode: inode})
		at += numberSize
	}
	return entries, nil
}

func checkName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("name %q", name)
	}
	return nil
}

// readDirBlocks reads a directory that has blocks of its own. Those that became
// empty are holes.
func (fs *FS) readDirBlocks(n *node) (entries []filesystem.DirEntry, err error) {
	runs, err := fs.runs(n, n.dataFork())
	if err == nil {
		err = checkShared(runs)
	}
	if err != nil {
		return nil, err
	}
	f := &blockFile{fs: fs, size: dirLeafOffset, runs: runs}
	size := fs.sb.blockSize << fs.sb.dirBlockLog
	for _, s := range f.Segments() {
		if s.Offset%size != 0 || s.Length%size != 0 {
			return nil, fmt.Errorf("%d bytes at %d: not whole blocks of %d", s.Length, s.Offset, size)
		}
		buffer := make([]byte, min(s.Length, dirReadAtATime))
		for at := int64(0); at < s.Length; at += int64(len(buffer)) {
			chunk := buffer[:min(int64(len(buffer)), s.Length-at)]
			if _, err := f.ReadAt(chunk, s.Offset+at); err != nil {
				return nil, err
			}
			for i := int64(0); i < int64(len(chunk)); i += size {
				if entries, err = fs.appendDirBlock(entries, n, f, chunk[i:i+size], s.Offset+at+i); err != nil {
					return nil, fmt.Errorf("block at %d: %w", s.Offset+at+i, err)
				}
			}
		}
	}
	return entries, nil
}

// checkShared refuses a directory in which a block is used twice: it could be
// of any size.
func checkShared(runs []run) error {
	runs = slices.Clone(runs)
	slices.SortFunc(runs, func(a, b run) int { return cmp.Compare(a.physical, b.physical) })
	for i := 1; i < len(runs); i++ {
		if runs[i-1].physical+runs[i-1].length > runs[i].physical {
			return fmt.Errorf("block %d of the volume is used twice", runs[i].physical)
		}
	}
	return nil
}

// appendDirBlock verifies the block at an offset of the directory and adds its
// entries ("Block Directories", "Leaf Directories").
func (fs *FS) appendDirBlock(entries []filesystem.DirEntry, n *node, f *blockFile, b []byte, off int64) ([]filesystem.DirEntry, error) {
	v5 := fs.sb.v5()
	end := len(b)
	magic := be.Uint32(b)
	switch {
	case magic == dirDataMagic[v5]:
	case magic == dirBlockMagic[v5] && off == 0:
		count := be.Uint32(b[len(b)-dirTailSize:])
		if uint64(count) > uint64(len(b)/indexSize) {
			return nil, fmt.Errorf("index of %d entries", count)
		}
		end -= dirTailSize + int(count)*indexSize
	default:
		return nil, fmt.Errorf("no magic number")
	}
	physical, _ := f.block(uint64(off / fs.sb.blockSize))
	if err := fs.verify(n, b, dirForm, physical); err != nil {
		return nil, err
	}
	header := dirHeader
	if v5 {
		header = dirHeaderV5
	}
	if end < header {
		return nil, fmt.Errorf("no room for entries")
	}
	return fs.appendEntries(entries, b[:end], header)
}

// appendEntries adds the entries in use of a block but for "." and "..".
func (fs *FS) appendEntries(entries []filesystem.DirEntry, b []byte, first int) ([]filesystem.DirEntry, error) {
	typeSize := 0
	if fs.sb.fileType() {
		typeSize = 1
	}
	var length int
	for at := first; at < len(b); at += length {
		e := b[at:]
		if len(e) < 8 {
			return nil, fmt.Errorf("entry at offset %d: cut short", at)
		}
		free := be.Uint16(e) == direntFree
		if free {
			length = int(be.Uint16(e[2:]))
		} else if len(e) >= direntSize {
			length = (direntSize + int(e[8]) + typeSize + 2 + 7) &^ 7
		}
		if length < 8 || length%8 != 0 || length > len(e) {
			return nil, fmt.Errorf("entry at offset %d: length %d", at, length)
		}
		if tag := int(be.Uint16(e[length-2:])); tag != at {
			return nil, fmt.Errorf("entry at offset %d: it says that it is at %d", at, tag)
		}
		if free {
			continue
		}
		name := e[direntSize:][:e[8]]
		if bytes.Equal(name, []byte(".")) || bytes.Equal(name, []byte("..")) {
			continue
		}
		if err := checkName(string(name)); err != nil {
			return nil, fmt.Errorf("entry at offset %d: %w", at, err)
		}
		entries = append(entries, filesystem.DirEntry{Name: string(name), Inode: be.Uint64(e)})
	}
	return entries, nil
}
