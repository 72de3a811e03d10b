package ntfs

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// Fields of a file record and of an attribute that is not resident ("File
// Record" and "Attributes" of the Linux-NTFS project's documentation).
const (
	recordFlags     = 0x16
	recordUsed      = 0x18
	recordNumber    = 0x2c // where the fixups begin behind it
	flagInUse       = 0x1
	attributeFirst  = 0x10
	attributeLast   = 0x18
	attributeRuns   = 0x20
	nonResidentSize = 0x40
)

// owners look through the table of files for clusters that the bitmap says are
// free, or that two files own.
type owners struct {
	used, owned bitmap
	clusters    int64
}

// checkOwned looks at all records of the file table, and returns what is left in
// it of deleted files.
func (fs *FS) checkOwned(used bitmap) ([]filesystem.Segment, error) {
	table, err := fs.content(recordMFT, typeData)
	if err != nil {
		return nil, err
	}
	size := fs.ntfs.GetRecordSize()
	count := table.size / size
	if count > maxRecords {
		return nil, fmt.Errorf("$MFT: %d records", count)
	}
	inUse, err := fs.readBitmap(recordMFT, typeBitmap, count)
	if err != nil {
		return nil, err
	}
	if err := fs.checkMirror(table); err != nil {
		return nil, err
	}
	all := owners{used: used, owned: make(bitmap, len(used)), clusters: fs.clusters}
	left := remains{table: table}
	raw := make([]byte, size)
	for number := range count {
		if _, err := table.ReadAt(raw, number*size); err != nil {
			return nil, fmt.Errorf("file record %d: %w", number, err)
		}
		if err := all.add(raw, number, inUse.has(number)); err != nil {
			return nil, fmt.Errorf("file record %d: %w", number, err)
		}
		if inUse.has(number) {
			continue
		}
		if err := left.add(raw, number); err != nil {
			return nil, fmt.Errorf("file record %d, of a deleted file: %w", number, err)
		}
	}
	return left.sorted()
}

// checkMirror compares the first records with their copies: they say where the
// file table is. Whoever mounts the volume does so too.
func (fs *FS) checkMirror(table *content) error {
	mirror, err := fs.content(recordMirror, typeData)
	if err != nil {
		return err
	}
	size := fs.ntfs.GetRecordSize()
	first, second := make([]byte, size), make([]byte, size)
	for number := range int64(mirrored) {
		for volume, record := range map[*content][]byte{table: first, mirror: second} {
			if _, err := volume.ReadAt(record, number*size); err != nil {
				return fmt.Errorf("file record %d: %w", number, err)
			}
			if err := unfix(record); err != nil {
				return fmt.Errorf("file record %d: %w", number, err)
			}
		}
		used := min(int64(le.Uint32(first[recordUsed:])), size)
		from := int64(le.Uint16(first[recordAttributes:]))
		if from > used || !bytes.Equal(first[from:used], second[from:used]) {
			return fmt.Errorf("file record %d: its copy in $MFTMirr is another", number)
		}
	}
	return nil
}

// add looks at a record as it is on the volume. What it lists in others is looked
// at with these.
func (o *owners) add(raw []byte, number int64, inUse bool) error {
	if !bytes.HasPrefix(raw, []byte("FILE")) {
		if inUse {
			return fmt.Errorf("it begins with %q", raw[:4])
		}
		return nil // it may never have been written
	}
	record := bytes.Clone(raw)
	if err := unfix(record); err != nil {
		return err
	}
	// Some are formatted without a number before they are used.
	if own := int64(le.Uint32(record[recordNumber:])); le.Uint16(record[recordFixups:]) > recordNumber && own != number && own != 0 {
		return fmt.Errorf("it says that it is number %d", own)
	}
	switch {
	case le.Uint16(record[recordFlags:])&flagInUse == 0:
		return nil
	case !inUse:
		return errors.New("in use, but free by $MFT's own bitmap")
	}
	return o.attributes(record)
}

