package qcow2

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
)

// Parts of the entries of L1 and L2 tables.
const (
	entryOffset     = 0x00fffffffffffe00
	entryCompressed = 1 << 62
	entryZero       = 1 << 0 // of a cluster that reads as zeros
	// sectorSize is the unit that compressed clusters are counted in.
	sectorSize = 512
)

// CheckComplete finds out whether the file was cut short, by a copy that was
// not finished or a disk that was full: QEMU reads clusters past the end of
// the file as zeros, without a word.
func (h *Header) CheckComplete(ctx context.Context, r io.ReaderAt, fileSize int64) error {
	clusterSize := int64(1) << h.clusterBits
	l1 := make([]byte, h.l1Entries*8)
	if _, err := r.ReadAt(l1, h.l1Offset); err != nil {
		return fmt.Errorf("qcow2: read L1 table: %w", err)
	}
	l2 := make([]byte, clusterSize)
	seen := map[int64]bool{} // a damaged image may name a table many times
	for at := 0; at < len(l1); at += 8 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		offset := int64(be64(l1, at) & entryOffset)
		if offset == 0 || seen[offset] {
			continue
		}
		seen[offset] = true
		if offset > fileSize-clusterSize {
			return cutShort("L2 table", offset, fileSize)
		}
		if _, err := r.ReadAt(l2, offset); err != nil {
			return fmt.Errorf("qcow2: read L2 table at offset %d: %w", offset, err)
		}
		if err := h.checkClusters(l2, fileSize); err != nil {
			return err
		}
	}
	return nil
}

// checkClusters verifies that the clusters which a table maps are inside the
// file. QEMU writes them whole, but for those that are allocated in parts. The
// last sector of compressed data need not be whole.
func (h *Header) checkClusters(l2 []byte, fileSize int64) error {
	clusterSize := int64(1) << h.clusterBits
	step := 8
	if h.ExtendedL2 {
		step, clusterSize = 16, 1
	}
	for ; len(l2) > 0; l2 = l2[step:] {
		entry := binary.BigEndian.Uint64(l2)
		offset := int64(entry & entryOffset)
		last := offset + clusterSize - 1
		switch {
		case entry&entryCompressed != 0:
			offset, last = h.compressed(entry)
		case offset == 0 || entry&entryZero != 0:
			continue
		}
		if last >= fileSize {
			return cutShort("cluster", offset, fileSize)
		}
	}
	return nil
}

// compressed gives where a compressed cluster begins, and where the last sector
// begins that holds some of it (QEMU, docs/interop/qcow2.txt, Compressed
// Clusters Descriptor).
func (h *Header) compressed(entry uint64) (offset, lastSector int64) {
	bits := 62 - (h.clusterBits - 8)
	offset = int64(entry & (1<<bits - 1))
	more := int64(entry &^ entryCompressed &^ (1 << 63) >> bits)
	return offset, (offset/sectorSize + more) * sectorSize
}

func cutShort(what string, offset, fileSize int64) error {
	return fmt.Errorf("qcow2: the file was cut short: it has %d bytes, and a %s is at offset %d", fileSize, what, offset)
}
