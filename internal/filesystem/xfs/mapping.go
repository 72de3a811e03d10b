package xfs

import (
	"fmt"
	"math"
)

// run is a stretch of a fork's blocks that are stored one after the other.
type run struct {
	logical, physical, length uint64 // blocks; physical is in the volume
}

// end is the first block of the fork after the run.
func (r run) end() uint64 { return r.logical + r.length }

// appendRun adds a run behind others, and joins it with the last where it can.
func appendRun(runs []run, r run) []run {
	if len(runs) > 0 {
		last := &runs[len(runs)-1]
		if last.end() == r.logical && last.physical+last.length == r.physical {
			last.length += r.length
			return runs
		}
	}
	return append(runs, r)
}

const (
	extentSize = 16
	// maxLevels is above what any file needs; the kernel's own limit depends
	// on the block size.
	maxLevels      = 16
	btreeRootSize  = 4
	btreeMagic     = 0x424d4150 // "BMAP"
	btreeMagicV5   = 0x424d4133 // "BMA3"
	btreeHeader    = 24
	btreeHeaderV5  = 72
	btreeEntrySize = 16 // a key and, apart from it, a pointer
)

// extentMap is a fork's map of blocks while it is read ("Extent List",
// "B+tree Extent List").
type extentMap struct {
	fs   *FS
	node *node
	runs []run
	left uint64 // extents that have not come yet
}

// runs returns where a fork's blocks are, in order. What is not in it reads as
// zeros: space that was allocated but never written, too.
func (fs *FS) runs(n *node, f fork) ([]run, error) {
	m := extentMap{fs: fs, node: n, left: f.extents}
	limit := min(f.limit, uint64(math.MaxInt64/fs.sb.blockSize)+1)
	var err error
	switch f.format {
	case formatExtents:
		if f.extents > uint64(len(f.area)/extentSize) {
			return nil, fmt.Errorf("%s: %d in %d bytes", f.name, f.extents, len(f.area))
		}
		err = m.leaf(f.area[:f.extents*extentSize], 0, limit)
	case formatBtree:
		err = m.root(f.area, limit)
	default:
		return nil, fmt.Errorf("%s: format %d", f.name, f.format)
	}
	if err == nil && m.left != 0 {
		err = fmt.Errorf("%d are missing of %d", m.left, f.extents)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	return m.runs, nil
}

// root reads the root of the tree, which is in the inode.
func (m *extentMap) root(area []byte, limit uint64) error {
	if len(area) < btreeRootSize {
		return fmt.Errorf("no room for a tree")
	}
	level, count := int(be.Uint16(area)), int(be.Uint16(area[2:]))
	entries := area[btreeRootSize:]
	if level < 1 || level > maxLevels || count == 0 || count > len(entries)/btreeEntrySize {
		return fmt.Errorf("tree of %d levels and %d entries in %d bytes", level, count, len(area))
	}
	return m.inner(entries, level, count, 0, limit)
}

// inner reads the entries of an inner block, keys first. All that it maps must
// be in [from, to), in rising order, and every block must map something: so no
// block can be visited twice.
func (m *extentMap) inner(entries []byte, level, count int, from, to uint64) error {
	pointers := entries[len(entries)/btreeEntrySize*8:]
	for i := range count {
		first, end := be.Uint64(entries[i*8:]), to
		if i+1 < count {
			end = be.Uint64(entries[(i+1)*8:])
		}
		if first < from || end <= first || end > to {
			return fmt.Errorf("blocks %d to %d of the file are out of order", first, end)
		}
		number := be.Uint64(pointers[i*8:])
		if err := m.block(number, level-1, first, end); err != nil {
			return fmt.Errorf("block %#x: %w", number, err)
		}
		from = end
	}
	return nil
}

// block reads a block of the tree.
func (m *extentMap) block(number uint64, level int, from, to uint64) error {
	sb := m.fs.sb
	physical, err := sb.physical(number, 1)
	if err != nil {
		return err
	}
	b, err := m.fs.blocks(physical, 1)
	if err != nil {
		return err
	}
	magic, header := uint32(btreeMagic), btreeHeader
	if sb.v5() {
		magic, header = btreeMagicV5, btreeHeaderV5
	}
	if be.Uint32(b) != magic {
		return fmt.Errorf("no magic number")
	}
	if err := m.fs.verify(m.node, b, btreeForm, physical); err != nil {
		return err
	}
	count := int(be.Uint16(b[6:]))
	entries := b[header:]
	switch {
	case int(be.Uint16(b[4:])) != level:
		return fmt.Errorf("level %d where %d must be", be.Uint16(b[4:]), level)
	case count == 0 || count > len(entries)/btreeEntrySize:
		return fmt.Errorf("%d entries in %d bytes", count, len(entries))
	case level > 0:
		return m.inner(entries, level, count, from, to)
	}
	return m.leaf(entries[:count*extentSize], from, to)
}

// leaf takes extents, which must be in [from, to), in rising order ("Data
// Extents").
func (m *extentMap) leaf(extents []byte, from, to uint64) error {
	for ; len(extents) > 0; extents = extents[extentSize:] {
		high, low := be.Uint64(extents), be.Uint64(extents[8:])
		unwritten := high>>63 != 0
		r := run{logical: high << 1 >> 10, length: low & (1<<21 - 1)}
		if r.length == 0 || r.logical < from || r.end() > to {
			return fmt.Errorf("extent of %d blocks at block %d is out of order", r.length, r.logical)
		}
		if m.left == 0 {
			return fmt.Errorf("more than the inode says")
		}
		m.left--
		var err error
		if r.physical, err = m.fs.sb.physical(high&0x1ff<<43|low>>21, r.length); err != nil {
			return err
		}
		if !unwritten {
			m.runs = appendRun(m.runs, r)
		}
		from = r.end()
	}
	return nil
}
