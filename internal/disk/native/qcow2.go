package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/lima-vm/go-qcow2reader"
	"github.com/lima-vm/go-qcow2reader/image"
	"github.com/lima-vm/go-qcow2reader/image/qcow2"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/extent"
)

// overlay is a qcow2 image over its backing file, if it has one.
type overlay struct {
	image   image.Image
	base    reader      // nil without a backing file
	own     *extent.Map // what this image decides, stored or zero; all else is below
	extents *extent.Map // what is stored here or below
}

// openQcow2 opens an image whose header was found to be sound. The library is
// kept from opening a backing file by itself: it asks for the layout of one
// with smaller clusters wrongly, and finds it by another rule than QEMU.
func openQcow2(ctx context.Context, file *os.File, base reader) (reader, error) {
	img, err := qcow2reader.OpenWithType(withoutBacking{file}, qcow2.Type)
	if err == nil {
		err = img.Readable()
	}
	if err != nil {
		return nil, fmt.Errorf("qcow2: %w", err)
	}
	size := (img.Size() + sectorSize - 1) / sectorSize * sectorSize
	o := &overlay{image: img, base: base, own: extent.New(size), extents: extent.New(size)}
	if err := o.chart(ctx); err != nil {
		return nil, fmt.Errorf("qcow2: read cluster map: %w", err)
	}
	return o, nil
}

// withoutBacking hides the name of the backing file in a qcow2 header.
type withoutBacking struct{ *os.File }

func (w withoutBacking) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.File.ReadAt(p, off)
	const start, end = 8, 20 // offset and length of the name
	if off < end && off+int64(n) > start {
		clear(p[max(0, start-off):min(int64(n), end-off)])
	}
	return n, err
}

// chart asks for the layout of the image and joins that of its backing file.
func (o *overlay) chart(ctx context.Context) error {
	const step = 1 << 30 // a multiple of all cluster sizes
	size := o.image.Size()
	for at := int64(0); at < size; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		run, err := o.image.Extent(at, min(step-at%step, size-at))
		if err != nil {
			return err
		}
		if run.Length <= 0 {
			return io.ErrNoProgress
		}
		switch {
		case run.Allocated:
			o.own.Add(at, run.Length)
			if !run.Zero {
				o.extents.Add(at, run.Length)
			}
		case o.base != nil:
			for below := range o.base.layout().Runs(at, run.Length) {
				if !below.Hole {
					o.extents.Add(below.Offset, below.Length)
				}
			}
		}
		at += run.Length
	}
	if o.base != nil && !o.own.Exact() {
		return errors.New("an image in so many pieces over a backing file needs qemu-nbd")
	}
	return nil
}

func (o *overlay) layout() *extent.Map { return o.extents }

// ReadAt reads each part from the image that holds it.
func (o *overlay) ReadAt(p []byte, off int64) (int, error) {
	if o.base == nil {
		return o.readOwn(p, off)
	}
	done := 0
	for run := range o.own.Runs(off, int64(len(p))) {
		part := p[done : done+int(run.Length)]
		var n int
		var err error
		if run.Hole {
			n, err = o.readBelow(part, run.Offset)
		} else {
			n, err = o.readOwn(part, run.Offset)
		}
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// readBelow reads what the backing file has, and zeros past its end.
func (o *overlay) readBelow(p []byte, off int64) (int, error) {
	clear(p)
	size := o.base.layout().Size()
	if off >= size {
		return len(p), nil
	}
	part := p[:min(int64(len(p)), size-off)]
	if n, err := o.base.ReadAt(part, off); err != nil {
		return n, err
	}
	return len(p), nil
}

// readOwn reads from this image. The library reads to the end of the disk and
// says so by io.EOF even where it filled all of p.
func (o *overlay) readOwn(p []byte, off int64) (int, error) {
	part := p[:max(0, min(int64(len(p)), o.image.Size()-off))]
	n, err := o.image.ReadAt(part, off)
	if n == len(part) && (err == nil || errors.Is(err, io.EOF)) {
		clear(p[n:])
		return len(p), nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = fmt.Errorf("qcow2: read %d bytes at disk offset %d: the file is cut short", len(part), off)
	}
	return n, err
}

// Close closes the image and those below it.
func (o *overlay) Close() error {
	err := o.image.Close()
	if o.base != nil {
		err = errors.Join(err, o.base.Close())
	}
	return err
}
