package ext4

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

const (
	direntSize     = 8 // and the name
	dirTailSize    = 12
	dirTailType    = 0xde
	dirReadAtATime = 256 << 10
	// inlineDirHeader is the parent's number, in place of "." and "..".
	inlineDirHeader = 4
)

// ReadDir lists a directory, sorted by name. Every block of it is read in
// order: those of its index look like blocks with one unused entry.
func (fs *FS) ReadDir(dir *filesystem.Inode) ([]filesystem.DirEntry, error) {
	n, err := fs.node(dir)
	if err != nil {
		return nil, err
	}
	if !n.mode().IsDir() {
		return nil, n.errorf("not a directory")
	}
	read := fs.readDirBlocks
	if n.has(flagInlineData) {
		read = readInlineDir
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

// readInlineDir reads a directory in its inode: entries in place of the block
// map and, apart from them, in an attribute.
func readInlineDir(n *node) (entries []filesystem.DirEntry, err error) {
	for _, area := range [][]byte{n.blockMap()[inlineDirHeader:], n.inline} {
		if entries, err = appendEntries(entries, area); err != nil {
			return nil, fmt.Errorf("inline data: %w", err)
		}
	}
	return entries, nil
}

func (fs *FS) readDirBlocks(n *node) (entries []filesystem.DirEntry, err error) {
	size, err := fs.size(n)
	if err != nil {
		return nil, err
	}
	runs, err := fs.runs(n)
	if err != nil {
		return nil, err
	}
	bs := fs.sb.blockSize
	if size%bs != 0 {
		return nil, fmt.Errorf("its size of %d is not in blocks of %d", size, bs)
	}
	var next uint64
	total := uint64(size / bs)
	for _, r := range runs {
		if next == total {
			break
		}
		if r.logical != next {
			return nil, fmt.Errorf("hole at block %d", next)
		}
		r.length = min(r.length, total-next)
		if entries, err = fs.appendDirRun(entries, n, r); err != nil {
			return nil, err
		}
		next = r.end()
	}
	if next != total {
		return nil, fmt.Errorf("hole at block %d", next)
	}
	return entries, nil
}

// appendDirRun reads blocks that are stored one after the other.
func (fs *FS) appendDirRun(entries []filesystem.DirEntry, n *node, r run) ([]filesystem.DirEntry, error) {
	bs := fs.sb.blockSize
	buffer := make([]byte, min(int64(r.length)*bs, dirReadAtATime))
	for r.length > 0 {
		blocks := min(r.length, uint64(int64(len(buffer))/bs))
		chunk := buffer[:int64(blocks)*bs]
		if err := fs.read(chunk, int64(r.physical)*bs); err != nil {
			return nil, err
		}
		for i := range blocks {
			area, err := fs.dirArea(n, chunk[int64(i)*bs:][:bs], r.logical+i)
			if err == nil {
				entries, err = appendEntries(entries, area)
			}
			if err != nil {
				return nil, fmt.Errorf("block %d: %w", r.logical+i, err)
			}
		}
		r = run{logical: r.logical + blocks, physical: r.physical + blocks, length: r.length - blocks}
	}
	return entries, nil
}

// dirArea verifies a directory block's checksum and returns the part of it that
// holds entries.
func (fs *FS) dirArea(n *node, b []byte, logical uint64) ([]byte, error) {
	if fs.sb.roCompat&roMetadataCsum == 0 {
		return b, nil
	}
	indexed := fs.sb.compat&compatDirIndex != 0 && n.has(flagIndex)
	if indexed && (logical == 0 || recordLength(b, len(b)) == len(b)) {
		return b, n.checkIndexBlock(b)
	}
	tail := b[len(b)-dirTailSize:]
	if le.Uint32(tail) != 0 || le.Uint16(tail[4:]) != dirTailSize || le.Uint16(tail[6:]) != dirTailType<<8 {
		return nil, fmt.Errorf("no checksum")
	}
	area := b[:len(b)-dirTailSize]
	if crc32c(n.seed, area) != le.Uint32(tail[8:]) {
		return nil, fmt.Errorf("checksum mismatch")
	}
	return area, nil
}

// checkIndexBlock verifies the checksum of a block of the directory's index
// ("Hash Tree Directories"): of its entries in use, and of the tail that comes
// after the last possible one.
func (n *node) checkIndexBlock(b []byte) error {
	counts := 8 // after one unused entry; in the root after "." and ".." and the index's own header
	if recordLength(b, len(b)) == 12 {
		counts = 32
	}
	limit, count := int(le.Uint16(b[counts:])), int(le.Uint16(b[counts+2:]))
	tail := counts + 8*limit
	if count > limit || tail+8 > len(b) {
		return fmt.Errorf("index: %d entries of at most %d", count, limit)
	}
	crc := crc32c(n.seed, b[:counts+8*count])
	if crc32cHole(crc, b[tail:tail+8], 4, 4) != le.Uint32(b[tail+4:]) {
		return fmt.Errorf("index: checksum mismatch")
	}
	return nil
}

// appendEntries adds the entries in use of an area ("Linear (Classic)
// Directories") but for "." and "..".
func appendEntries(entries []filesystem.DirEntry, area []byte) ([]filesystem.DirEntry, error) {
	for at := 0; at < len(area); {
		b := area[at:]
		if len(b) < direntSize {
			return nil, fmt.Errorf("entry at offset %d: cut short", at)
		}
		length, nameLength := recordLength(b, len(area)), int(b[6])
		if length < direntSize+nameLength || length%4 != 0 || length > len(b) {
			return nil, fmt.Errorf("entry at offset %d: length %d", at, length)
		}
		if inode := le.Uint32(b); inode != 0 {
			name := string(b[direntSize : direntSize+nameLength])
			if name == "" || strings.ContainsAny(name, "/\x00") {
				return nil, fmt.Errorf("entry at offset %d: name %q", at, name)
			}
			if name != "." && name != ".." {
				entries = append(entries, filesystem.DirEntry{Name: name, Inode: uint64(inode)})
			}
		}
		at += length
	}
	return entries, nil
}

// recordLength returns the length of the entry at the start of b. Areas of
// 64 KiB do not fit its 16 bits: its lowest two, always zero, are the highest.
func recordLength(b []byte, area int) int {
	length := int(le.Uint16(b[4:]))
	if area < 1<<16-dirTailSize {
		return length
	}
	if length == 0 || length == 1<<16-1 {
		return 1 << 16
	}
	return length&^3 | length&3<<16
}
