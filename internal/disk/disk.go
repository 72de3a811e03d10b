// Package disk opens disk images for reading: raw ones in this process, all
// other formats that qemu-nbd knows through a qemu-nbd of our own, or qcow2 in
// this process too where qemu-nbd or libnbd is not to be had.
//
// Nothing in it can write to an image.
package disk

import (
	"io"
	"iter"
)

// Volume is a readable run of bytes: a whole disk, a partition of it, or a
// logical volume. ReadAt is safe for concurrent use.
type Volume interface {
	io.ReaderAt
	// Size is the volume's length in bytes.
	Size() int64
	// Prefetch says that [off, off+n) will be read soon. It is a hint: it
	// returns at once, never fails, and changes no byte that ReadAt returns.
	Prefetch(off, n int64)
}

// Extent is a run of a disk that is either stored or a hole, which reads as
// zeros and costs nothing.
type Extent struct {
	Offset, Length int64 // bytes
	Hole           bool
}

// Disk is an opened image.
type Disk interface {
	Volume
	io.Closer
	// Extents yields the runs that make up [off, off+n), in order, without
	// gaps; neighbours of the same kind are joined.
	Extents(off, n int64) iter.Seq[Extent]
}
