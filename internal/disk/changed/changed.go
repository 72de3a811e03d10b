// Package changed is a disk with changes laid over it, kept apart from it: the
// disk below is only read.
package changed

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"sort"
	"sync"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/extent"
)

const (
	// pageSize is the unit of changes: a block of most file systems.
	pageSize = 4096
	// inMemory is how many pages are kept in memory, 32 MiB of them; those
	// beyond go to a file.
	inMemory = 8192
)

// Disk is a disk with changes. All its methods but Truncate and Close are safe
// for concurrent use.
type Disk struct {
	base   disk.Disk
	folder string
	size   int64

	mu     sync.RWMutex
	slots  map[int64]int64 // where a page that was changed is
	memory [][]byte        // the first slots
	file   *os.File        // the others; it has no name any more
	layout *extent.Map     // nil if it has to be found out
}

var (
	_ disk.Disk   = (*Disk)(nil)
	_ io.WriterAt = (*Disk)(nil)
)

// New returns the disk without changes yet. Many of them go to a file without
// a name in the folder. The disk below stays its opener's to close, and must be
// open as long as this one.
func New(base disk.Disk, folder string) *Disk {
	return &Disk{base: base, folder: folder, size: base.Size(), slots: map[int64]int64{}}
}

// Close drops the changes.
func (d *Disk) Close() error {
	d.slots, d.memory = nil, nil
	if d.file == nil {
		return nil
	}
	file := d.file
	d.file = nil
	return file.Close()
}

// Size implements disk.Volume.
func (d *Disk) Size() int64 { return d.size }

// Truncate makes the disk shorter.
func (d *Disk) Truncate(size int64) error {
	if size < 0 || size > d.size {
		return fmt.Errorf("shorten a disk of %d bytes to %d: %w", d.size, size, fs.ErrInvalid)
	}
	d.size = size
	return nil
}

// Prefetch implements disk.Volume.
func (d *Disk) Prefetch(off, n int64) { d.base.Prefetch(off, n) }

// ReadAt implements io.ReaderAt.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) {
	switch {
	case off < 0:
		return 0, fmt.Errorf("read disk at offset %d: %w", off, fs.ErrInvalid)
	case len(p) == 0:
		return 0, nil
	case off >= d.size:
		return 0, io.EOF
	}
	var end error
	if int64(len(p)) > d.size-off {
		p, end = p[:d.size-off], io.EOF
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	for done := 0; done < len(p); {
		at := off + int64(done)
		part := p[done:]
		if slot, ok := d.slots[at/pageSize]; ok {
			part = part[:min(int64(len(part)), pageSize-at%pageSize)]
			if err := d.load(part, slot, at%pageSize); err != nil {
				return done, err
			}
		} else {
			part = part[:d.unchanged(at, int64(len(part)))]
			if n, err := d.base.ReadAt(part, at); n < len(part) {
				return done + n, err
			}
		}
		done += len(part)
	}
	return len(p), end
}

// unchanged is how many of n bytes lie before the next page that was changed.
func (d *Disk) unchanged(at, n int64) int64 {
	if len(d.slots) == 0 {
		return n
	}
	for page := at/pageSize + 1; page*pageSize < at+n; page++ {
		if _, ok := d.slots[page]; ok {
			return page*pageSize - at
		}
	}
	return n
}

// WriteAt implements io.WriterAt. It does not make the disk longer.
func (d *Disk) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off > d.size || int64(len(p)) > d.size-off {
		return 0, fmt.Errorf("write %d bytes at offset %d of a disk of %d bytes: %w", len(p), off, d.size, fs.ErrInvalid)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for done := 0; done < len(p); {
		at := off + int64(done)
		part := p[done:min(int64(len(p)), int64(done)+pageSize-at%pageSize)]
		slot, err := d.slot(at/pageSize, len(part) < pageSize)
		if err == nil {
			err = d.store(part, slot, at%pageSize)
		}
		if err != nil {
			return done, err
		}
		done += len(part)
	}
	return len(p), nil
}

// slot is where a page goes; one that was not changed before gets its content,
// if that is needed.
func (d *Disk) slot(page int64, needed bool) (int64, error) {
	if slot, ok := d.slots[page]; ok {
		return slot, nil
	}
	slot := int64(len(d.slots))
	if slot < inMemory {
		d.memory = append(d.memory, make([]byte, pageSize))
	} else if err := d.spill(); err != nil {
		return 0, err
	}
	if needed {
		content := make([]byte, pageSize)
		if _, err := d.base.ReadAt(content, page*pageSize); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if err := d.store(content, slot, 0); err != nil {
			return 0, err
		}
	}
	d.slots[page], d.layout = slot, nil
	return slot, nil
}

// spill makes the file, once. Its name goes at once, so that it is never left.
func (d *Disk) spill() error {
	if d.file != nil {
		return nil
	}
	file, err := os.CreateTemp(d.folder, ".changes-")
	if err != nil {
		return fmt.Errorf("keep changes of the disk: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return errors.Join(err, file.Close())
	}
	d.file = file
	return nil
}

// load reads a part of a page.
func (d *Disk) load(p []byte, slot, from int64) error {
	if slot < inMemory {
		copy(p, d.memory[slot][from:])
		return nil
	}
	_, err := d.file.ReadAt(p, (slot-inMemory)*pageSize+from)
	return err
}

// store writes a part of a page.
func (d *Disk) store(p []byte, slot, from int64) error {
	if slot < inMemory {
		copy(d.memory[slot][from:], p)
		return nil
	}
	if _, err := d.file.WriteAt(p, (slot-inMemory)*pageSize+from); err != nil {
		return fmt.Errorf("keep changes of the disk: %w", err)
	}
	return nil
}

// Extents implements disk.Disk: what was changed is stored.
func (d *Disk) Extents(off, n int64) iter.Seq[disk.Extent] {
	layout := d.whole()
	return func(yield func(disk.Extent) bool) {
		for run := range layout.Runs(off, n) {
			if !yield(disk.Extent(run)) {
				return
			}
		}
	}
}

// whole is the layout of the disk with its changes, which is kept until the next
// page is changed.
func (d *Disk) whole() *extent.Map {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.layout != nil && d.layout.Size() == d.size {
		return d.layout
	}
	var stored []disk.Extent
	for run := range d.base.Extents(0, d.size) {
		if !run.Hole {
			stored = append(stored, run)
		}
	}
	for page := range d.slots {
		stored = append(stored, disk.Extent{Offset: page * pageSize, Length: pageSize})
	}
	sort.Slice(stored, func(i, j int) bool { return stored[i].Offset < stored[j].Offset })
	d.layout = extent.New(d.size)
	for _, run := range stored {
		d.layout.Add(run.Offset, run.Length)
	}
	return d.layout
}
