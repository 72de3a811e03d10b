package ext4

import (
	"fmt"
	"iter"
	"math"
	"math/bits"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

var _ filesystem.FreeSpace = (*FS)(nil)

// Free implements filesystem.FreeSpace by the "Block and Inode Bitmaps".
func (fs *FS) Free() iter.Seq2[filesystem.Segment, error] {
	return func(yield func(filesystem.Segment, error) bool) {
		f := freeSpace{FS: fs, yield: yield}
		if err := f.run(); err != nil {
			yield(filesystem.Segment{}, fmt.Errorf("ext4: %w", err))
		}
	}
}

// freeSpace walks through the groups' bitmaps, in which a bit stands for a
// cluster: one block, or several with bigalloc.
type freeSpace struct {
	*FS
	yield   func(filesystem.Segment, error) bool
	stopped bool // by who asked

	cluster  uint64 // blocks in a cluster
	perGroup uint64 // clusters in a group
	groups   []group
	own      []blockRange // the groups' bitmaps and tables, wherever they are
	total    uint64       // free clusters
	pending  filesystem.Segment
}

// maxGroups bounds the memory for them. A file system of 16 TiB has 128 Ki.
const maxGroups = 1 << 20

// group is what a group's descriptor says.
type group struct {
	bitmap   uint64
	free     uint64 // clusters
	uninit   bool   // the bitmap is not on the disk: only structures are in use
	checksum uint32
}

// blockRange is a run of blocks.
type blockRange struct{ first, count uint64 }

func (f *freeSpace) run() error {
	if err := f.checkClean(); err != nil {
		return err
	}
	if err := f.geometry(); err != nil {
		return err
	}
	for n := range f.sb.groups {
		if err := f.readGroup(n); err != nil {
			return fmt.Errorf("group descriptor %d: %w", n, err)
		}
	}
	owned := f.ownByGroup()
	for n := range f.sb.groups {
		if err := f.group(n, owned[n]); err != nil {
			return fmt.Errorf("block group %d: %w", n, err)
		}
		if f.stopped {
			return nil
		}
	}
	if f.total*f.cluster != f.sb.free {
		return fmt.Errorf("superblock: %d free blocks, but the groups have %d", f.sb.free, f.total*f.cluster)
	}
	f.flush()
	return nil
}

// checkClean refuses a file system whose bitmaps may be behind.
func (f *freeSpace) checkClean() error {
	switch {
	case f.sb.incompat&incompatRecover != 0 || f.replayed:
		return fmt.Errorf("it was not unmounted cleanly")
	case f.sb.state&stateErrors != 0:
		return fmt.Errorf("the kernel has recorded errors in it: run e2fsck on it")
	case f.sb.state&stateClean == 0:
		return fmt.Errorf("it was not unmounted cleanly, or not checked since")
	case f.sb.roCompat&^roKnown != 0:
		return fmt.Errorf("unknown features: %s", featureNames(f.sb.roCompat&^roKnown, nil, 'R'))
	case f.sb.roCompat&(roSnapshot|roReplica) != 0:
		return fmt.Errorf("snapshots or replicas, which own blocks by rules of their own")
	}
	return nil
}

// geometry reads how large clusters are.
func (f *freeSpace) geometry() error {
	sb := f.sb
	if sb.groups > maxGroups {
		return fmt.Errorf("superblock: %d block groups", sb.groups)
	}
	f.cluster, f.perGroup = 1, uint64(sb.blocksPerGroup)
	if sb.roCompat&roBigalloc != 0 {
		if sb.logClusterSize < sb.logBlockSize || sb.logClusterSize-sb.logBlockSize > 20 {
			return fmt.Errorf("superblock: clusters of 2^%d times 1 KiB", sb.logClusterSize)
		}
		f.cluster = 1 << (sb.logClusterSize - sb.logBlockSize)
		f.perGroup = uint64(sb.clustersPerGroup)
	}
	if f.perGroup*f.cluster != uint64(sb.blocksPerGroup) || f.perGroup%8 != 0 || f.perGroup > uint64(8*sb.blockSize) {
		return fmt.Errorf("superblock: %d clusters of %d blocks in groups of %d blocks", f.perGroup, f.cluster, sb.blocksPerGroup)
	}
	return nil
}

// readGroup takes down a group's descriptor.
func (f *freeSpace) readGroup(n uint32) error {
	b, err := f.descriptor(n)
	if err != nil {
		return err
	}
	wide := f.sb.descSize >= groupDescSize64
	field := func(low, high int) uint64 {
		v := uint64(le.Uint32(b[low:]))
		if wide {
			v |= uint64(le.Uint32(b[high:])) << 32
		}
		return v
	}
	g := group{
		bitmap: field(descBlockBitmap, descBlockBitmapHi), free: uint64(le.Uint16(b[descFree:])),
		checksum: uint32(le.Uint16(b[descBitmapChecksum:])),
	}
	if wide {
		g.free |= uint64(le.Uint16(b[descFreeHi:])) << 16
		g.checksum |= uint32(le.Uint16(b[descBitmapChecksumHi:])) << 16
	}
	// Without checksums of descriptors the flag has no meaning.
	g.uninit = f.sb.roCompat&(roGroupChecksum|roMetadataCsum) != 0 && le.Uint16(b[descFlags:])&flagBlockUninit != 0
	table := (uint64(f.sb.inodesPerGroup)*uint64(f.sb.inodeSize)-1)/uint64(f.sb.blockSize) + 1
	for _, own := range []blockRange{
		{g.bitmap, 1}, {field(descInodeBitmap, descInodeBitmapHi), 1}, {field(descInodeTable, descInodeTableHi), table},
	} {
		if err := f.sb.checkBlocks(own.first, own.count); err != nil {
			return err
		}
		f.own = append(f.own, own)
	}
	f.groups = append(f.groups, g)
	return nil
}

// ownByGroup sorts the structures by the groups in which they lie, as clusters
// of these.
func (f *freeSpace) ownByGroup() [][]blockRange {
	owned := make([][]blockRange, len(f.groups))
	for n := range f.groups {
		f.own = append(f.own, f.superblockCopy(uint64(n))...)
	}
	for _, r := range f.own {
		at := (r.first - uint64(f.sb.firstDataBlock)) / f.cluster
		end := (r.first+r.count-1-uint64(f.sb.firstDataBlock))/f.cluster + 1
		for at < end {
			n := at / f.perGroup
			stop := min(end, (n+1)*f.perGroup)
			owned[n] = append(owned[n], blockRange{at % f.perGroup, stop - at})
			at = stop
		}
	}
	f.own = nil
	return owned
}

// superblockCopy is where a group has a copy of the superblock, and of the
// descriptors with the room for more of them.
func (f *freeSpace) superblockCopy(n uint64) []blockRange {
	sb := f.sb
	at := uint64(sb.firstDataBlock) + n*uint64(sb.blocksPerGroup)
	perBlock := uint64(sb.blockSize / sb.descSize)
	tables := (uint64(sb.groups)-1)/perBlock + 1 + uint64(sb.reservedDescs)
	metaBG := sb.incompat&incompatMetaBG != 0 && n/perBlock >= uint64(sb.firstMetaBG)
	count := uint64(0)
	if sb.hasSuperblock(n) {
		switch {
		case metaBG:
			tables = 0
		case sb.incompat&incompatMetaBG != 0:
			tables = uint64(sb.firstMetaBG)
		}
		count = 1 + tables
	}
	if last := n % perBlock; metaBG && (last == 0 || last == 1 || last == perBlock-1) {
		count++ // one block of descriptors, of the groups around this one
	}
	if count = min(count, sb.blocks-at); count == 0 {
		return nil
	}
	return []blockRange{{at, count}}
}

// group yields what is free in a group.
func (f *freeSpace) group(n uint32, own []blockRange) error {
	g := f.groups[n]
	first := uint64(f.sb.firstDataBlock) + uint64(n)*uint64(f.sb.blocksPerGroup)
	count := (min(uint64(f.sb.blocksPerGroup), f.sb.blocks-first)-1)/f.cluster + 1
	bitmap := make([]byte, f.sb.blockSize)
	if !g.uninit {
		var err error
		if bitmap, err = f.block(g.bitmap); err != nil {
			return fmt.Errorf("bitmap: %w", err)
		}
		if !f.bitmapValid(g, bitmap) {
			return fmt.Errorf("bitmap: checksum mismatch")
		}
	}
	for _, r := range own {
		for at := r.first; at < min(r.first+r.count, count); at++ {
			if g.uninit {
				bitmap[at/8] |= 1 << (at % 8)
			} else if bitmap[at/8]>>(at%8)&1 == 0 {
				return fmt.Errorf("bitmap: cluster %d is free, but has the superblock, a bitmap or an inode table", at)
			}
		}
	}
	free := count - ones(bitmap, count)
	if free != g.free {
		return fmt.Errorf("bitmap: %d free clusters, but the descriptor says %d", free, g.free)
	}
	f.total += free
	f.runs(bitmap, count, first)
	return nil
}

// bitmapValid verifies a bitmap's checksum, if there is one.
func (f *freeSpace) bitmapValid(g group, bitmap []byte) bool {
	if f.sb.roCompat&roMetadataCsum == 0 {
		return true
	}
	crc := crc32c(f.sb.seed, bitmap[:f.perGroup/8])
	if f.sb.descSize < groupDescSize64 {
		crc &= math.MaxUint16
	}
	return crc == g.checksum
}

// ones counts the bits set among the first count.
func ones(bitmap []byte, count uint64) uint64 {
	total := 0
	for _, b := range bitmap[:count/8] {
		total += bits.OnesCount8(b)
	}
	if count%8 != 0 {
		total += bits.OnesCount8(bitmap[count/8] & (1<<(count%8) - 1))
	}
	return uint64(total)
}

// runs joins the clusters that are free, of a group that starts at block first.
func (f *freeSpace) runs(bitmap []byte, count, first uint64) {
	for at := uint64(0); at < count && !f.stopped; {
		if at%8 == 0 && bitmap[at/8] == math.MaxUint8 {
			at += 8
			continue
		}
		start := at
		for at < count && bitmap[at/8]>>(at%8)&1 == 0 {
			if at++; at%8 == 0 {
				for at+8 <= count && bitmap[at/8] == 0 {
					at += 8
				}
			}
		}
		if at == start {
			at++
			continue
		}
		end := min(first+at*f.cluster, f.sb.blocks)
		f.add(filesystem.Segment{
			Offset: int64(first+start*f.cluster) * f.sb.blockSize, Length: int64(end-first-start*f.cluster) * f.sb.blockSize,
		})
	}
}

// add joins a run to the one before it, or yields that.
func (f *freeSpace) add(s filesystem.Segment) {
	if f.pending.Offset+f.pending.Length == s.Offset {
		f.pending.Length += s.Length
		return
	}
	f.flush()
	f.pending = s
}

func (f *freeSpace) flush() {
	if f.pending.Length > 0 && !f.stopped {
		f.stopped = !f.yield(f.pending, nil)
	}
	f.pending = filesystem.Segment{}
}
