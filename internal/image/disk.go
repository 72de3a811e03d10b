package image

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
)

// diskMember is the name of a disk in a tar; nobody extracts it by name.
const diskMember = "disk.raw"

// PackDisk writes a whole disk, byte for byte, as one of the filetypes for
// disks. All else is as Pack does it. Runs of zeros cost next to nothing,
// holes are not even read.
func PackDisk(ctx context.Context, path string, d disk.Disk, opts Options) (Summary, error) {
	ft, err := opts.filetype(true)
	if err != nil {
		return Summary{}, err
	}
	return create(ctx, path, ft, opts, func(c *content) (Summary, error) {
		w := diskWriter{ctx: ctx, disk: d, out: c, opts: opts.TarOptions}
		return w.run(ft.tar)
	})
}

type diskWriter struct {
	ctx      context.Context
	disk     disk.Disk
	out      *content
	opts     TarOptions
	read     int64
	reported time.Time
}

// run writes the disk, in a tar or bare.
func (w *diskWriter) run(inTar bool) (Summary, error) {
	size := w.disk.Size()
	sum := Summary{Disk: size}
	if inTar {
		head, err := diskHeader(size)
		if err != nil {
			return sum, err
		}
		if _, err := w.out.Write(head); err != nil {
			return sum, writeError(err)
		}
		sum.TarSize = int64(len(head)) + size + padding(size) + 2*blockSize
		if over := sum.TarSize % recordSize; over > 0 {
			sum.TarSize += recordSize - over
		}
	}
	if err := w.content(); err != nil {
		return sum, err
	}
	if inTar {
		head := int64(blockSize)
		if err := w.out.Zeros(sum.TarSize - head - size); err != nil {
			return sum, writeError(err)
		}
	}
	if err := w.out.finish(); err != nil {
		return sum, writeError(err)
	}
	sum.Data = min(w.out.stored, size)
	sum.Holes = size - sum.Data
	return sum, nil
}

// diskHeader is the header of a tar's only member. A size beyond 8 GiB is
// written as a number of base 256 (GNU tar manual, Basic Tar Format), which
// even small tars read.
func diskHeader(size int64) ([]byte, error) {
	var head bytes.Buffer
	err := tar.NewWriter(&head).WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: diskMember, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0), Format: tar.FormatGNU,
	})
	if err == nil && head.Len() != blockSize {
		err = fmt.Errorf("it has %d bytes", head.Len())
	}
	if err != nil {
		return nil, fmt.Errorf("tar header: %w", err)
	}
	return head.Bytes(), nil
}

// content writes the disk's bytes.
func (w *diskWriter) content() error {
	runs := make([]disk.Extent, 0, 64)
	for run := range w.disk.Extents(0, w.disk.Size()) {
		runs = append(runs, run)
	}
	window := w.opts.Window
	if window == 0 {
		window = defaultWindow
	}
	ahead := prefetcher{disk: w.disk, runs: runs, window: window}
	buf := make([]byte, bufferSize)
	at := int64(0)
	for _, run := range runs {
		if run.Offset != at {
			return fmt.Errorf("pack disk: its map leaves out bytes %d to %d", at, run.Offset)
		}
		at += run.Length
		if run.Hole {
			if err := w.out.Zeros(run.Length); err != nil {
				return writeError(err)
			}
			continue
		}
		if err := w.data(run, &ahead, buf); err != nil {
			return err
		}
	}
	if at != w.disk.Size() {
		return fmt.Errorf("pack disk: its map ends at byte %d of %d", at, w.disk.Size())
	}
	if w.opts.Progress != nil {
		w.opts.Progress(w.read)
	}
	return nil
}

// data copies a run that is stored.
func (w *diskWriter) data(run disk.Extent, ahead *prefetcher, buf []byte) error {
	for off, end := run.Offset, run.Offset+run.Length; off < end; {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		p := buf[:min(readLength(run.Length), end-off)]
		ahead.advance(w.read)
		n, err := w.disk.ReadAt(p, off)
		if n < len(p) {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("pack disk: read at byte %d: %w", off+int64(n), err)
		}
		if _, err := w.out.Write(p); err != nil {
			return writeError(err)
		}
		off += int64(n)
		w.progress(int64(n))
	}
	return nil
}

func (w *diskWriter) progress(n int64) {
	w.read += n
	if w.opts.Progress == nil {
		return
	}
	if now := time.Now(); now.Sub(w.reported) >= progressEvery {
		w.reported = now
		w.opts.Progress(w.read)
	}
}

// prefetcher announces what will be read, over holes, a window ahead.
type prefetcher struct {
	disk   disk.Disk
	runs   []disk.Extent // the first is where the cursor is
	offset int64         // the cursor, in that run
	passed int64         // bytes of data announced
	window int64
}

// advance announces all up to a window after the bytes that were read.
func (p *prefetcher) advance(read int64) {
	for len(p.runs) > 0 && p.passed < read+p.window {
		run := p.runs[0]
		if run.Hole || p.offset == run.Length {
			p.runs, p.offset = p.runs[1:], 0
			continue
		}
		n := min(run.Length-p.offset, read+p.window-p.passed)
		if run.Length < longRegion {
			p.disk.Prefetch(run.Offset+p.offset, n)
		}
		p.offset += n
		p.passed += n
	}
}
