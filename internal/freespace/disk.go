package freespace

import (
	"fmt"
	"io"
	"iter"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/extent"
)

// Disk is a disk whose free space is holes.
type Disk struct {
	disk.Disk
	used *extent.Map
}

var _ disk.Disk = (*Disk)(nil)

// ReadAt implements io.ReaderAt: free space reads as zeros.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at byte %d", off)
	}
	var end error
	if left := d.Size() - off; left < int64(len(p)) {
		p, end = p[:max(0, left)], io.EOF
	}
	n, err := d.used.Read(p, off, func(p []byte, off int64) (int, error) {
		n, err := d.Disk.ReadAt(p, off)
		if n == len(p) {
			err = nil
		}
		return n, err
	})
	// Where little is free between what is used, both are read at once.
	for run := range d.used.Runs(off, int64(n)) {
		if run.Hole {
			clear(p[run.Offset-off : run.Offset-off+run.Length])
		}
	}
	if err == nil {
		err = end
	}
	return n, err
}

// Prefetch implements disk.Volume.
func (d *Disk) Prefetch(off, n int64) {
	for run := range d.used.Runs(off, n) {
		if !run.Hole {
			d.Disk.Prefetch(run.Offset, run.Length)
		}
	}
}

// Extents implements disk.Disk.
func (d *Disk) Extents(off, n int64) iter.Seq[disk.Extent] {
	return func(yield func(disk.Extent) bool) {
		var last disk.Extent
		for run := range d.used.Runs(off, n) {
			for e := range d.parts(run) {
				if e.Hole == last.Hole && last.Length > 0 {
					last.Length += e.Length
					continue
				}
				if last.Length > 0 && !yield(last) {
					return
				}
				last = e
			}
		}
		if last.Length > 0 {
			yield(last)
		}
	}
}

// parts are the runs that a run of the map is made of.
func (d *Disk) parts(run extent.Run) iter.Seq[disk.Extent] {
	if run.Hole {
		return func(yield func(disk.Extent) bool) { yield(disk.Extent(run)) }
	}
	return d.Disk.Extents(run.Offset, run.Length)
}

// Hidden is how many bytes are stored on the disk and free.
func (d *Disk) Hidden() int64 {
	total := int64(0)
	for run := range d.used.Runs(0, d.Size()) {
		if !run.Hole {
			continue
		}
		for e := range d.Disk.Extents(run.Offset, run.Length) {
			if !e.Hole {
				total += e.Length
			}
		}
	}
	return total
}
