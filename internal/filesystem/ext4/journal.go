package ext4

import (
	"encoding/binary"
	"fmt"
	"math"
	"sort"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// be is the byte order of the journal.
var be = binary.BigEndian

// Every block of the journal but copies of other blocks starts with a header:
// magic number, kind and transaction ("Journal (jbd2)", "Block Header").
const (
	journalMagic      = 0xc03b3998
	journalHeaderSize = 12

	kindDescriptor   = 1
	kindCommit       = 2
	kindSuperblockV1 = 3
	kindSuperblock   = 4
	kindRevoke       = 5
)

// Features of the journal.
const (
	journalCompatChecksum = 0x1

	journalRevoke      = 0x1
	journal64Bit       = 0x2
	journalAsyncCommit = 0x4
	journalCsumV2      = 0x8
	journalCsumV3      = 0x10
	journalFastCommit  = 0x20
	journalReadable    = 0x3f
)

const (
	// journalMaxBlocks bounds what is read to replay a journal.
	journalMaxBlocks = 1 << 20
	// journalMaxRevoked bounds the blocks that revocations name.
	journalMaxRevoked = 1 << 21
	// fastCommitBlocks is how many there are if the superblock does not say.
	fastCommitBlocks = 256
	fastCommitHead   = 9 // tag of a fast commit's first record
)

// shutDown is what to do about a journal that cannot be replayed here.
const shutDown = "boot the guest once and shut it down cleanly, or run e2fsck"

// journal is the file system's journal, a ring of blocks.
type journal struct {
	fs       *FS
	runs     []run
	length   uint32 // blocks, superblock included
	first    uint32 // first block of the ring
	end      uint32 // first block after the ring
	start    uint32 // where in the ring the oldest transaction is; 0 if there is none
	sequence uint32 // the oldest transaction
	compat   uint32
	incompat uint32
	seed     uint32
}

func (fs *FS) openJournal() (*journal, error) {
	if fs.sb.compat&compatJournal == 0 || fs.sb.journalInode == 0 {
		return nil, fmt.Errorf("it needs to be replayed but is on another device: %s", shutDown)
	}
	n, err := fs.readNode(uint64(fs.sb.journalInode))
	if err != nil {
		return nil, fmt.Errorf("inode %d: %w", fs.sb.journalInode, err)
	}
	if n.mode().Type() != filesystem.ModeRegular || n.has(flagInlineData) {
		return nil, fmt.Errorf("inode %d: not a journal", n.number)
	}
	j := &journal{fs: fs}
	if j.runs, err = fs.runs(n); err != nil {
		return nil, fmt.Errorf("inode %d: %w", n.number, err)
	}
	b, err := j.block(0)
	if err != nil {
		return nil, fmt.Errorf("superblock: %w", err)
	}
	if err := j.parseSuperblock(b); err != nil {
		return nil, fmt.Errorf("superblock: %w", err)
	}
	return j, nil
}

// parseSuperblock takes the journal's "Super Block".
func (j *journal) parseSuperblock(b []byte) error {
	kind := be.Uint32(b[4:])
	if be.Uint32(b) != journalMagic || kind != kindSuperblock && kind != kindSuperblockV1 {
		return fmt.Errorf("no magic number")
	}
	j.length, j.first = be.Uint32(b[0x10:]), be.Uint32(b[0x14:])
	j.sequence, j.start = be.Uint32(b[0x18:]), be.Uint32(b[0x1c:])
	if kind == kindSuperblock {
		j.compat, j.incompat = be.Uint32(b[0x24:]), be.Uint32(b[0x28:])
	}
	if unknown := j.incompat &^ journalReadable; unknown != 0 {
		return fmt.Errorf("features that cannot be read: %s", featureNames(unknown, nil, 'I'))
	}
	if j.hasChecksums() {
		if crc32cHole(math.MaxUint32, b[:superblockSize], 0xfc, 4) != be.Uint32(b[0xfc:]) {
			return fmt.Errorf("checksum mismatch")
		}
		j.seed = crc32c(math.MaxUint32, b[0x30:0x40])
	}
	if size := be.Uint32(b[0xc:]); int64(size) != j.fs.sb.blockSize {
		return fmt.Errorf("blocks of %d bytes in a file system with blocks of %d", size, j.fs.sb.blockSize)
	}
	j.end = j.length
	if j.incompat&journalFastCommit != 0 {
		area := be.Uint32(b[0x54:])
		if area == 0 {
			area = fastCommitBlocks
		}
		j.end -= min(area, j.length)
	}
	if j.length > journalMaxBlocks {
		return fmt.Errorf("%d blocks, over the limit of %d: %s", j.length, journalMaxBlocks, shutDown)
	}
	if j.first == 0 || j.first >= j.end || j.start != 0 && (j.start < j.first || j.start >= j.end) {
		return fmt.Errorf("blocks %d to %d, start %d", j.first, j.end, j.start)
	}
	return nil
}

// hasChecksums says whether every block of the journal is checksummed, in the
// second or third version of that feature.
func (j *journal) hasChecksums() bool { return j.incompat&(journalCsumV2|journalCsumV3) != 0 }

// physical returns where a block of the journal is in the file system.
func (j *journal) physical(number uint32) (uint64, error) {
	at := uint64(number)
	i := sort.Search(len(j.runs), func(i int) bool { return j.runs[i].end() > at })
	if i == len(j.runs) || j.runs[i].logical > at {
		return 0, fmt.Errorf("block %d of the journal is missing", number)
	}
	return j.runs[i].physical + at - j.runs[i].logical, nil
}

// block reads a block of the journal.
func (j *journal) block(number uint32) ([]byte, error) {
	physical, err := j.physical(number)
	if err != nil {
		return nil, err
	}
	return j.fs.block(physical)
}

// after returns the n-th block of the ring after number.
func (j *journal) after(number, n uint32) uint32 {
	return j.first + uint32((uint64(number-j.first)+uint64(n))%uint64(j.end-j.first))
}

// tag is a record of a descriptor block: the block of the file system that one
// of the blocks behind the descriptor is a copy of.
type tag struct {
	block    uint64
	checksum uint32
	escaped  bool // the copy's first four bytes, the journal's magic, are zeroed
}

// Flags of a tag.
const (
	tagEscaped  = 1
	tagSameUUID = 2
	tagLast     = 8
)

// tags reads a "Descriptor Block".
func (j *journal) tags(b []byte) []tag {
	size := 8
	switch {
	case j.incompat&journalCsumV3 != 0:
		size = 16
	default:
		if j.incompat&journal64Bit != 0 {
			size += 4
		}
		if j.incompat&journalCsumV2 != 0 {
			size += 2
		}
	}
	if j.hasChecksums() {
		b = b[:len(b)-4]
	}
	var tags []tag
	for at := journalHeaderSize; at+size <= len(b); at += size {
		t, flags := tag{block: uint64(be.Uint32(b[at:]))}, be.Uint16(b[at+6:])
		t.escaped = flags&tagEscaped != 0
		if j.incompat&journal64Bit != 0 {
			t.block |= uint64(be.Uint32(b[at+8:])) << 32
		}
		switch {
		case j.incompat&journalCsumV3 != 0:
			t.checksum = be.Uint32(b[at+12:])
		case j.incompat&journalCsumV2 != 0:
			t.checksum = uint32(be.Uint16(b[at+4:]))
		}
		tags = append(tags, t)
		if flags&tagLast != 0 {
			break
		}
		if flags&tagSameUUID == 0 {
			at += 16
		}
	}
	return tags
}

// revoked reads a "Revocation Block": the blocks whose copies in this and in
// earlier transactions are void.
func (j *journal) revoked(b []byte) ([]uint64, error) {
	limit := len(b)
	if j.hasChecksums() {
		limit -= 4
	}
	used := int64(be.Uint32(b[journalHeaderSize:]))
	if used < 16 || used > int64(limit) {
		return nil, fmt.Errorf("%d bytes of records", used)
	}
	var blocks []uint64
	if j.incompat&journal64Bit != 0 {
		for b = b[16:used]; len(b) >= 8; b = b[8:] {
			blocks = append(blocks, be.Uint64(b))
		}
		return blocks, nil
	}
	for b = b[16:used]; len(b) >= 4; b = b[4:] {
		blocks = append(blocks, uint64(be.Uint32(b)))
	}
	return blocks, nil
}

// tailValid verifies the checksum at the end of a descriptor or revocation
// block.
func (j *journal) tailValid(b []byte) bool {
	tail := len(b) - 4
	return !j.hasChecksums() || crc32cHole(j.seed, b, tail, 4) == be.Uint32(b[tail:])
}

// copyValid verifies the checksum that a tag has of the block b.
func (j *journal) copyValid(t tag, sequence uint32, b []byte) bool {
	crc := crc32c(crc32c(j.seed, be.AppendUint32(nil, sequence)), b)
	switch {
	case j.incompat&journalCsumV3 != 0:
		return crc == t.checksum
	case j.incompat&journalCsumV2 != 0:
		return uint16(crc) == uint16(t.checksum)
	default:
		return true
	}
}
