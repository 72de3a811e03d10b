package ext4

import (
	"fmt"
	"math"
)

// Offsets in a "Block Group Descriptor", and a flag of it.
const (
	descBlockBitmap      = 0x00
	descInodeBitmap      = 0x04
	descInodeTable       = 0x08
	descFree             = 0x0c
	descFlags            = 0x12
	descBitmapChecksum   = 0x18
	descChecksum         = 0x1e
	descBlockBitmapHi    = 0x20
	descInodeBitmapHi    = 0x24
	descInodeTableHi     = 0x28
	descFreeHi           = 0x2c
	descBitmapChecksumHi = 0x38

	flagBlockUninit = 2
)

// inodeTable returns the first block of a group's inode table, from the group's
// descriptor.
func (fs *FS) inodeTable(group uint32) (uint64, error) {
	sb := fs.sb
	b, err := fs.descriptor(group)
	if err != nil {
		return 0, fmt.Errorf("group descriptor %d: %w", group, err)
	}
	table := uint64(le.Uint32(b[descInodeTable:]))
	if sb.descSize >= groupDescSize64 {
		table |= uint64(le.Uint32(b[descInodeTableHi:])) << 32
	}
	if err := sb.checkBlocks(table, (uint64(sb.inodesPerGroup)*uint64(sb.inodeSize)-1)/uint64(sb.blockSize)+1); err != nil {
		return 0, fmt.Errorf("group descriptor %d: inode table: %w", group, err)
	}
	return table, nil
}

// descriptor reads and checks a group's descriptor.
func (fs *FS) descriptor(group uint32) ([]byte, error) {
	sb := fs.sb
	b := make([]byte, sb.descSize)
	perBlock := uint32(sb.blockSize / sb.descSize)
	at := int64(sb.descriptorBlock(group/perBlock))*sb.blockSize + int64(group%perBlock)*sb.descSize
	if err := fs.read(b, at); err != nil {
		return nil, err
	}
	if !sb.descriptorValid(group, b) {
		return nil, fmt.Errorf("checksum mismatch")
	}
	return b, nil
}

// descriptorBlock returns where block number n of the group descriptors is:
// with all others after the superblock or, with meta_bg from firstMetaBG on, in
// the first of the groups that it describes.
func (sb *superblock) descriptorBlock(n uint32) uint64 {
	superblockAt := uint64(superblockOffset / sb.blockSize)
	if sb.incompat&incompatMetaBG == 0 || n < sb.firstMetaBG {
		return superblockAt + 1 + uint64(n)
	}
	group := uint64(n) * uint64(sb.blockSize/sb.descSize)
	at := uint64(sb.firstDataBlock) + group*uint64(sb.blocksPerGroup)
	if sb.hasSuperblock(group) {
		at++
	}
	if n == 0 && superblockAt == 1 && sb.firstDataBlock == 0 {
		at++ // 1 KiB blocks with bigalloc: block 0 is the boot block
	}
	return at
}

// hasSuperblock says whether a group starts with a copy of the superblock.
func (sb *superblock) hasSuperblock(group uint64) bool {
	switch {
	case group == 0:
		return true
	case sb.compat&compatSparseSuper2 != 0:
		return group == uint64(sb.backupGroups[0]) || group == uint64(sb.backupGroups[1])
	case group == 1 || sb.roCompat&roSparseSuper == 0:
		return true
	}
	for _, base := range []uint64{3, 5, 7} {
		power := base
		for power < group {
			power *= base
		}
		if power == group {
			return true
		}
	}
	return false
}

// descriptorValid verifies a group descriptor's checksum, if there is one.
func (sb *superblock) descriptorValid(group uint32, b []byte) bool {
	stored := le.Uint16(b[descChecksum:])
	switch {
	case sb.roCompat&roMetadataCsum != 0:
		return uint16(crc32cHole(crc32cUint32(sb.seed, group), b, descChecksum, 2)) == stored
	case sb.roCompat&roGroupChecksum != 0:
		crc := crc16(math.MaxUint16, sb.uuid)
		crc = crc16(crc, le.AppendUint32(nil, group))
		crc = crc16(crc, b[:descChecksum])
		return crc16(crc, b[descChecksum+2:]) == stored
	default:
		return true
	}
}
