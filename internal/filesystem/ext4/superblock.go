package ext4

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

const (
	superblockOffset = 1024
	superblockSize   = 1024
	superblockMagic  = 0xef53
	rootInode        = 2
)

// superblock holds what reading needs of the "Super Block".
type superblock struct {
	inodes         uint32
	blocks         uint64
	free           uint64 // blocks
	firstDataBlock uint32
	blockSize      int64
	blocksPerGroup uint32
	inodesPerGroup uint32

	logBlockSize     uint32 // powers of two of 1 KiB
	logClusterSize   uint32
	clustersPerGroup uint32
	reservedDescs    uint16 // blocks kept for more group descriptors

	groups       uint32
	state        uint16
	creatorOS    uint32
	firstInode   uint32
	inodeSize    int64
	compat       uint32
	incompat     uint32
	roCompat     uint32
	uuid         []byte
	label        string
	journalInode uint32
	lastOrphan   uint32
	descSize     int64
	firstMetaBG  uint32
	checksumType uint8
	backupGroups [2]uint32 // of sparse_super2
	seed         uint32    // of all checksums but the superblock's
	lastError    string
}

// readSuperblock reads and checks the primary superblock.
func readSuperblock(v disk.Volume) (*superblock, error) {
	b := make([]byte, superblockSize)
	if err := readFull(v, b, superblockOffset); err != nil {
		return nil, fmt.Errorf("superblock: %w", err)
	}
	if le.Uint16(b[0x38:]) != superblockMagic {
		return nil, fmt.Errorf("superblock: no ext2, ext3 or ext4 magic number")
	}
	sb := parseSuperblock(b)
	if err := sb.checkFeatures(); err != nil {
		return nil, err
	}
	if sb.roCompat&roMetadataCsum != 0 && crc32c(math.MaxUint32, b[:0x3fc]) != le.Uint32(b[0x3fc:]) {
		return nil, fmt.Errorf("superblock: checksum mismatch")
	}
	if err := sb.checkGeometry(); err != nil {
		return nil, fmt.Errorf("superblock: %w", err)
	}
	if size := int64(sb.blocks) * sb.blockSize; size > v.Size() {
		return nil, fmt.Errorf("file system is %d bytes but its partition has only %d: the disk is cut short or was shrunk", size, v.Size())
	}
	return sb, nil
}

func parseSuperblock(b []byte) *superblock {
	sb := &superblock{
		inodes:           le.Uint32(b),
		blocks:           uint64(le.Uint32(b[0x4:])),
		free:             uint64(le.Uint32(b[0xc:])),
		firstDataBlock:   le.Uint32(b[0x14:]),
		blocksPerGroup:   le.Uint32(b[0x20:]),
		inodesPerGroup:   le.Uint32(b[0x28:]),
		logBlockSize:     le.Uint32(b[0x18:]),
		logClusterSize:   le.Uint32(b[0x1c:]),
		clustersPerGroup: le.Uint32(b[0x24:]),
		state:            le.Uint16(b[0x3a:]),
		creatorOS:        le.Uint32(b[0x48:]),
		uuid:             b[0x68:0x78],
		label:            cString(b[0x78:0x88]),
		firstInode:       11,
		inodeSize:        goodOldInodeSize,
		descSize:         groupDescSize,
		lastOrphan:       le.Uint32(b[0xe8:]),
		checksumType:     b[0x175],
		backupGroups:     [2]uint32{le.Uint32(b[0x24c:]), le.Uint32(b[0x250:])},
	}
	// Revision 0 has neither features nor the fields after them.
	if le.Uint32(b[0x4c:]) > 0 {
		sb.firstInode = le.Uint32(b[0x54:])
		sb.inodeSize = int64(le.Uint16(b[0x58:]))
		sb.compat, sb.incompat, sb.roCompat = le.Uint32(b[0x5c:]), le.Uint32(b[0x60:]), le.Uint32(b[0x64:])
		sb.journalInode = le.Uint32(b[0xe0:])
		sb.reservedDescs = le.Uint16(b[0xce:])
		sb.firstMetaBG = le.Uint32(b[0x104:])
	}
	if sb.incompat&incompat64Bit != 0 {
		sb.blocks |= uint64(le.Uint32(b[0x150:])) << 32
		sb.free |= uint64(le.Uint32(b[0x158:])) << 32
		sb.descSize = int64(le.Uint16(b[0xfe:]))
	}
	if sb.incompat&incompatCsumSeed != 0 {
		sb.seed = le.Uint32(b[0x270:])
	} else {
		sb.seed = crc32c(math.MaxUint32, sb.uuid)
	}
	if sb.state&stateErrors != 0 {
		at := time.Unix(int64(le.Uint32(b[0x1cc:]))|int64(b[0x279])<<32, 0).UTC()
		sb.lastError = fmt.Sprintf("%d errors, the last in %s at %s",
			le.Uint32(b[0x194:]), cString(b[0x1e0:0x200]), at.Format(time.RFC3339))
	}
	return sb
}

