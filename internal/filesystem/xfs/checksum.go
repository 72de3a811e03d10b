package xfs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksumValid verifies the CRC-32C of b that stands, little-endian, at offset
// at of b and counts as zeros ("Self Describing Metadata").
func checksumValid(b []byte, at int) bool {
	var zeros [4]byte
	crc := crc32.Update(0, castagnoli, b[:at])
	crc = crc32.Update(crc, castagnoli, zeros[:])
	return crc32.Update(crc, castagnoli, b[at+4:]) == binary.LittleEndian.Uint32(b[at:])
}

// form says where the header of a version 5 block has what all have.
type form struct{ crc, address, uuid, owner int }

// The forms of headers.
var (
	btreeForm   = form{crc: 64, address: 24, uuid: 40, owner: 56}
	dirForm     = form{crc: 4, address: 8, uuid: 24, owner: 40}
	daBlockForm = form{crc: 12, address: 16, uuid: 32, owner: 48}
	remoteForm  = form{crc: 12, address: 40, uuid: 16, owner: 32}
)

// verify checks that b, read from the volume's block of the given number on, is
// whole and belongs to the inode and to this place. Version 4 cannot say.
func (fs *FS) verify(n *node, b []byte, f form, block uint64) error {
	if !fs.sb.v5() {
		return nil
	}
	switch {
	case !checksumValid(b, f.crc):
		return fmt.Errorf("checksum mismatch")
	case !bytes.Equal(b[f.uuid:f.uuid+16], fs.sb.metaUUID):
		return fmt.Errorf("it belongs to another file system")
	case be.Uint64(b[f.owner:]) != n.number:
		return fmt.Errorf("it belongs to inode %d", be.Uint64(b[f.owner:]))
	case be.Uint64(b[f.address:]) != block<<fs.sb.blockLog/sectorSize:
		return fmt.Errorf("it belongs to disk address %d", be.Uint64(b[f.address:]))
	}
	return nil
}
