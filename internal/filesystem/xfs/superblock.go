package xfs

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"math/bits"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

const (
	superblockMagic = 0x58465342 // "XFSB"
	superblockCRC   = 224
	// sectorSize is the unit of disk addresses and of the log, whatever the
	// file system's own sectors are; no sector is smaller.
	sectorSize    = 512
	maxSectorSize = 32 << 10
)

// superblock holds what reading needs of "Superblocks".
type superblock struct {
	blockSize   int64
	blockLog    uint8
	sectorSize  int
	blocks      uint64
	agBlocks    uint32 // blocks of each allocation group but the last
	agBlockLog  uint8
	groups      uint32
	free        uint64 // blocks
	inodeSize   int
	inodeLog    uint8
	dirBlockLog uint8
	rootInode   uint64
	ownInodes   []uint64 // of bitmaps and quotas
	logStart    uint64
	logBlocks   uint32
	version     uint16 // 4 or 5, and flags
	features2   uint32 // of version 4
	roCompat    uint32
	incompat    uint32
	uuid        []byte
	metaUUID    []byte // in all other structures
	label       string
	inProgress  bool
}

// readSuperblock reads and checks the primary superblock.
func readSuperblock(v disk.Volume) (*superblock, error) {
	b := make([]byte, sectorSize)
	if err := readFull(v, b, 0); err != nil {
		return nil, fmt.Errorf("superblock: %w", err)
	}
	if be.Uint32(b) != superblockMagic {
		return nil, fmt.Errorf("superblock: no XFS magic number")
	}
	sb := parseSuperblock(b)
	if err := sb.checkVersion(); err != nil {
		return nil, err
	}
	if !powerOfTwo(sb.sectorSize) || sb.sectorSize < sectorSize || sb.sectorSize > maxSectorSize {
		return nil, fmt.Errorf("superblock: sectors of %d bytes", sb.sectorSize)
	}
	if sb.v5() {
		b = make([]byte, sb.sectorSize)
		if err := readFull(v, b, 0); err != nil {
			return nil, fmt.Errorf("superblock: %w", err)
		}
		if !checksumValid(b, superblockCRC) {
			return nil, fmt.Errorf("superblock: checksum mismatch")
		}
	}
	if err := sb.checkFeatures(); err != nil {
		return nil, err
	}
	if err := sb.checkGeometry(b); err != nil {
		return nil, fmt.Errorf("superblock: %w", err)
	}
	if size := int64(sb.blocks) * sb.blockSize; size > v.Size() {
		return nil, fmt.Errorf("file system is %d bytes but its partition has only %d: the disk is cut short or was shrunk", size, v.Size())
	}
	return sb, nil
}

func parseSuperblock(b []byte) *superblock {
	sb := &superblock{
		blockSize:   int64(be.Uint32(b[4:])),
		blocks:      be.Uint64(b[8:]),
		uuid:        b[32:48],
		metaUUID:    b[32:48],
		logStart:    be.Uint64(b[48:]),
		rootInode:   be.Uint64(b[56:]),
		ownInodes:   []uint64{be.Uint64(b[64:]), be.Uint64(b[72:])},
		agBlocks:    be.Uint32(b[84:]),
		groups:      be.Uint32(b[88:]),
		logBlocks:   be.Uint32(b[96:]),
		version:     be.Uint16(b[100:]),
		sectorSize:  int(be.Uint16(b[102:])),
		inodeSize:   int(be.Uint16(b[104:])),
		label:       cString(b[108:120]),
		blockLog:    b[120],
		inodeLog:    b[122],
		agBlockLog:  b[124],
		inProgress:  b[126] != 0,
		free:        be.Uint64(b[144:]),
		dirBlockLog: b[192],
	}
	if sb.version&versionQuota != 0 {
		sb.ownInodes = append(sb.ownInodes, be.Uint64(b[160:]), be.Uint64(b[168:]))
	}
	if sb.version&versionMoreBits != 0 {
		// A copy of the field once stood in the wrong place.
		sb.features2 = be.Uint32(b[200:]) | be.Uint32(b[204:])
	}
	if sb.v5() {
		sb.roCompat, sb.incompat = be.Uint32(b[212:]), be.Uint32(b[216:])
		if sb.version&versionQuota != 0 {
			sb.ownInodes = append(sb.ownInodes, be.Uint64(b[232:]))
		}
		if sb.incompat&incompatMetaUUID != 0 {
			sb.metaUUID = b[248:264]
		}
	}
	return sb
}