// checkGeometry bounds every number that positions are computed from.
func (sb *superblock) checkGeometry() error {
	if sb.logBlockSize > 6 {
		return fmt.Errorf("block size 2^%d is not between 1 KiB and 64 KiB", uint64(sb.logBlockSize)+10)
	}
	sb.blockSize = 1024 << sb.logBlockSize
	if sb.blocks > uint64(math.MaxInt64/sb.blockSize) || sb.blocks <= uint64(sb.firstDataBlock) || sb.firstDataBlock > 1 {
		return fmt.Errorf("%d blocks, the first of them %d", sb.blocks, sb.firstDataBlock)
	}
	if !powerOfTwo(sb.inodeSize) || sb.inodeSize < goodOldInodeSize || sb.inodeSize > sb.blockSize {
		return fmt.Errorf("inode size %d", sb.inodeSize)
	}
	minDesc := int64(groupDescSize)
	if sb.incompat&incompat64Bit != 0 {
		minDesc = groupDescSize64
	}
	if !powerOfTwo(sb.descSize) || sb.descSize < minDesc || sb.descSize > sb.blockSize {
		return fmt.Errorf("group descriptor size %d", sb.descSize)
	}
	if sb.blocksPerGroup == 0 || sb.inodesPerGroup == 0 || int64(sb.inodesPerGroup) > 8*sb.blockSize {
		return fmt.Errorf("%d blocks and %d inodes in a group", sb.blocksPerGroup, sb.inodesPerGroup)
	}
	groups := (sb.blocks-uint64(sb.firstDataBlock)-1)/uint64(sb.blocksPerGroup) + 1
	if groups > math.MaxUint32 || uint64(sb.inodes) != groups*uint64(sb.inodesPerGroup) {
		return fmt.Errorf("%d inodes in %d groups of %d", sb.inodes, groups, sb.inodesPerGroup)
	}
	sb.groups = uint32(groups)
	return nil
}

// checkBlocks says whether count blocks from first on can belong to a file:
// they are inside the file system, and not at its very start.
func (sb *superblock) checkBlocks(first, count uint64) error {
	if first <= uint64(sb.firstDataBlock) || first >= sb.blocks || count > sb.blocks-first {
		return fmt.Errorf("blocks %d+%d are outside the file system's %d", first, count, sb.blocks)
	}
	return nil
}

func (sb *superblock) info() filesystem.Info {
	info := filesystem.Info{Type: sb.fsType(), UUID: formatUUID(sb.uuid), Label: sb.label, Root: rootInode}
	// Most of what is neither free nor data is the tables of inodes.
	info.Used = max(0, int64(sb.blocks-min(sb.free, sb.blocks))*sb.blockSize-int64(sb.inodes)*sb.inodeSize)
	if sb.lastError != "" {
		info.Warnings = append(info.Warnings, "the kernel has recorded errors in this file system: "+sb.lastError)
	}
	if sb.lastOrphan != 0 || sb.roCompat&roOrphanPresent != 0 {
		info.Warnings = append(info.Warnings, "files were open after their removal when the guest stopped; they are left out")
	}
	if unknown := sb.roCompat &^ roKnown; unknown != 0 {
		info.Warnings = append(info.Warnings, "unknown features, harmless for reading: "+featureNames(unknown, nil, 'R'))
	}
	return info
}

// formatUUID prints a UUID as blkid(8) does: nothing if there is none.
func formatUUID(u []byte) string {
	if bytes.Count(u, []byte{0}) == len(u) {
		return ""
	}
	h := hex.EncodeToString(u)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// cString is a string that ends at its first NUL, or with its field.
func cString(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}

func powerOfTwo(n int64) bool { return n > 0 && n&(n-1) == 0 }
