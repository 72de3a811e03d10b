// Package qcow2 reads the header of a qcow2 image: what other files it needs,
// and whether it is fit to be read.
//
// The format is in QEMU's docs/interop/qcow2.txt.
package qcow2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Magic is what a qcow2 image begins with.
const Magic = "QFI\xfb"

// Bits of the incompatible features.
const (
	featureCorrupt      = 1 << 1
	featureExternalData = 1 << 2
	featureExtendedL2   = 1 << 4
)

// Types of header extensions.
const (
	extensionEnd           = 0
	extensionBackingFormat = 0xe2792aca
	extensionDataFile      = 0x44415441
)

const (
	headerSize2 = 72  // of version 2
	headerSize3 = 104 // of version 3, at least
	// QEMU's own limits.
	minClusterBits, maxClusterBits = 9, 21
	maxBackingName                 = 1023
	maxL1Bytes                     = 32 << 20
)

// ErrNotQcow2 says that a file is of another format.
var ErrNotQcow2 = errors.New("not a qcow2 image")

// Header is what a reader needs to know before it opens the image.
type Header struct {
	// Size is the disk's length in bytes.
	Size int64
	// BackingFile is the file that holds what the image does not, as written
	// in the image; "" if there is none. BackingFormat is its format; ""
	// where the image does not tell.
	BackingFile, BackingFormat string
	// DataFile is the file that holds the disk's data where that is not the
	// image itself.
	DataFile string
	// Encrypted, Corrupt and ExtendedL2 are set where the image is.
	Encrypted, Corrupt, ExtendedL2 bool

	clusterBits         uint32
	l1Offset, l1Entries int64
}

// ReadHeader reads the header of an image whose file has fileSize bytes, and
// refuses sizes that no qcow2 image can have.
func ReadHeader(r io.ReaderAt, fileSize int64) (*Header, error) {
	raw := make([]byte, headerSize3)
	if n, err := r.ReadAt(raw, 0); n < headerSize2 {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("qcow2: read header: %w", err)
		}
		return nil, ErrNotQcow2
	}
	if string(raw[:4]) != Magic {
		return nil, ErrNotQcow2
	}
	version := be32(raw, 4)
	if version != 2 && version != 3 {
		return nil, fmt.Errorf("qcow2: version %d of the format is not supported", version)
	}
	h := &Header{Size: int64(be64(raw, 24)), Encrypted: be32(raw, 32) != 0}
	if err := h.checkTables(raw, fileSize); err != nil {
		return nil, err
	}
	length := int64(headerSize2)
	if version == 3 {
		features := be64(raw, 72)
		h.Corrupt = features&featureCorrupt != 0
		h.ExtendedL2 = features&featureExtendedL2 != 0
		if features&featureExternalData != 0 {
			h.DataFile = "unnamed"
		}
		length = int64(be32(raw, 100))
	}
	return h, h.readNames(r, raw, length)
}

// checkTables refuses sizes that would cost a reader its memory.
func (h *Header) checkTables(raw []byte, fileSize int64) error {
	bits := be32(raw, 20)
	if bits < minClusterBits || bits > maxClusterBits {
		return fmt.Errorf("qcow2: header: clusters of 2^%d bytes are out of range", bits)
	}
	if h.Size < 0 {
		return fmt.Errorf("qcow2: header: disk size %d is out of range", uint64(h.Size))
	}
	entries, offset := int64(be32(raw, 36)), be64(raw, 40)
	if entries*8 > maxL1Bytes {
		return fmt.Errorf("qcow2: header: L1 table of %d entries is too large", entries)
	}
	if offset > uint64(fileSize) || int64(offset)+entries*8 > fileSize {
		return fmt.Errorf("qcow2: L1 table at offset %d runs past the end of the file, which has %d bytes", offset, fileSize)
	}
	h.clusterBits, h.l1Offset, h.l1Entries = bits, int64(offset), entries
	perL1 := uint64(1) << (2*bits - 3) // bytes of disk behind an L1 entry
	if raw[79]&featureExtendedL2 != 0 && be32(raw, 4) == 3 {
		perL1 /= 2
	}
	if need := (uint64(h.Size) + perL1 - 1) / perL1; need > uint64(entries) {
		return fmt.Errorf("qcow2: L1 table has %d entries, a disk of %d bytes needs %d", entries, h.Size, need)
	}
	return nil
}

// readNames finds the other files the image needs. Header extensions begin at
// offset length.
func (h *Header) readNames(r io.ReaderAt, raw []byte, length int64) error {
	clusterSize := int64(1) << be32(raw, 20)
	if length < headerSize2 || length > clusterSize {
		return fmt.Errorf("qcow2: header: its own length, %d bytes, is out of range", length)
	}
	end := clusterSize
	if offset, size := be64(raw, 8), int64(be32(raw, 16)); offset != 0 {
		if size > min(maxBackingName, clusterSize) || offset > uint64(clusterSize-size) {
			return fmt.Errorf("qcow2: header: backing file name of %d bytes at offset %d is out of range", size, offset)
		}
		name := make([]byte, size)
		if _, err := r.ReadAt(name, int64(offset)); err != nil {
			return fmt.Errorf("qcow2: read backing file name: %w", err)
		}
		h.BackingFile = string(name)
		end = int64(offset)
	}
	for at := length; at+8 <= end; {
		var head [8]byte
		if _, err := r.ReadAt(head[:], at); err != nil {
			return fmt.Errorf("qcow2: read header extension at offset %d: %w", at, err)
		}
		kind, size := be32(head[:], 0), int64(be32(head[:], 4))
		if kind == extensionEnd {
			return nil
		}
		if size > end-at-8 {
			return fmt.Errorf("qcow2: header extension %#x at offset %d has %d bytes, more than fit", kind, at, size)
		}
		if err := h.readExtension(r, kind, at+8, size); err != nil {
			return err
		}
		at += 8 + (size+7)&^7
	}
	return nil
}

func (h *Header) readExtension(r io.ReaderAt, kind uint32, at, size int64) error {
	if kind != extensionBackingFormat && kind != extensionDataFile {
		return nil
	}
	if size > maxBackingName {
		return fmt.Errorf("qcow2: header extension %#x at offset %d: a name of %d bytes is out of range", kind, at, size)
	}
	name := make([]byte, size)
	if _, err := r.ReadAt(name, at); err != nil {
		return fmt.Errorf("qcow2: read header extension at offset %d: %w", at, err)
	}
	if kind == extensionBackingFormat {
		h.BackingFormat = string(name)
	} else {
		h.DataFile = string(name)
	}
	return nil
}

func be32(b []byte, at int) uint32 { return binary.BigEndian.Uint32(b[at:]) }
func be64(b []byte, at int) uint64 { return binary.BigEndian.Uint64(b[at:]) }
