package xfs

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

var errNegativeOffset = errors.New("negative offset")

// blockFile is what a fork holds.
type blockFile struct {
	fs   *FS
	size int64
	runs []run
}

// from returns the runs that end after byte off of the file.
func (f *blockFile) from(off int64) []run {
	block := uint64(off / f.fs.sb.blockSize)
	return f.runs[sort.Search(len(f.runs), func(i int) bool { return f.runs[i].end() > block }):]
}

// ReadAt reads every run that it meets with one read of the volume.
func (f *blockFile) ReadAt(p []byte, off int64) (int, error) {
	p, atEnd, err := clip(p, off, f.size)
	if err != nil {
		return 0, err
	}
	done := 0
	for _, r := range f.from(off) {
		start, length, at := f.bytes(r)
		if start-off >= int64(len(p)) {
			break
		}
		// The run from where it and what is left of p begin.
		skip := max(0, off+int64(done)-start)
		hole := int(max(0, start-off-int64(done)))
		clear(p[done : done+hole])
		done += hole
		n := int(min(length-skip, int64(len(p)-done)))
		if err := f.fs.read(p[done:done+n], at+skip); err != nil {
			return done, fmt.Errorf("xfs: %w", err)
		}
		done += n
	}
	clear(p[done:])
	if atEnd {
		return len(p), io.EOF
	}
	return len(p), nil
}

// bytes returns a run in bytes: where it is in the file, how long it is, and
// where it is in the volume. The end of the longest file's last block would not
// fit in an int64.
func (f *blockFile) bytes(r run) (start, length, at int64) {
	bs := f.fs.sb.blockSize
	return int64(r.logical) * bs, int64(r.length) * bs, int64(r.physical) * bs
}

// Segments lists the runs of data; neighbours in the file are one segment even
// if they are apart on the volume.
func (f *blockFile) Segments() []filesystem.Segment {
	var segments []filesystem.Segment
	for _, r := range f.runs {
		start, length, _ := f.bytes(r)
		if start >= f.size {
			break
		}
		length = min(length, f.size-start)
		if last := len(segments) - 1; last >= 0 && segments[last].Offset+segments[last].Length == start {
			segments[last].Length += length
		} else {
			segments = append(segments, filesystem.Segment{Offset: start, Length: length})
		}
	}
	return segments
}

// Prefetch passes the hint on for every run in [off, off+n).
func (f *blockFile) Prefetch(off, n int64) {
	if off < 0 || off >= f.size || n <= 0 {
		return
	}
	end := off + min(n, f.size-off)
	for _, r := range f.from(off) {
		start, length, at := f.bytes(r)
		if start >= end {
			break
		}
		skip := max(0, off-start)
		f.fs.volume.Prefetch(at+skip, min(length, end-start)-skip)
	}
}

// block returns where in the volume a block of the fork is; not every one is
// stored.
func (f *blockFile) block(logical uint64) (physical uint64, ok bool) {
	i := sort.Search(len(f.runs), func(i int) bool { return f.runs[i].end() > logical })
	if i == len(f.runs) || f.runs[i].logical > logical {
		return 0, false
	}
	return f.runs[i].physical + logical - f.runs[i].logical, true
}

// clip shortens p to what a file of the given size has from off on, and says
// whether that was necessary.
func clip(p []byte, off, size int64) (rest []byte, atEnd bool, err error) {
	switch {
	case off < 0:
		return nil, false, errNegativeOffset
	case off >= size:
		return nil, false, io.EOF
	case int64(len(p)) > size-off:
		return p[:size-off], true, nil
	}
	return p, false, nil
}
