package rpmdb

import (
	"encoding/binary"
	"fmt"
)

// The form "ndb" (rpm's lib/backend/ndb/rpmpkg.c): pages of slots, each of
// which says where the header of a package is, in blocks of 16 bytes.
const (
	ndbMagic     = "RpmP"
	ndbSlotMagic = "Slot"
	ndbBlobMagic = "BlbS"
	ndbBlock     = 16
	ndbPage      = 4096
	ndbMaxPages  = 2048
)

func eachNDB(f File, visit func([]byte) error) error {
	start := make([]byte, 16)
	if err := f.read(start, 0); err != nil {
		return err
	}
	pages := binary.LittleEndian.Uint32(start[12:])
	if version := binary.LittleEndian.Uint32(start[4:]); version != 0 || pages == 0 || pages > ndbMaxPages {
		return fmt.Errorf("ndb of version %d with %d pages of slots", version, pages)
	}
	slots := make([]byte, int64(pages)*ndbPage)
	if err := f.read(slots, 0); err != nil {
		return err
	}
	for slots = slots[2*ndbBlock:]; len(slots) > 0; slots = slots[ndbBlock:] {
		index, block := binary.LittleEndian.Uint32(slots[4:]), binary.LittleEndian.Uint32(slots[8:])
		switch {
		case string(slots[:4]) != ndbSlotMagic:
			return fmt.Errorf("ndb slot begins with %q", slots[:4])
		case index == 0: // free
			continue
		}
		header, err := ndbBlob(f, index, int64(block)*ndbBlock)
		if err != nil {
			return err
		}
		if err := visit(header); err != nil {
			return err
		}
	}
	return nil
}

func ndbBlob(f File, index uint32, at int64) ([]byte, error) {
	start := make([]byte, ndbBlock)
	if err := f.read(start, at); err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(start[12:])
	if string(start[:4]) != ndbBlobMagic || binary.LittleEndian.Uint32(start[4:]) != index || size > maxHeader || int64(size) > f.Size {
		return nil, fmt.Errorf("ndb blob of package %d is damaged", index)
	}
	header := make([]byte, size)
	return header, f.read(header, at+ndbBlock)
}
