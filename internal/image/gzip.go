package image

import (
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/klauspost/pgzip"
)

const (
	// gzipBlock is what one core compresses at a time. It decides the bytes
	// of the result, so it must not depend on the machine.
	gzipBlock = 1 << 20
	// maxBlocks bounds the blocks in work, and so the memory: some 4 MB each.
	maxBlocks = 16
)

// Gzip compresses to one gzip member (RFC 1952) on all cores. The result
// depends on the data and the level only. It has to be closed, also after an
// error: its goroutines end then.
type Gzip struct {
	z   *pgzip.Writer
	out *gzipOutput
}

// NewGzip starts compressing to w at level 1 to 9.
func NewGzip(w io.Writer, level int) (*Gzip, error) {
	return newGzip(w, level, min(runtime.GOMAXPROCS(0), maxBlocks))
}

func newGzip(w io.Writer, level, blocks int) (*Gzip, error) {
	if level < pgzip.BestSpeed || level > pgzip.BestCompression {
		return nil, fmt.Errorf("compression level %d is not between 1 and 9", level)
	}
	out := &gzipOutput{w: w}
	z, err := pgzip.NewWriterLevel(out, level)
	if err != nil {
		return nil, err
	}
	if err := z.SetConcurrency(gzipBlock, blocks); err != nil {
		return nil, err
	}
	z.ModTime = time.Unix(0, 0) // which the header has for "none"
	return &Gzip{z, out}, nil
}

// Write compresses p. An error may belong to an earlier call.
func (g *Gzip) Write(p []byte) (int, error) {
	if err := g.out.failed(); err != nil {
		return 0, err
	}
	return g.z.Write(p)
}

// Close writes what is left and the trailer. It does not close the writer
// below.
func (g *Gzip) Close() error {
	err := g.z.Close()
	if failed := g.out.failed(); failed != nil {
		return failed
	}
	return err
}

// gzipOutput keeps the first error of the writer below to itself: pgzip would
// leave a goroutine behind.
type gzipOutput struct {
	w   io.Writer
	err atomic.Pointer[error]
}

func (o *gzipOutput) Write(p []byte) (int, error) {
	if o.failed() == nil {
		if _, err := o.w.Write(p); err != nil {
			o.err.Store(&err)
		}
	}
	return len(p), nil
}

func (o *gzipOutput) failed() error {
	if err := o.err.Load(); err != nil {
		return *err
	}
	return nil
}
