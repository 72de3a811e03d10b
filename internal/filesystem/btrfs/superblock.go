package btrfs

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

const (
	superblockMagic = "_BHRfS_M"
	superblockSize  = 4096
	superMagic      = 64
	sysChunksSize   = 2048
	minSectorSize   = 4 << 10
	maxNodeSize     = 64 << 10
)

// superblockOffsets are where a device has its superblock and the copies of it
// that it has room for.
var superblockOffsets = [3]int64{64 << 10, 64 << 20, 256 << 30}

var errNoMagic = errors.New("no btrfs magic number")

// superblock holds what reading needs of "Superblock".
type superblock struct {
	uuid        []byte
	metaUUID    []byte // in tree blocks
	label       string
	flags       uint64
	generation  uint64
	root, chunk treeRoot
	logRoot     uint64
	used        uint64
	rootDir     uint64 // in the tree of roots
	devices     uint64
	sectorSize  int64
	nodeSize    int64
	incompat    uint64
	sum         checksum
	deviceID    uint64
	deviceSize  uint64
	sysChunks   []byte
}

// readSuperblock reads and checks the superblock. Where it is damaged, a copy
// serves.
func readSuperblock(v disk.Volume) (sb *superblock, warnings []string, err error) {
	var first error
	for i, off := range superblockOffsets {
		if off+superblockSize > v.Size() && i > 0 {
			break
		}
		b, err := readSuperblockAt(v, off)
		if err != nil && first == nil {
			first = fmt.Errorf("superblock: %w", err)
		}
		if err != nil {
			continue
		}
		if i > 0 {
			warnings = append(warnings, fmt.Sprintf("its copy at byte %d is read: %v", off, first))
		}
		sb, err := parseSuperblock(b)
		if err == nil {
			err = sb.check(v)
		}
		return sb, warnings, err
	}
	return nil, nil, first
}

// readSuperblockAt reads a copy of the superblock that is whole and in its place.
func readSuperblockAt(v disk.Volume, off int64) ([]byte, error) {
	b := make([]byte, superblockSize)
	if err := readFull(v, b, off); err != nil {
		return nil, err
	}
	if string(b[superMagic:][:8]) != superblockMagic {
		return nil, errNoMagic
	}
	sum, err := checksumOf(le.Uint16(b[196:]))
	if err != nil {
		return nil, err
	}
	if !sum.validBlock(b) {
		return nil, errChecksum
	}
	if at := le.Uint64(b[48:]); at != uint64(off) {
		return nil, fmt.Errorf("it belongs to byte %d", at)
	}
	return b, nil
}

func parseSuperblock(b []byte) (*superblock, error) {
	sum, err := checksumOf(le.Uint16(b[196:]))
	if err != nil {
		return nil, err
	}
	sb := &superblock{
		uuid:       b[32:48],
		metaUUID:   b[32:48],
		flags:      le.Uint64(b[56:]),
		generation: le.Uint64(b[72:]),
		root:       treeRoot{block: le.Uint64(b[80:]), generation: le.Uint64(b[72:]), level: b[198]},
		chunk:      treeRoot{block: le.Uint64(b[88:]), generation: le.Uint64(b[164:]), level: b[199]},
		logRoot:    le.Uint64(b[96:]),
		used:       le.Uint64(b[120:]),
		rootDir:    le.Uint64(b[128:]),
		devices:    le.Uint64(b[136:]),
		sectorSize: int64(le.Uint32(b[144:])),
		nodeSize:   int64(le.Uint32(b[148:])),
		incompat:   le.Uint64(b[188:]),
		sum:        sum,
		deviceID:   le.Uint64(b[201:]),
		deviceSize: le.Uint64(b[209:]),
		label:      cString(b[299:555]),
	}
	if sb.incompat&incompatMetadataUUID != 0 {
		sb.metaUUID = b[571:587]
	}
	size := le.Uint32(b[160:])
	if size > sysChunksSize {
		return nil, fmt.Errorf("superblock: %d bytes of system chunks", size)
	}
	sb.sysChunks = b[811:][:size]
	return sb, nil
}

// check refuses what cannot be read, and bounds every number that positions are
// computed from.
func (sb *superblock) check(v disk.Volume) error {
	if err := sb.checkFeatures(); err != nil {
		return err
	}
	if !powerOfTwo(sb.sectorSize) || sb.sectorSize < minSectorSize || sb.sectorSize > maxNodeSize ||
		!powerOfTwo(sb.nodeSize) || sb.nodeSize < sb.sectorSize || sb.nodeSize > maxNodeSize {
		return fmt.Errorf("superblock: sectors of %d bytes, nodes of %d", sb.sectorSize, sb.nodeSize)
	}
	if sb.logRoot != 0 {
		return errors.New("it was not unmounted cleanly: what was written last is only in its log, which is not replayed; " +
			"shut the guest down cleanly (poweroff, not reset or kill)")
	}
	if sb.deviceSize > uint64(v.Size()) {
		return fmt.Errorf("file system is %d bytes but its partition has only %d: the disk is cut short or was shrunk", sb.deviceSize, v.Size())
	}
	return nil
}

func (sb *superblock) info() filesystem.Info {
	return filesystem.Info{Type: "btrfs", UUID: formatUUID(sb.uuid), Label: sb.label, Used: int64(min(sb.used, sb.deviceSize))}
}

// formatUUID prints a UUID as blkid(8) does.
func formatUUID(u []byte) string {
	h := hex.EncodeToString(u)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// cString is a string that ends at its first NUL, or with its field.
func cString(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}

func powerOfTwo(n int64) bool { return n > 0 && n&(n-1) == 0 }
