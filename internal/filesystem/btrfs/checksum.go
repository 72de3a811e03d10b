package btrfs

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/crypto/blake2b"
)

var errChecksum = errors.New("checksum mismatch")

// checksumField is the length of the field in front of blocks that holds their
// checksum, of any kind.
const checksumField = 32

// checksum is one of the kinds that a file system can have.
type checksum struct {
	size int
	of   func(sum, b []byte) []byte // appends to sum
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksumOf returns the kind of the given number.
func checksumOf(kind uint16) (checksum, error) {
	switch kind {
	case 0:
		return checksum{4, func(sum, b []byte) []byte { return le.AppendUint32(sum, crc32.Checksum(b, castagnoli)) }}, nil
	case 1:
		return checksum{8, func(sum, b []byte) []byte { return le.AppendUint64(sum, xxhash.Sum64(b)) }}, nil
	case 2:
		return checksum{32, func(sum, b []byte) []byte { s := sha256.Sum256(b); return append(sum, s[:]...) }}, nil
	case 3:
		return checksum{32, func(sum, b []byte) []byte { s := blake2b.Sum256(b); return append(sum, s[:]...) }}, nil
	}
	return checksum{}, fmt.Errorf("checksums of kind %d cannot be verified", kind)
}

// validBlock verifies a block that begins with its checksum.
func (c checksum) validBlock(b []byte) bool { return c.valid(b[:c.size], b[checksumField:]) }

func (c checksum) valid(want, b []byte) bool {
	var room [checksumField]byte
	return bytes.Equal(c.of(room[:0], b), want)
}
