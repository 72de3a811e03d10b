// Package native reads images in this process: raw ones, and qcow2 on machines
// without qemu-nbd or libnbd.
package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/extent"
)

// Layer is one image of a chain of backing files.
type Layer struct {
	Path   string
	Format string // "raw" or "qcow2"
	// ExtendedL2 says that a qcow2 image is allocated in parts of clusters.
	ExtendedL2 bool
}

// sectorSize is the unit of a disk's size: QEMU adds zeros to a raw file that
// ends within a sector.
const sectorSize = 512

// reader is an opened layer with those below it.
type reader interface {
	io.ReaderAt // of parts that are on the disk
	io.Closer
	layout() *extent.Map
}

// Image is an opened image. Its methods are safe for concurrent use.
type Image struct {
	top reader
	ctx context.Context
}

// Open opens the image that is first in chain; each is the backing file of the
// one before it. When ctx is cancelled, reads fail.
func Open(ctx context.Context, chain []Layer) (*Image, error) {
	var top reader
	for _, layer := range slices.Backward(chain) {
		next, err := openLayer(ctx, layer, top)
		if err != nil {
			if top != nil {
				_ = top.Close()
			}
			return nil, err
		}
		top = next
	}
	if top == nil {
		return nil, errors.New("open image: no layers")
	}
	return &Image{top: top, ctx: ctx}, nil
}

// openLayer opens one image. It takes over base only where it succeeds.
func openLayer(ctx context.Context, layer Layer, base reader) (reader, error) {
	file, err := os.Open(layer.Path)
	if err != nil {
		return nil, err
	}
	var opened reader
	switch {
	case layer.Format == "raw" && base == nil:
		opened, err = openRaw(ctx, file)
	case layer.Format == "qcow2" && layer.ExtendedL2 && base != nil:
		err = fmt.Errorf("qcow2: extended L2 entries over a backing file need qemu-nbd")
	case layer.Format == "qcow2":
		opened, err = openQcow2(ctx, file, base)
	default:
		err = fmt.Errorf("format %q needs qemu-nbd", layer.Format)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return opened, nil
}

// Size is the disk's length in bytes.
func (i *Image) Size() int64 { return i.top.layout().Size() }

// Extents is the disk's layout.
func (i *Image) Extents() *extent.Map { return i.top.layout() }

// ReadAt fills p with the bytes at off, all of which must be on the disk.
func (i *Image) ReadAt(p []byte, off int64) (int, error) {
	if i.ctx.Err() != nil {
		return 0, context.Cause(i.ctx)
	}
	return i.top.ReadAt(p, off)
}

// Close closes the image's files.
func (i *Image) Close() error { return i.top.Close() }
