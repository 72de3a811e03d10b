package lvm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

const (
	sector       = 512
	labelSectors = 4 // the label is in one of the first
	labelMagic   = "LABELONE"
	labelType    = "LVM2 001"
	areaMagic    = " LVM2 x[5A%r0N*>"
	areaHeader   = 512
	// maxText bounds the metadata that is read of all members; a group of
	// thousands of volumes has a few MiB.
	maxText = 64 << 20
	// maxAreas is what lvm(8) makes.
	maxAreas = 2
	// ignored is the flag of metadata that is kept for later, and out of date.
	ignored = 1
)

var le = binary.LittleEndian

// checksum is CRC-32 as LVM begins it, and without the usual inversions.
func checksum(b []byte) uint32 {
	const initial = 0xf597a6cf
	return ^crc32.Update(^uint32(initial), crc32.IEEETable, b)
}

// area is a run of bytes on a physical volume.
type area struct{ offset, size uint64 }

// read reads the label and all current copies of the metadata. A copy that is
// damaged counts only if there is no other. Text of so many bytes is left to be
// read.
func (m *Member) read(left *uint64) ([]*group, error) {
	header, err := m.label()
	if err != nil {
		return nil, err
	}
	areas, err := m.areas(header)
	if err != nil {
		return nil, err
	}
	var groups []*group
	for i, a := range areas {
		text, areaErr := m.text(a, left)
		var g *group
		if areaErr == nil && text != nil {
			g, areaErr = parseGroup(text)
		}
		switch {
		case areaErr != nil:
			err = fmt.Errorf("LVM metadata area %d: %w", i, areaErr)
		case g != nil:
			groups = append(groups, g)
		}
	}
	if len(groups) > 0 {
		return groups, nil
	}
	return nil, err
}

// label finds the label and returns the header that follows it.
func (m *Member) label() ([]byte, error) {
	head, err := readFull(m, 0, min(labelSectors*sector, uint64(m.Size())))
	if err != nil {
		return nil, fmt.Errorf("LVM label: %w", err)
	}
	for i := uint64(0); (i+1)*sector <= uint64(len(head)); i++ {
		b := head[i*sector:][:sector]
		if string(b[:8]) != labelMagic {
			continue
		}
		offset := le.Uint32(b[20:])
		switch {
		case le.Uint32(b[16:]) != checksum(b[20:]):
			return nil, fmt.Errorf("LVM label in sector %d: checksum mismatch", i)
		case le.Uint64(b[8:]) != i:
			return nil, fmt.Errorf("LVM label in sector %d: it says that it is in sector %d", i, le.Uint64(b[8:]))
		case string(b[24:32]) != labelType:
			return nil, fmt.Errorf("LVM label in sector %d: type %q is not read, only %q", i, b[24:32], labelType)
		case offset < 32 || offset > sector-40:
			return nil, fmt.Errorf("LVM label in sector %d: header at byte %d", i, offset)
		}
		return b[offset:], nil
	}
	return nil, fmt.Errorf("no LVM label")
}

// areas takes the volume's UUID and where its metadata is from its header. It
// has two lists of areas, of data and of metadata, each ended by zeros.
func (m *Member) areas(header []byte) ([]area, error) {
	m.uuid = plain(string(header[:32]))
	var metadata []area
	lists := 0
	for at := 40; lists < 2; at += 16 {
		if at+16 > len(header) {
			return nil, fmt.Errorf("LVM header: its lists do not end")
		}
		a := area{le.Uint64(header[at:]), le.Uint64(header[at+8:])}
		switch {
		case a.offset == 0:
			lists++
		case lists == 1 && len(metadata) == maxAreas:
			return nil, fmt.Errorf("LVM header: over %d metadata areas", maxAreas)
		case lists == 1:
			metadata = append(metadata, a)
		}
	}
	return metadata, nil
}

// text reads the current metadata of an area, nil if there is none. It is in a
// ring after the area's header.
func (m *Member) text(a area, left *uint64) ([]byte, error) {
	header, err := readFull(m, a.offset, areaHeader)
	if err != nil {
		return nil, err
	}
	switch {
	case string(header[4:20]) != areaMagic:
		return nil, fmt.Errorf("no magic number")
	case le.Uint32(header) != checksum(header[4:]):
		return nil, fmt.Errorf("checksum mismatch in its header")
	case le.Uint32(header[20:]) != 1:
		return nil, fmt.Errorf("version %d is not read, only 1", le.Uint32(header[20:]))
	case le.Uint64(header[24:]) != a.offset:
		return nil, fmt.Errorf("it says that it is at byte %d, not %d", le.Uint64(header[24:]), a.offset)
	}
	size := le.Uint64(header[32:])
	text := area{le.Uint64(header[40:]), le.Uint64(header[48:])}
	sum, flags := le.Uint32(header[56:]), le.Uint32(header[60:])
	if text.offset == 0 || flags&ignored != 0 {
		return nil, nil
	}
	if size <= areaHeader || text.offset < areaHeader || text.offset >= size || text.size > size-areaHeader {
		return nil, fmt.Errorf("text of %d bytes at byte %d is not within its %d", text.size, text.offset, size)
	}
	if text.size > *left {
		return nil, fmt.Errorf("over %d bytes of text on all physical volumes", maxText)
	}
	*left -= text.size
	first := min(text.size, size-text.offset)
	b, err := readFull(m, a.offset+text.offset, first)
	if err != nil {
		return nil, err
	}
	rest, err := readFull(m, a.offset+areaHeader, text.size-first)
	if err != nil {
		return nil, err
	}
	b = append(b, rest...)
	if checksum(b) != sum {
		return nil, fmt.Errorf("checksum mismatch in its text")
	}
	b, _, _ = bytes.Cut(b, []byte{0})
	return b, nil
}
