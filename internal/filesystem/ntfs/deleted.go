package ntfs

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// A file record begins with a header, has attributes behind it, and ends in
// what is left of it. The last two bytes of each of its sectors are in an array
// in the header instead, and where they belong is a number that tells whether
// all sectors were written (NTFS documentation of the Linux-NTFS project, "File
// Record" and "Fixup").
const (
	recordFixups      = 0x04
	recordFixupCount  = 0x06
	recordAttributes  = 0x14
	recordHeaderSize  = 0x2a
	recordSector      = 512
	attributeLength   = 0x04
	attributeResident = 0x08 // zero if it is
	attributeSize     = 0x10
	attributeContent  = 0x14
	attributeHeader   = 0x18
)

// maxRemains bounds the parts of the file table that hold what was deleted.
const maxRemains = 1 << 20

// remains are what the file table holds of the content of deleted files: small
// files lie in their records, and stay there.
type remains struct {
	table    *content
	segments []filesystem.Segment
}

// add looks at a record that is not in use, as it is on the volume.
func (r *remains) add(raw []byte, number int64) error {
	if !bytes.HasPrefix(raw, []byte("FILE")) {
		return nil // it was never used
	}
	old, err := deletedContent(raw)
	if err != nil {
		return err
	}
	for _, part := range old {
		r.segments = append(r.segments, r.table.segments(number*int64(len(raw))+part.Offset, part.Length)...)
	}
	if len(r.segments) > maxRemains {
		return errors.New("it and those before it hold too many parts of deleted files")
	}
	return nil
}

// sorted returns all in the order of the volume.
func (r *remains) sorted() ([]filesystem.Segment, error) {
	slices.SortFunc(r.segments, func(a, b filesystem.Segment) int { return cmp.Compare(a.Offset, b.Offset) })
	end := int64(0)
	for _, s := range r.segments {
		if s.Offset < end {
			return nil, fmt.Errorf("$MFT: two of its records are at byte %d of the volume", s.Offset)
		}
		end = s.Offset + s.Length
	}
	return r.segments, nil
}

// deletedContent finds the parts of an unused record, as it is on the volume,
// that are of content and not zero. The rest stays, so that it is a record as
// before.
func deletedContent(raw []byte) ([]filesystem.Segment, error) {
	record := bytes.Clone(raw)
	if err := unfix(record); err != nil {
		return nil, err
	}
	var content []filesystem.Segment
	end := int64(len(record))
	at := int64(le.Uint16(record[recordAttributes:]))
	fixups := int64(le.Uint16(record[recordFixups:])) + 2*int64(le.Uint16(record[recordFixupCount:]))
	if at < fixups || at > end {
		return nil, fmt.Errorf("its attributes begin at byte %d", at)
	}
	for at+attributeHeader <= end && le.Uint32(record[at:]) != math.MaxUint32 {
		length := int64(le.Uint32(record[at+attributeLength:]))
		if length < attributeHeader || length > end-at {
			break // all from here on is of no use to anybody
		}
		if record[at+attributeResident] == 0 && isContent(le.Uint32(record[at:])) {
			from := int64(le.Uint16(record[at+attributeContent:]))
			size := int64(le.Uint32(record[at+attributeSize:]))
			if from < attributeHeader || from > length || size > length-from {
				from, size = attributeHeader, length-attributeHeader
			}
			content = append(content, filesystem.Segment{Offset: at + from, Length: size})
		}
		at += length
	}
	// What is behind the end marker is of earlier content.
	if rest := min(at+8, end); rest < end {
		content = append(content, filesystem.Segment{Offset: rest, Length: end - rest})
	}
	return stored(raw, content), nil
}

// isContent says whether attributes of a type hold what is in a file, rather
// than what it is called and where it lies.
func isContent(kind uint32) bool {
	switch kind {
	case 0x10, 0x20, 0x30, 0x90, 0xa0, typeBitmap: // standard information, attribute list, name, index
		return false
	}
	return true
}

// unfix puts the last bytes of each sector where they belong.
func unfix(record []byte) error {
	at, count := int(le.Uint16(record[recordFixups:])), int(le.Uint16(record[recordFixupCount:]))
	if count != len(record)/recordSector+1 || at < recordHeaderSize || at+2*count > recordSector-2 {
		return fmt.Errorf("an array of %d fixups at byte %d", count, at)
	}
	number := record[at : at+2]
	for i := 1; i < count; i++ {
		last := record[i*recordSector-2 : i*recordSector]
		if !bytes.Equal(last, number) {
			return fmt.Errorf("its sector %d was not written", i)
		}
		copy(last, record[at+2*i:])
	}
	return nil
}

// stored are the bytes of a record on the volume that hold parts of it: the last
// two of each sector are in the header. Those that are zero are left out.
func stored(raw []byte, parts []filesystem.Segment) (found []filesystem.Segment) {
	array := int64(le.Uint16(raw[recordFixups:]))
	add := func(from, to int64) {
		if !bytes.Equal(raw[from:to], make([]byte, to-from)) {
			found = append(found, filesystem.Segment{Offset: from, Length: to - from})
		}
	}
	for _, part := range parts {
		end := part.Offset + part.Length
		for at := part.Offset; at < end; {
			sector := at / recordSector
			last := (sector+1)*recordSector - 2
			if at < last {
				next := min(last, end)
				add(at, next)
				at = next
				continue
			}
			// One byte at a time: a part can begin or end between the two.
			in := array + 2*(sector+1) + at - last
			add(in, in+1)
			at++
		}
	}
	return found
}

// segments are where a part of the content lies on the volume.
func (c *content) segments(off, n int64) (found []filesystem.Segment) {
	start := int64(0)
	for _, run := range c.runs {
		length := run.Length * c.fs.cluster
		from, to := max(off, start), min(off+n, start+length)
		if from < to {
			found = append(found, filesystem.Segment{Offset: run.Offset*c.fs.cluster + from - start, Length: to - from})
		}
		start += length
	}
	return found
}
