package insert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// copyUnit is how much is copied and compared at a time.
	copyUnit = 1 << 20
	// pageSize is the unit in which changes are brought back.
	pageSize = 4096
)

// copyTo copies the partition into a file, zeros as holes.
func (p *part) copyTo(ctx context.Context, image *os.File) error {
	if err := image.Truncate(p.size); err != nil {
		return err
	}
	buf := make([]byte, copyUnit)
	for run := range p.disk.Extents(p.off, p.size) {
		for off, end := run.Offset-p.off, run.Offset-p.off+run.Length; !run.Hole && off < end; {
			if err := ctx.Err(); err != nil {
				return err
			}
			b := buf[:min(copyUnit, end-off)]
			if n, err := p.ReadAt(b, off); n < len(b) {
				return err
			}
			if len(bytes.Trim(b, "\x00")) > 0 {
				if _, err := image.WriteAt(b, off); err != nil {
					return fmt.Errorf("copy the partition: %w", err)
				}
			}
			off += int64(len(b))
		}
	}
	return nil
}

// takeBack brings what was changed in the file back to the partition. Nothing
// that was stored has become a hole: holes are only where zeros were.
func (p *part) takeBack(ctx context.Context, image *os.File) error {
	was, is := make([]byte, copyUnit), make([]byte, copyUnit)
	for off := int64(0); off < p.size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		start, err := image.Seek(off, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) { // nothing but a hole to the end
			return nil
		}
		if err == nil {
			off = start / pageSize * pageSize
		}
		n := min(copyUnit, p.size-off)
		if _, err := image.ReadAt(is[:n], off); err != nil {
			return err
		}
		if got, err := p.ReadAt(was[:n], off); int64(got) < n {
			return err
		}
		for at := int64(0); at < n; at += pageSize {
			end := min(at+pageSize, n)
			if bytes.Equal(was[at:end], is[at:end]) {
				continue
			}
			if _, err := p.WriteAt(is[at:end], off+at); err != nil {
				return err
			}
		}
		off += n
	}
	return nil
}
