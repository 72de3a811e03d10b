package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os/exec"
	"sync"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/extent"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/native"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/nbd"
)

// Options says how to open an image. The zero value is right for most.
type Options struct {
	// Format is the image's format by QEMU's name, one of Formats; "" finds it
	// by the image's content. A format that makes QEMU open further files
	// (qcow2 with a backing file, vmdk) is found so only where the file's name
	// agrees: a guest can write any content to the start of a raw disk.
	Format string
	// InProcess reads qcow2 images in this process even where qemu-nbd is to be
	// had. Raw ones always are: a server would only copy their bytes, which
	// takes a tenth of the processor time of packing a whole disk.
	InProcess bool
	// Log, if set, is told how the image is read.
	Log func(message string)
	// Files, if set, is told which files the image is read from, itself first,
	// before they are opened to be read: backing files, and the parts of a VMDK.
	Files func(files []string)
}

// Formats are the formats that Open knows.
var Formats = []string{formatRaw, formatQcow2, formatVHDX, formatVMDK, formatVDI, formatVPC}

// backend reads the stored parts of a disk.
type backend interface {
	io.ReaderAt
	io.Closer
	Size() int64
	Extents() *extent.Map
}

// Open opens the image in the file path. When ctx is cancelled, all that
// belongs to it ends and reads fail; Close must be called all the same.
func Open(ctx context.Context, path string, opts Options) (Disk, error) {
	if opts.Log == nil {
		opts.Log = func(string) {}
	}
	opened, err := open(ctx, path, opts)
	if err != nil {
		return nil, fmt.Errorf("open disk %q: %w", path, err)
	}
	if opened.Size() == 0 {
		_ = opened.Close()
		return nil, fmt.Errorf("open disk %q: %w", path, errNoBytes)
	}
	return newImage(ctx, opened), nil
}

func open(ctx context.Context, path string, opts Options) (backend, error) {
	format, err := imageFormat(path, opts.Format)
	if err != nil {
		return nil, err
	}
	if format == formatRaw && opts.Format != "" { // a wrong one of the others cannot be read
		if looks, err := imageFormat(path, ""); err == nil && looks != formatRaw {
			opts.Log(fmt.Sprintf("Note: %s begins like a %s image, but is to be read as raw: a disk with no partitions may come of that.", path, looks))
		}
	}
	chain, err := imageChain(ctx, path, format, opts.Format != "")
	if err != nil {
		return nil, err
	}
	if opts.Files != nil {
		opts.Files(filesOf(path, format, chain))
	}
	locks, err := holdAll(path, chain)
	if err != nil {
		return nil, err
	}
	opened, err := read(ctx, path, format, chain, opts)
	if err != nil {
		return nil, errors.Join(err, locks.Close())
	}
	return &held{opened, sync.OnceValue(func() error { return errors.Join(opened.Close(), locks.Close()) })}, nil
}

// read opens an image that is held.
func read(ctx context.Context, path, format string, chain []native.Layer, opts Options) (backend, error) {
	if err := checkComplete(ctx, path, format); err != nil {
		return nil, err
	}
	why := ""
	if !opts.InProcess && format != formatRaw {
		client, err := nbd.Open(ctx, nbd.Config{Path: path, Format: format})
		if err == nil {
			opts.Log(fmt.Sprintf("reading %s as %s through %s", path, format, nbd.Program))
			return client, nil
		}
		reason, advice := unavailable(err)
		if reason == "" {
			return nil, fmt.Errorf("read as %s: %w", format, err)
		}
		if chain == nil {
			return nil, fmt.Errorf("%s, which images in %s format need: %s", reason, format, advice)
		}
		why = ", for " + reason
	}
	if chain == nil {
		return nil, fmt.Errorf("images in %s format cannot be read in this process", format)
	}
	opts.Log(fmt.Sprintf("reading %s as %s in this process%s", path, format, why))
	return native.Open(ctx, chain)
}

// held is an image with the locks on its files.
type held struct {
	backend
	end func() error
}

// Close closes the image's files, and lets others write to them. It may be
// called again.
func (h *held) Close() error { return h.end() }

// locks are those on the files of an image.
type locks []io.Closer

// Close gives them back.
func (l locks) Close() error {
	var errs []error
	for _, lock := range l {
		errs = append(errs, lock.Close())
	}
	return errors.Join(errs...)
}

// holdAll holds the files of an image, as far as they are known. qemu-nbd holds
// its image too, but lets others write to the backing files.
func holdAll(path string, chain []native.Layer) (io.Closer, error) {
	if chain == nil {
		chain = []native.Layer{{Path: path}}
	}
	var all locks
	for _, layer := range chain {
		lock, err := hold(layer.Path)
		if err != nil {
			if layer.Path != path {
				err = fmt.Errorf("backing file %q: %w", layer.Path, err)
			}
			return nil, errors.Join(err, all.Close())
		}
		all = append(all, lock)
	}
	return all, nil
}

// unavailable says why there is no NBD on this machine and what to do about
// it. It returns "" where err is about the image.
func unavailable(err error) (reason, advice string) {
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nbd.Program + " is not installed",
			"install the package qemu-utils (Debian, Ubuntu) or qemu-img (Fedora, RHEL and others)"
	case errors.Is(err, nbd.ErrUnavailable):
		return "this plugin was " + err.Error(),
			"use a released binary, or convert the image by qemu-img convert -O qcow2"
	}
	return "", ""
}

// image is the Disk that Open returns.
type image struct {
	source  backend
	extents *extent.Map
	cache   *cache
	ctx     context.Context // done when the image is closed or its parent cancelled
	cancel  context.CancelCauseFunc
}

func newImage(ctx context.Context, source backend) *image {
	i := &image{source: source, extents: source.Extents(), cache: newCache(source)}
	i.ctx, i.cancel = context.WithCancelCause(ctx)
	return i
}

// Size implements Volume.
func (i *image) Size() int64 { return i.source.Size() }

// ReadAt implements io.ReaderAt.
func (i *image) ReadAt(p []byte, off int64) (int, error) {
	if i.ctx.Err() != nil {
		return 0, fmt.Errorf("read disk: %w", context.Cause(i.ctx))
	}
	p, end, err := clip(p, off, i.Size())
	if err != nil {
		return 0, err
	}
	n, err := i.extents.Read(p, off, i.cache.ReadAt)
	if err != nil {
		return n, fmt.Errorf("read disk: %w", err)
	}
	return n, end
}

// clip cuts a read to what a volume of size bytes has; end is io.EOF where
// that is less than was asked for.
func clip(p []byte, off, size int64) (part []byte, end, err error) {
	switch {
	case off < 0:
		return nil, nil, fmt.Errorf("read disk at offset %d: %w", off, fs.ErrInvalid)
	case len(p) == 0:
		return nil, nil, nil
	case off >= size:
		return nil, nil, io.EOF
	case int64(len(p)) > size-off:
		return p[:size-off], io.EOF, nil
	}
	return p, nil, nil
}

// Prefetch implements Volume.
func (i *image) Prefetch(off, n int64) {
	if i.ctx.Err() == nil {
		i.cache.Prefetch(off, n)
	}
}

// Extents implements Disk.
func (i *image) Extents(off, n int64) iter.Seq[Extent] {
	return func(yield func(Extent) bool) {
		for run := range i.extents.Runs(off, n) {
			if !yield(Extent(run)) {
				return
			}
		}
	}
}

// Close ends all that belongs to the image. Reads on their way fail.
func (i *image) Close() error {
	i.cancel(fs.ErrClosed)
	i.cache.stop()
	err := i.source.Close()
	i.cache.wait()
	return err
}
