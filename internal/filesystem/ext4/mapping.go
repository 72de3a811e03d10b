package ext4

import (
	"fmt"
	"math"
)

// run is a stretch of a file's blocks that are stored one after the other.
type run struct {
	logical, physical, length uint64 // blocks
}

// end is the first block of the file after the run.
func (r run) end() uint64 { return r.logical + r.length }

// runs returns where a file's data is, in the file's order. What is not in it
// reads as zeros.
func (fs *FS) runs(n *node) ([]run, error) {
	if n.has(flagExtents) {
		return fs.extents(n)
	}
	return fs.indirectBlocks(n)
}

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
	extentMagic      = 0xf30a
	extentHeaderSize = 12
	extentSize       = 12
	extentMaxDepth   = 5
	// extentMaxLength is the longest extent; lengths above it, less this, are
	// of unwritten ones, which read as zeros.
	extentMaxLength = 32768
)

// extentTree is a file's "Extent Tree" while it is read.
type extentTree struct {
	fs   *FS
	node *node
	runs []run
}

func (fs *FS) extents(n *node) ([]run, error) {
	root := n.blockMap()
	t := extentTree{fs: fs, node: n}
	depth := int(le.Uint16(root[6:]))
	if depth > extentMaxDepth {
		return nil, fmt.Errorf("extent tree of depth %d", depth)
	}
	if err := t.visit(root, depth, 0, math.MaxUint32+1); err != nil {
		return nil, fmt.Errorf("extents: %w", err)
	}
	return t.runs, nil
}

// visit reads the node of the tree in b. All that it maps must be in
// [from, to), in rising order, and every node but the root must map something:
// so no block can be visited twice.
func (t *extentTree) visit(b []byte, depth int, from, to uint64) error {
	entries, limit := int(le.Uint16(b[2:])), int(le.Uint16(b[4:]))
	switch {
	case le.Uint16(b) != extentMagic:
		return fmt.Errorf("no magic number")
	case int(le.Uint16(b[6:])) != depth:
		return fmt.Errorf("depth %d where %d must be", le.Uint16(b[6:]), depth)
	case entries > limit || extentHeaderSize+limit*extentSize > len(b):
		return fmt.Errorf("%d entries of at most %d in %d bytes", entries, limit, len(b))
	}
	for i := range entries {
		e := b[extentHeaderSize+i*extentSize:][:extentSize]
		first := uint64(le.Uint32(e))
		if first < from || first >= to {
			return fmt.Errorf("block %d of the file is out of order", first)
		}
		if depth == 0 {
			end, err := t.add(e, first, to)
			if err != nil {
				return err
			}
			from = end
			continue
		}
		end := to
		if i+1 < entries {
			end = uint64(le.Uint32(b[extentHeaderSize+(i+1)*extentSize:]))
		}
		if end <= first || end > to {
			return fmt.Errorf("block %d of the file is out of order", end)
		}
		if err := t.descend(e, depth-1, first, end); err != nil {
			return err
		}
		from = end
	}
	return nil
}

// add takes a leaf's entry and returns the first block after it.
func (t *extentTree) add(e []byte, first, to uint64) (end uint64, err error) {
	length := uint64(le.Uint16(e[4:]))
	unwritten := length > extentMaxLength
	if unwritten {
		length -= extentMaxLength
	}
	r := run{logical: first, physical: uint64(le.Uint16(e[6:]))<<32 | uint64(le.Uint32(e[8:])), length: length}
	if length == 0 || r.end() > to {
		return 0, fmt.Errorf("extent of %d blocks at block %d of the file", length, first)
	}
	if err := t.fs.sb.checkBlocks(r.physical, length); err != nil {
		return 0, err
	}
	if !unwritten {
		t.runs = appendRun(t.runs, r)
	}
	return r.end(), nil
}

// descend visits the node that an index entry points to.
func (t *extentTree) descend(e []byte, depth int, from, to uint64) error {
	number := uint64(le.Uint16(e[8:]))<<32 | uint64(le.Uint32(e[4:]))
	b, err := t.fs.block(number)
	if err == nil {
		err = t.checkBlock(b)
	}
	if err == nil {
		err = t.visit(b, depth, from, to)
	}
	if err != nil {
		return fmt.Errorf("extent block %d: %w", number, err)
	}
	return nil
}

// checkBlock verifies the checksum after the last possible entry of a block.
func (t *extentTree) checkBlock(b []byte) error {
	if le.Uint16(b[2:]) == 0 {
		return fmt.Errorf("no entries")
	}
	if t.fs.sb.roCompat&roMetadataCsum == 0 {
		return nil
	}
	tail := extentHeaderSize + int(le.Uint16(b[4:]))*extentSize
	if tail+4 > len(b) {
		return fmt.Errorf("no room for a checksum after %d entries", le.Uint16(b[4:]))
	}
	if crc32c(t.node.seed, b[:tail]) != le.Uint32(b[tail:]) {
		return fmt.Errorf("checksum mismatch")
	}
	return nil
}