// attributes looks at what a record owns.
func (o *owners) attributes(record []byte) error {
	end := int64(le.Uint32(record[recordUsed:]))
	if end > int64(len(record)) {
		return fmt.Errorf("%d bytes of %d are in use", end, len(record))
	}
	at := int64(le.Uint16(record[recordAttributes:]))
	for at+4 <= end && le.Uint32(record[at:]) != math.MaxUint32 {
		if at+attributeHeader > end {
			return fmt.Errorf("an attribute begins at byte %d of %d", at, end)
		}
		length := int64(le.Uint32(record[at+attributeLength:]))
		if length < attributeHeader || length > end-at {
			return fmt.Errorf("an attribute of %d bytes at byte %d of %d", length, at, end)
		}
		if attribute := record[at : at+length]; attribute[attributeResident] != 0 {
			if err := o.runs(attribute); err != nil {
				return err
			}
		}
		at += length
	}
	if at+4 > end {
		return errors.New("its attributes have no end")
	}
	return nil
}

// runs takes the clusters that an attribute lists.
func (o *owners) runs(attribute []byte) error {
	if len(attribute) < nonResidentSize {
		return fmt.Errorf("an attribute of %d bytes, not resident", len(attribute))
	}
	at := int(le.Uint16(attribute[attributeRuns:]))
	if at < nonResidentSize || at > len(attribute) {
		return fmt.Errorf("runs at byte %d of an attribute of %d", at, len(attribute))
	}
	count, cluster := int64(0), int64(0)
	for list := attribute[at:]; ; {
		r, rest, err := nextRun(list)
		if err != nil {
			return err
		}
		if r.length == 0 {
			break
		}
		list = rest
		if count += r.length; count < 0 {
			return errors.New("its clusters are without number")
		}
		if r.hole {
			continue
		}
		cluster += r.offset
		if err := o.take(cluster, r.length); err != nil {
			return err
		}
	}
	first, last := int64(le.Uint64(attribute[attributeFirst:])), int64(le.Uint64(attribute[attributeLast:]))
	if first == 0 && last == 0 {
		return nil // some leave it at that where the list is the only one
	}
	if want := last + 1 - first; count != want {
		return fmt.Errorf("%d clusters of %d", count, want)
	}
	return nil
}

// take makes a run somebody's.
func (o *owners) take(at, length int64) error {
	if at < 0 || length > o.clusters || at > o.clusters-length {
		return fmt.Errorf("clusters %d+%d are not on the volume", at, length)
	}
	end := at + length
	if o.used.skip(at, math.MaxUint8, end) < end {
		return fmt.Errorf("$Bitmap says that clusters are free among its %d+%d", at, length)
	}
	if o.owned.skip(at, 0, end) < end {
		return fmt.Errorf("another owns clusters among its %d+%d: run `chkdsk /f` in Windows", at, length)
	}
	o.owned.set(at, end)
	return nil
}

// listedRun is a run as an attribute lists it.
type listedRun struct {
	offset int64 // from the one before it that is no hole
	length int64 // zero behind the last one
	hole   bool
}

// nextRun decodes the first run of a list ("Data Runs").
func nextRun(list []byte) (r listedRun, rest []byte, err error) {
	if len(list) == 0 {
		return r, nil, errors.New("its list of runs has no end")
	}
	head := list[0]
	if head == 0 {
		return r, nil, nil
	}
	lengthSize, offsetSize := int(head&0xf), int(head>>4)
	if lengthSize == 0 || lengthSize > 8 || offsetSize > 8 || 1+lengthSize+offsetSize > len(list) {
		return r, nil, fmt.Errorf("a run begins with byte %#02x", head)
	}
	r.length = signed(list[1 : 1+lengthSize])
	if r.length <= 0 {
		return r, nil, fmt.Errorf("a run of %d clusters", r.length)
	}
	r.offset, r.hole = signed(list[1+lengthSize:1+lengthSize+offsetSize]), offsetSize == 0
	return r, list[1+lengthSize+offsetSize:], nil
}

// signed decodes a number of up to eight bytes.
func signed(b []byte) (n int64) {
	for i, v := range b {
		n |= int64(v) << (8 * i)
	}
	unused := 64 - 8*len(b)
	return n << unused >> unused
}
