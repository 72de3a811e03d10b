package rpmdb

import (
	"encoding/binary"
	"maps"
)

// SQLite's write-ahead log: a header, then frames of a page each. Frames count
// up to the last one that ends a transaction and whose salt is the header's;
// what is behind it is left from earlier.
const (
	walMagic  = 0x377f0682 // or with the lowest bit set
	walHeader = 32
	walFrame  = 24
)

// readLog finds the pages that the log has newer than the database.
func (db *sqlite) readLog(log File) error {
	if log.ReaderAt == nil || log.Size < walHeader {
		return nil
	}
	start := make([]byte, walHeader)
	if err := log.read(start, 0); err != nil {
		return err
	}
	if binary.BigEndian.Uint32(start)&^1 != walMagic || int64(binary.BigEndian.Uint32(start[8:])) != db.size {
		return nil // not one of this database: SQLite ignores it
	}
	db.log, db.frames = log, map[uint32]int64{}
	pending := map[uint32]int64{}
	frame := make([]byte, walFrame)
	for at := int64(walHeader); at+walFrame+db.size <= log.Size; at += walFrame + db.size {
		if err := log.read(frame, at); err != nil {
			return err
		}
		if string(frame[8:16]) != string(start[16:24]) {
			break
		}
		pending[binary.BigEndian.Uint32(frame)] = at + walFrame
		if binary.BigEndian.Uint32(frame[4:]) != 0 { // ends a transaction
			maps.Copy(db.frames, pending)
			clear(pending)
		}
	}
	return nil
}
