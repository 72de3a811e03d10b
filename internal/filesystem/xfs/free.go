package xfs

import (
	"bytes"
	"fmt"
	"iter"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// Of "AG Free Space Block" and "AG Free Space B+trees": the header of an
// allocation group that says where its tree of free space is, and the blocks of
// that tree, whose records are in the order of the volume.
const (
	agfMagic    = 0x58414746 // "XAGF"
	agfSector   = 1
	agfCRC      = 216
	agfUUID     = 64
	agfHeaders  = 4 // sectors at the start of a group: superblock, AGF, AGI, AGFL
	maxHeight   = 16
	freeMagic   = 0x41425442 // "ABTB"
	freeMagicV5 = 0x41423342 // "AB3B"
	freeHeader  = 16
	freeRecord  = 8 // first block and count; also the size of a key
	freePointer = 4
)

// freeForm is the header of a version 5 block of the tree.
const (
	freeHeaderV5 = 56
	freeAddress  = 16
	freeUUID     = 32
	freeOwner    = 48
	freeCRC      = 52
)

var _ filesystem.FreeSpace = (*FS)(nil)

// Free implements filesystem.FreeSpace. That the file system was unmounted
// cleanly is a condition of Open.
func (fs *FS) Free() iter.Seq2[filesystem.Segment, error] {
	return func(yield func(filesystem.Segment, error) bool) {
		f := freeSpace{FS: fs, yield: yield}
		if err := f.run(); err != nil {
			yield(filesystem.Segment{}, fmt.Errorf("xfs: %w", err))
		}
	}
}

// freeSpace walks through the trees of free space.
type freeSpace struct {
	*FS
	yield   func(filesystem.Segment, error) bool
	stopped bool // by who asked
	total   uint64
}

// group is an allocation group, its numbers in blocks.
type group struct {
	number        uint32
	length, first uint64 // the first that a file can have
	free          uint64
	next          uint64 // all before it was passed
	blocks        int    // of the tree that were read
}

func (f *freeSpace) run() error {
	if unknown := f.sb.roCompat &^ roKnown; unknown != 0 {
		return fmt.Errorf("unknown features: %s", featureNames(unknown, nil, "ro_compat"))
	}
	for n := uint32(0); n < f.sb.groups && !f.stopped; n++ {
		if err := f.group(n); err != nil {
			return fmt.Errorf("allocation group %d: %w", n, err)
		}
	}
	if !f.stopped && f.total != f.sb.free {
		return fmt.Errorf("superblock: %d free blocks, but the allocation groups have %d", f.sb.free, f.total)
	}
	return nil
}

// group yields what is free in an allocation group.
func (f *freeSpace) group(n uint32) error {
	sb := f.sb
	start := uint64(n) * uint64(sb.agBlocks)
	b := make([]byte, sb.sectorSize)
	if err := f.read(b, int64(start)*sb.blockSize+agfSector*int64(sb.sectorSize)); err != nil {
		return fmt.Errorf("AGF: %w", err)
	}
	g := group{
		number: n, length: min(uint64(sb.agBlocks), sb.blocks-start),
		first: (agfHeaders*uint64(sb.sectorSize)-1)/uint64(sb.blockSize) + 1,
	}
	g.next = g.first
	switch {
	case be.Uint32(b) != agfMagic || be.Uint32(b[4:]) != 1:
		return fmt.Errorf("AGF: no magic number, or an unknown version")
	case sb.v5() && !checksumValid(b, agfCRC):
		return fmt.Errorf("AGF: checksum mismatch")
	case sb.v5() && !bytes.Equal(b[agfUUID:agfUUID+16], sb.metaUUID):
		return fmt.Errorf("AGF: it belongs to another file system")
	case be.Uint32(b[8:]) != n || uint64(be.Uint32(b[12:])) != g.length:
		return fmt.Errorf("AGF: it is that of group %d, of %d blocks", be.Uint32(b[8:]), be.Uint32(b[12:]))
	}
	root, levels := be.Uint32(b[16:]), be.Uint32(b[28:])
	list, free, inTrees := uint64(be.Uint32(b[48:])), uint64(be.Uint32(b[52:])), uint64(be.Uint32(b[60:]))
	if levels == 0 || levels > maxHeight {
		return fmt.Errorf("AGF: a tree of %d levels", levels)
	}
	if err := f.tree(&g, root, levels-1); err != nil || f.stopped {
		return err
	}
	if g.free != free {
		return fmt.Errorf("%d free blocks, but the AGF says %d", g.free, free)
	}
	// Blocks that wait to become a tree's, and those that did beyond its root,
	// are no longer free but count as such.
	f.total += free + list + inTrees
	return nil
}

// tree yields what is in a block of the tree, and below it.
func (f *freeSpace) tree(g *group, number, level uint32) error {
	b, header, err := f.treeBlock(g, number, level)
	if err != nil {
		return fmt.Errorf("free space tree, block %d: %w", number, err)
	}
	count := int(be.Uint16(b[6:]))
	if level == 0 {
		if count > (len(b)-header)/freeRecord {
			return fmt.Errorf("free space tree, block %d: %d records", number, count)
		}
		for i := 0; i < count && err == nil && !f.stopped; i++ {
			record := b[header+i*freeRecord:]
			err = f.record(g, uint64(be.Uint32(record)), uint64(be.Uint32(record[4:])))
		}
		return err
	}
	most := (len(b) - header) / (freeRecord + freePointer)
	if count == 0 || count > most {
		return fmt.Errorf("free space tree, block %d: %d pointers", number, count)
	}
	for i := 0; i < count && err == nil && !f.stopped; i++ {
		err = f.tree(g, be.Uint32(b[header+most*freeRecord+i*freePointer:]), level-1)
	}
	return err
}

// treeBlock reads and checks a block of the tree, and says where its records
// begin.
func (f *freeSpace) treeBlock(g *group, number, level uint32) ([]byte, int, error) {
	if uint64(number) < g.first || uint64(number) >= g.length {
		return nil, 0, fmt.Errorf("it is not within the group's %d", g.length)
	}
	// More blocks than the group has are a loop.
	if g.blocks++; uint64(g.blocks) > g.length {
		return nil, 0, fmt.Errorf("the tree loops")
	}
	at := uint64(g.number)*uint64(f.sb.agBlocks) + uint64(number)
	b, err := f.blocks(at, 1)
	if err != nil {
		return nil, 0, err
	}
	magic, header := uint32(freeMagic), freeHeader
	if f.sb.v5() {
		magic, header = freeMagicV5, freeHeaderV5
		switch {
		case !checksumValid(b, freeCRC):
			return nil, 0, fmt.Errorf("checksum mismatch")
		case !bytes.Equal(b[freeUUID:freeUUID+16], f.sb.metaUUID) || be.Uint32(b[freeOwner:]) != g.number ||
			be.Uint64(b[freeAddress:]) != at<<f.sb.blockLog/sectorSize:
			return nil, 0, fmt.Errorf("it belongs to another place")
		}
	}
	if be.Uint32(b) != magic || uint32(be.Uint16(b[4:])) != level {
		return nil, 0, fmt.Errorf("it is no block of level %d of the tree", level)
	}
	return b, header, nil
}

// record yields one run of free blocks.
func (f *freeSpace) record(g *group, block, count uint64) error {
	if block < g.next || block >= g.length || count == 0 || count > g.length-block {
		return fmt.Errorf("free space tree: blocks %d+%d are out of order, or not within the group's %d", block, count, g.length)
	}
	g.next = block + count
	g.free += count
	at := uint64(g.number)*uint64(f.sb.agBlocks) + block
	f.stopped = !f.yield(filesystem.Segment{Offset: int64(at) * f.sb.blockSize, Length: int64(count) * f.sb.blockSize}, nil)
	return nil
}
