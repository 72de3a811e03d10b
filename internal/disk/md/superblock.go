package md

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
)

const (
	magic  = 0xa92b4efc
	sector = 512
	// blockSize is what a superblock can take.
	blockSize = 4096
	// roleNone is where the numbers begin that are no role in the array.
	roleNone = 0xff00
)

// Features of superblocks of version 1.
const (
	featureRecovering = 0x2
	featureReshape    = 0x4
	featureBadBlocks  = 0x8
)

var le = binary.LittleEndian

// superblock is what a member says about itself and its array.
type superblock struct {
	uuid, name   string
	level        int32
	disks        int
	events       uint64
	role         int
	offset, size int64  // of the data, in bytes
	flaw         string // why this member is no leg to read; "" if it is
	reshaping    bool
	unclean      bool
}

// read looks for a superblock at all the places that its versions have; nil if
// there is none. One that is damaged, or lies about its place, is an error only
// where it is at the start: the end of a volume may show an older use.
func read(v disk.Volume) (*superblock, error) {
	size := v.Size()
	for _, at := range []int64{0, blockSize} { // 1.1 and 1.2
		sb, err := readV1(v, at)
		if sb != nil || err != nil {
			return sb, err
		}
	}
	if size < 2*blockSize {
		return nil, nil
	}
	last := (size/sector - 16) &^ 7 * sector
	if sb, err := readV1(v, last); sb != nil && err == nil { // 1.0
		return sb, nil
	}
	return readV0(v)
}

// block reads what may be a superblock; nil if it has no magic number.
func block(v disk.Volume, at int64) ([]byte, error) {
	b := make([]byte, blockSize)
	if at < 0 || at > v.Size()-blockSize {
		return nil, nil
	}
	if _, err := v.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if le.Uint32(b) != magic {
		return nil, nil
	}
	return b, nil
}

// readV1 reads a superblock of version 1, which is at byte at.
func readV1(v disk.Volume, at int64) (*superblock, error) {
	b, err := block(v, at)
	if b == nil || err != nil {
		return nil, err
	}
	fail := func(format string, args ...any) (*superblock, error) {
		return nil, fmt.Errorf("RAID superblock at byte %d: %s", at, fmt.Sprintf(format, args...))
	}
	roles := int(le.Uint32(b[220:]))
	switch {
	case le.Uint32(b[4:]) != 1:
		return fail("version %d", le.Uint32(b[4:]))
	case roles > (blockSize-256)/2:
		return fail("%d roles", roles)
	case sumV1(b[:256+2*roles]) != le.Uint32(b[216:]):
		return fail("checksum mismatch")
	case le.Uint64(b[144:]) != uint64(at/sector):
		return fail("it says that it is at sector %d", le.Uint64(b[144:]))
	}
	sb := &superblock{
		uuid: formatUUID(b[16:32]), name: arrayName(b[32:64]), level: int32(le.Uint32(b[72:])),
		disks: int(le.Uint32(b[92:])), events: le.Uint64(b[200:]), unclean: le.Uint64(b[208:]) != math.MaxUint64,
	}
	features := le.Uint32(b[8:])
	sb.reshaping = features&featureReshape != 0
	number := int(le.Uint32(b[160:]))
	if number >= roles {
		return fail("device %d of %d", number, roles)
	}
	sb.role = int(le.Uint16(b[256+2*number:]))
	switch {
	case sb.role >= roleNone:
		sb.flaw = "it is a spare, faulty, or a journal"
	case features&featureRecovering != 0:
		sb.flaw = "it was not yet rebuilt"
	case features&featureBadBlocks != 0:
		sb.flaw = "it has bad blocks"
	}
	// The array is as long as its smallest member.
	start, length := le.Uint64(b[128:]), min(le.Uint64(b[80:]), le.Uint64(b[136:]))
	if start > math.MaxInt64/sector || length > math.MaxInt64/sector {
		return fail("data of %d sectors at sector %d", length, start)
	}
	sb.offset, sb.size = int64(start)*sector, int64(length)*sector
	return sb, nil
}

// sumV1 is the checksum of version 1: its words added, the field left out.
func sumV1(b []byte) uint32 {
	sum := uint64(0)
	for at := 0; at+4 <= len(b); at += 4 {
		if at != 216 {
			sum += uint64(le.Uint32(b[at:]))
		}
	}
	if len(b)%4 != 0 {
		sum += uint64(le.Uint16(b[len(b)-2:]))
	}
	return uint32(sum) + uint32(sum>>32)
}

// Words of superblocks of version 0.90, of which this device's own part is at
// the end.
const (
	v0Minor   = 2
	v0UUID    = 5
	v0Level   = 7
	v0Size    = 8 // KiB
	v0Disks   = 10
	v0Number  = 11
	v0UUIDs   = 13
	v0State   = 33
	v0Sum     = 38
	v0Events  = 39
	v0This    = 992
	v0Clean   = 1 << 0
	v0Reserve = 64 << 10

	diskFaulty = 1 << 0
	diskSync   = 1 << 2
)

// readV0 reads a superblock of version 0.90, which is at the end. Damage is no
// error: what was once an array is mostly something else now.
func readV0(v disk.Volume) (*superblock, error) {
	at := v.Size()&^(v0Reserve-1) - v0Reserve
	b, err := block(v, at)
	if b == nil || err != nil {
		return nil, err
	}
	word := func(i int) uint32 { return le.Uint32(b[i*4:]) }
	sum := uint64(0)
	for i := range blockSize / 4 {
		if i != v0Sum {
			sum += uint64(word(i))
		}
	}
	if word(1) != 0 || uint32(sum)+uint32(sum>>32) != word(v0Sum) {
		return nil, nil
	}
	uuid := append(bytes.Clone(b[v0UUID*4:v0UUID*4+4]), b[v0UUIDs*4:v0UUIDs*4+12]...)
	// Its numbers are words, unlike the bytes of version 1.
	for i := 0; i < len(uuid); i += 4 {
		binary.BigEndian.PutUint32(uuid[i:], le.Uint32(uuid[i:]))
	}
	sb := &superblock{
		uuid: formatUUID(uuid), name: fmt.Sprint(word(v0Number)), level: int32(word(v0Level)), disks: int(word(v0Disks)),
		events: uint64(word(v0Events)) | uint64(word(v0Events+1))<<32, role: int(word(v0This + 3)),
		size: int64(word(v0Size)) << 10, reshaping: word(v0Minor) > 90, unclean: word(v0State)&v0Clean == 0,
	}
	if state := word(v0This + 4); state&diskFaulty != 0 || state&diskSync == 0 {
		sb.flaw = "it is a spare or faulty"
	}
	if sb.size > at {
		return nil, fmt.Errorf("RAID superblock at byte %d: the array has %d bytes, more than its member", at, sb.size)
	}
	return sb, nil
}

// formatUUID prints an array's UUID as mdadm(8) does.
func formatUUID(b []byte) string {
	h := hex.EncodeToString(b)
	return h[:8] + ":" + h[8:16] + ":" + h[16:24] + ":" + h[24:]
}

// arrayName is the array's name without the host's before it.
func arrayName(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	name := string(b)
	if _, local, ok := strings.Cut(name, ":"); ok {
		name = local
	}
	return name
}