// v5 says whether the file system has checksums.
func (sb *superblock) v5() bool { return sb.version&versionNumber == 5 }

// checkGeometry bounds every number that positions are computed from.
func (sb *superblock) checkGeometry(b []byte) error {
	if sb.blockLog < 9 || sb.blockLog > 16 || sb.blockSize != 1<<sb.blockLog || sb.sectorSize > int(sb.blockSize) {
		return fmt.Errorf("blocks of %d bytes, sectors of %d", sb.blockSize, sb.sectorSize)
	}
	minInode := uint8(8)
	if sb.v5() {
		minInode = 9
	}
	if sb.inodeLog < minInode || sb.inodeLog > 11 || sb.inodeSize != 1<<sb.inodeLog || sb.inodeLog >= sb.blockLog {
		return fmt.Errorf("inodes of %d bytes", sb.inodeSize)
	}
	if inodes := be.Uint16(b[106:]); b[123] != sb.blockLog-sb.inodeLog || inodes != 1<<b[123] {
		return fmt.Errorf("%d inodes in a block", inodes)
	}
	if sb.blockLog+sb.dirBlockLog > 16 || sb.dirBlockLog > 7 {
		return fmt.Errorf("directory blocks of 2^%d blocks", sb.dirBlockLog)
	}
	if sb.agBlocks < 2 || int(sb.agBlockLog) != bits.Len32(sb.agBlocks-1) || sb.groups == 0 ||
		sb.blocks > uint64(sb.groups)*uint64(sb.agBlocks) || sb.blocks <= uint64(sb.groups-1)*uint64(sb.agBlocks) {
		return fmt.Errorf("%d blocks in %d groups of %d", sb.blocks, sb.groups, sb.agBlocks)
	}
	if sb.blocks > uint64(math.MaxInt64/sb.blockSize) {
		return fmt.Errorf("%d blocks", sb.blocks)
	}
	if sb.logStart == 0 {
		return fmt.Errorf("external log: whether the file system was unmounted cleanly stands on another device; give it an internal log")
	}
	if _, err := sb.physical(sb.logStart, uint64(sb.logBlocks)); err != nil || sb.logBlocks == 0 {
		return fmt.Errorf("log of %d blocks at %d", sb.logBlocks, sb.logStart)
	}
	return nil
}

// physical turns the number of the first of count blocks, in which the
// allocation group is the upper part, to their place in the volume. They must
// be inside their group, and not at its very start.
func (sb *superblock) physical(number, count uint64) (uint64, error) {
	group, block := number>>sb.agBlockLog, number&(1<<sb.agBlockLog-1)
	if group >= uint64(sb.groups) {
		return 0, fmt.Errorf("blocks %#x+%d are outside the file system's %d groups", number, count, sb.groups)
	}
	first := group * uint64(sb.agBlocks)
	length := min(uint64(sb.agBlocks), sb.blocks-first)
	if block == 0 || block >= length || count > length-block {
		return 0, fmt.Errorf("blocks %#x+%d are outside the %d of group %d", number, count, length, group)
	}
	return first + block, nil
}

func (sb *superblock) info() filesystem.Info {
	info := filesystem.Info{Type: "xfs", UUID: formatUUID(sb.uuid), Label: sb.label, Root: sb.rootInode}
	if idle := sb.free + uint64(sb.logBlocks); idle > sb.free && idle < sb.blocks {
		info.Used = int64(sb.blocks-idle) * sb.blockSize
	}
	info.Linux = sb.linux()
	if unknown := sb.roCompat &^ roKnown; unknown != 0 {
		info.Warnings = append(info.Warnings, "unknown features, harmless for reading: "+featureNames(unknown, nil, "ro_compat"))
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

func powerOfTwo(n int) bool { return n > 0 && n&(n-1) == 0 }
