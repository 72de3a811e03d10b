package rpmdb

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// SQLite's file format (https://sqlite.org/fileformat2.html), as far as one
// table is read from its first row to its last.
const (
	sqliteMagic  = "SQLite format 3\x00"
	pageInterior = 5
	pageLeaf     = 13
	maxTreeDepth = 20
	schemaPage   = 1
	schemaHeader = 100
)

var errSQLite = errors.New("a page of the SQLite database is damaged")

type sqlite struct {
	File
	log    File
	frames map[uint32]int64 // where a page's newest content is in the log
	size   int64            // of a page
	usable int              // of it, what is not reserved
	left   int64            // pages that may still be read, a bound of the time
}

// eachSQLite visits the column blob of all rows of the table Packages.
func eachSQLite(f, log File, visit func([]byte) error) error {
	start := make([]byte, schemaHeader)
	if err := f.read(start, 0); err != nil {
		return err
	}
	db := &sqlite{File: f, size: int64(binary.BigEndian.Uint16(start[16:]))}
	if db.size == 1 {
		db.size = 64 << 10
	}
	db.usable = int(db.size) - int(start[20])
	if db.size < minPage || db.size&(db.size-1) != 0 || db.usable < 480 {
		return fmt.Errorf("a SQLite database with pages of %d bytes", db.size)
	}
	db.left = 16 + maxReads*(f.Size+log.Size)/db.size
	if err := db.readLog(log); err != nil {
		return err
	}
	root := uint32(0)
	err := db.table(schemaPage, 0, func(record []byte) error {
		values, err := columns(record)
		if err != nil || len(values) < 4 {
			return err
		}
		if string(values[0].data) == "table" && string(values[1].data) == "Packages" {
			root = uint32(values[3].number)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if root == 0 {
		return errors.New("the SQLite database has no table Packages")
	}
	return db.table(root, 0, func(record []byte) error {
		values, err := columns(record)
		if err != nil {
			return err
		}
		if len(values) < 2 {
			return errSQLite
		}
		return visit(values[1].data)
	})
}

// page reads a page, from the log if that has a newer one.
func (db *sqlite) page(number uint32) ([]byte, error) {
	if db.left--; db.left < 0 {
		return nil, errSQLite
	}
	b := make([]byte, db.size)
	if at, ok := db.frames[number]; ok {
		return b, db.log.read(b, at)
	}
	if number == 0 {
		return nil, errSQLite
	}
	return b, db.read(b, int64(number-1)*db.size)
}

// table visits the rows below a page of a table.
func (db *sqlite) table(number uint32, depth int, visit func([]byte) error) error {
	page, err := db.page(number)
	if err != nil {
		return err
	}
	head := page
	if number == schemaPage {
		head = page[schemaHeader:]
	}
	kind, count, first := head[0], int(binary.BigEndian.Uint16(head[3:])), 8
	if kind == pageInterior {
		first = 12
	}
	if depth > maxTreeDepth || first+2*count > len(head) || kind != pageInterior && kind != pageLeaf {
		return fmt.Errorf("page %d: %w", number, errSQLite)
	}
	for i := range count {
		at := int(binary.BigEndian.Uint16(head[first+2*i:]))
		if at+4 > len(page) {
			return fmt.Errorf("page %d: %w", number, errSQLite)
		}
		if kind == pageInterior {
			if err := db.table(binary.BigEndian.Uint32(page[at:]), depth+1, visit); err != nil {
				return err
			}
			continue
		}
		record, err := db.record(page, at)
		if err != nil {
			return fmt.Errorf("page %d: %w", number, err)
		}
		if err := visit(record); err != nil {
			return err
		}
	}
	if kind == pageInterior {
		return db.table(binary.BigEndian.Uint32(head[8:]), depth+1, visit)
	}
	return nil
}

// record joins a row that may go on on overflow pages.
func (db *sqlite) record(page []byte, at int) ([]byte, error) {
	length, n := varint(page[at:])
	at += n
	_, m := varint(page[at:]) // the row's number
	at += m
	if n == 0 || m == 0 || length < 0 || length > maxHeader || length > db.Size+db.log.Size {
		return nil, errSQLite
	}
	here := db.local(int(length))
	if at+here > len(page) {
		return nil, errSQLite
	}
	record := append(make([]byte, 0, length), page[at:at+here]...)
	if here == int(length) {
		return record, nil
	}
	if at+here+4 > len(page) {
		return nil, errSQLite
	}
	next := binary.BigEndian.Uint32(page[at+here:])
	for len(record) < int(length) {
		more, err := db.page(next)
		if err != nil {
			return nil, err
		}
		next = binary.BigEndian.Uint32(more)
		record = append(record, more[4:min(db.usable, 4+int(length)-len(record))]...)
	}
	return record, nil
}

// local is how much of a row of a length is on its leaf page.
func (db *sqlite) local(length int) int {
	most, least := db.usable-35, (db.usable-12)*32/255-23
	if length <= most {
		return length
	}
	if k := least + (length-least)%(db.usable-4); k <= most {
		return k
	}
	return least
}

// value is a column of a row: a number, or bytes.
type value struct {
	number int64
	data   []byte
}

// columns takes a row apart.
func columns(record []byte) ([]value, error) {
	size, n := varint(record)
	if n == 0 || size < int64(n) || size > int64(len(record)) {
		return nil, errSQLite
	}
	kinds, body := record[n:size], record[size:]
	var values []value
	for len(kinds) > 0 {
		kind, n := varint(kinds)
		if n == 0 {
			return nil, errSQLite
		}
		kinds = kinds[n:]
		length := int64(0)
		switch {
		case kind < 0:
			return nil, errSQLite
		case kind <= 4:
			length = kind
		case kind == 5:
			length = 6
		case kind <= 7:
			length = 8
		case kind >= 12:
			length = (kind - 12) / 2
		}
		if length > int64(len(body)) {
			return nil, errSQLite
		}
		v := value{data: body[:length]}
		switch {
		case kind == 9:
			v.number = 1
		case kind >= 1 && kind <= 6:
			for _, b := range v.data {
				v.number = v.number<<8 | int64(b)
			}
		}
		values, body = append(values, v), body[length:]
	}
	return values, nil
}

// varint reads a number of SQLite's own form; its length is 0 if it is cut off.
func varint(b []byte) (int64, int) {
	var v uint64
	for i := range min(len(b), 9) {
		if i == 8 {
			return int64(v<<8 | uint64(b[i])), 9
		}
		v = v<<7 | uint64(b[i]&0x7f)
		if b[i] < 0x80 {
			return int64(v), i + 1
		}
	}
	return 0, 0
}
