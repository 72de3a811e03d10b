package rpmdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// A hash of Berkeley DB (its dbinc/db_page.h): the values, headers of packages,
// are so long that each is on a chain of overflow pages.
const (
	hashMagic     = 0x00061561
	pageHeader    = 26
	pageUnsorted  = 2
	pageOverflow  = 7
	pageHash      = 13
	itemOffPage   = 3
	offPageSize   = 12
	minPage       = 512
	maxPage       = 64 << 10
	maxChainBytes = maxHeader
)

var errBerkeley = errors.New("a page of the Berkeley database is damaged")

// isBerkeley tells a hash by the number in its first page, in either order.
func isBerkeley(start []byte) bool {
	return binary.LittleEndian.Uint32(start[12:]) == hashMagic || binary.BigEndian.Uint32(start[12:]) == hashMagic
}

type berkeley struct {
	File
	order binary.ByteOrder
	size  int64 // of a page
	last  uint32
}

func eachBerkeley(f File, visit func([]byte) error) error {
	start := make([]byte, minPage)
	if err := f.read(start, 0); err != nil {
		return err
	}
	db := berkeley{File: f, order: binary.LittleEndian}
	if binary.BigEndian.Uint32(start[12:]) == hashMagic {
		db.order = binary.BigEndian
	}
	db.size, db.last = int64(db.order.Uint32(start[20:])), db.order.Uint32(start[32:])
	if db.size < minPage || db.size > maxPage || db.size&(db.size-1) != 0 || start[24] != 0 {
		return fmt.Errorf("a Berkeley database with pages of %d bytes, encryption %d", db.size, start[24])
	}
	page := make([]byte, db.size)
	for number := int64(0); number <= int64(db.last); number++ {
		if err := db.read(page, number*db.size); err != nil {
			return err
		}
		if page[25] != pageHash && page[25] != pageUnsorted {
			continue
		}
		if err := db.items(page, visit); err != nil {
			return fmt.Errorf("page %d: %w", number, err)
		}
	}
	return nil
}

// items visits the values of a page: every second item, the others are keys.
func (db berkeley) items(page []byte, visit func([]byte) error) error {
	count := int(db.order.Uint16(page[20:]))
	if pageHeader+2*count > len(page) {
		return errBerkeley
	}
	for i := 1; i < count; i += 2 {
		at := int(db.order.Uint16(page[pageHeader+2*i:]))
		if at >= len(page) {
			return errBerkeley
		}
		if page[at] != itemOffPage { // the count of packages, under the key 0
			continue
		}
		if at+offPageSize > len(page) {
			return errBerkeley
		}
		header, err := db.chain(db.order.Uint32(page[at+4:]), db.order.Uint32(page[at+8:]))
		if err != nil {
			return err
		}
		if err := visit(header); err != nil {
			return err
		}
	}
	return nil
}

// chain joins what is on a chain of overflow pages, size bytes in all.
func (db berkeley) chain(number, size uint32) ([]byte, error) {
	if size > maxChainBytes || int64(size) > db.Size {
		return nil, errBerkeley
	}
	var value bytes.Buffer
	page := make([]byte, db.size)
	for number != 0 {
		if err := db.read(page, int64(number)*db.size); err != nil {
			return nil, err
		}
		used := int(db.order.Uint16(page[22:])) // of an overflow page, bytes of data
		if page[25] != pageOverflow || used == 0 || pageHeader+used > len(page) || value.Len()+used > int(size) {
			return nil, errBerkeley
		}
		value.Write(page[pageHeader : pageHeader+used])
		number = db.order.Uint32(page[16:])
	}
	if value.Len() != int(size) {
		return nil, errBerkeley
	}
	return value.Bytes(), nil
}
