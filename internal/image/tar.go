package image

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/tree"
)

const (
	// recordSize is what a tar is padded to (GNU tar's blocking factor 20).
	recordSize = 20 * blockSize
	// bufferSize is that of reads of data and writes of the tar.
	bufferSize = 1 << 20
	// defaultWindow is how far data is prefetched ahead of the writer.
	defaultWindow = 16 << 20
	// progressEvery is the shortest time between two reports.
	progressEvery = 100 * time.Millisecond
)

// TarOptions say how a tree becomes a tar.
type TarOptions struct {
	// Progress, if not nil, is called by the writing goroutine with the bytes
	// of file data packed so far: at most ten times a second, and at the end.
	Progress func(done int64)
	// Window is how many bytes of data are prefetched ahead; 0 is 16 MiB.
	Window int64
}

// WriteTar writes the tree to w as a pax tar. The iterator runs in a goroutine
// of its own, ahead of the writer, and has ended when WriteTar returns. The
// same entries give the same bytes.
func WriteTar(ctx context.Context, w io.Writer, entries tree.Entries, opts TarOptions) (Summary, error) {
	if opts.Window == 0 {
		opts.Window = defaultWindow
	}
	batches, stop := readAhead(ctx, entries)
	defer stop()
	t := &tarWriter{ctx: ctx, opts: opts, queue: queue{ctx: ctx, ch: batches, window: opts.Window}}
	// The buffer reads data straight into itself, as w has no ReadFrom then.
	t.out = bufio.NewWriterSize(struct{ io.Writer }{w}, bufferSize)
	if err := t.run(); err != nil {
		return Summary{}, err
	}
	return t.sum, nil
}

type tarWriter struct {
	ctx      context.Context
	out      *bufio.Writer
	opts     TarOptions
	queue    queue
	sum      Summary
	head     []byte // reused for each entry's headers
	reported time.Time
}

// run writes all entries and the end of the archive.
func (t *tarWriter) run() error {
	for {
		p, err := t.queue.next()
		if err != nil {
			return err
		}
		if p == nil {
			break
		}
		t.queue.advance()
		if err := t.entry(p); err != nil {
			return err
		}
	}
	end := 2*blockSize + -(t.sum.TarSize+2*blockSize)%recordSize
	if end < 2*blockSize {
		end += recordSize
	}
	if err := t.write(make([]byte, end)); err != nil {
		return err
	}
	if err := t.out.Flush(); err != nil {
		return writeError(err)
	}
	if t.opts.Progress != nil {
		t.opts.Progress(t.sum.Data)
	}
	return nil
}

// entry writes one entry.
func (t *tarWriter) entry(p *planned) error {
	if err := t.ctx.Err(); err != nil {
		return err
	}
	t.sum.count(p)
	if p.typ == 0 {
		return nil
	}
	t.head = appendHeaders(t.head[:0], p)
	t.head = append(t.head, p.sizeMap...)
	if err := t.write(t.head); err != nil {
		return err
	}
	for _, r := range p.regions {
		if err := t.data(p, r); err != nil {
			return err
		}
	}
	return t.write(zeros[:padding(p.stored)])
}

// write writes what is not file data.
func (t *tarWriter) write(b []byte) error {
	n, err := t.out.Write(b)
	t.sum.TarSize += int64(n)
	return writeError(err)
}

// data copies one region of a file.
func (t *tarWriter) data(p *planned, r filesystem.Segment) error {
	d := dataReader{t: t, file: p, off: r.Offset, end: r.Offset + r.Length, most: readLength(r.Length)}
	n, err := t.out.ReadFrom(&d)
	t.sum.TarSize += n
	switch {
	case d.err != nil:
		return d.err
	case err != nil:
		return writeError(err)
	case n != r.Length:
		return fmt.Errorf("pack %q: %d of %d bytes written", p.Path, n, r.Length)
	}
	return nil
}

func writeError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write image: %w", err)
}

// dataReader reads a region of a file, prefetching what follows.
type dataReader struct {
	t        *tarWriter
	file     *planned
	off, end int64
	most     int64 // bytes of one read
	err      error // a failure of the file, not of the writer
}

// Read fills p from the file.
func (d *dataReader) Read(p []byte) (int, error) {
	if d.off == d.end {
		return 0, io.EOF
	}
	if d.err = d.t.ctx.Err(); d.err != nil {
		return 0, d.err
	}
	q := &d.t.queue
	q.advance()
	p = p[:min(int64(len(p)), d.most, d.end-d.off)]
	n, err := d.file.Data.ReadAt(p, d.off)
	if n < len(p) {
		if err == nil || errors.Is(err, io.EOF) {
			d.err = fmt.Errorf("pack %q: data ends at byte %d of %d", d.file.Path, d.off+int64(n), d.file.Size)
		} else {
			d.err = fmt.Errorf("pack %q: read at byte %d: %w", d.file.Path, d.off+int64(n), err)
		}
		return 0, d.err
	}
	d.off += int64(n)
	q.ahead -= int64(n)
	d.t.progress(int64(n))
	if d.off == d.end {
		return n, io.EOF
	}
	return n, nil
}

// progress counts n bytes of data and reports them from time to time.
func (t *tarWriter) progress(n int64) {
	t.sum.Data += n
	if t.opts.Progress == nil {
		return
	}
	if now := time.Now(); now.Sub(t.reported) >= progressEvery {
		t.reported = now
		t.opts.Progress(t.sum.Data)
	}
}
