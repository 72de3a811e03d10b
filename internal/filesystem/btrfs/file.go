package btrfs

import (
	"errors"
	"fmt"
	"io"
	"sort"
)

var errNegativeOffset = errors.New("negative offset")

// extentFile is what a file holds.
type extentFile struct {
	fs         *FS
	size       int64
	unverified bool // the data has no checksums
	runs       []run
}

// from returns the runs that end after byte off of the file.
func (f *extentFile) from(off int64) []run {
	return f.runs[sort.Search(len(f.runs), func(i int) bool { return f.runs[i].end() > off }):]
}

// ReadAt reads every run that it meets with one read of the volume, but for
// parts of sectors at its ends.
func (f *extentFile) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errNegativeOffset
	}
	if off >= f.size {
		return 0, io.EOF
	}
	atEnd := int64(len(p)) > f.size-off
	if atEnd {
		p = p[:f.size-off]
	}
	done := 0
	runs := f.from(off)
	for i := range runs {
		r := &runs[i]
		if r.start-off >= int64(len(p)) {
			break
		}
		// The run from where it and what is left of p begin.
		skip := max(0, off+int64(done)-r.start)
		hole := int(max(0, r.start-off-int64(done)))
		clear(p[done : done+hole])
		done += hole
		n := int(min(r.length-skip, int64(len(p)-done)))
		if err := f.read(r, p[done:done+n], skip); err != nil {
			return done, fmt.Errorf("btrfs: file's byte %d: %w", r.start+skip, err)
		}
		done += n
	}
	clear(p[done:])
	if atEnd {
		return len(p), io.EOF
	}
	return len(p), nil
}

// read fills p with a part of a run.
func (f *extentFile) read(r *run, p []byte, skip int64) error {
	if r.kind == uncompressed && r.inline == nil {
		return f.fs.readData(p, r.disk+uint64(skip), !f.unverified)
	}
	b, err := f.decoded(r)
	if err != nil {
		return err
	}
	n := 0
	if skip += r.skip; skip < int64(len(b)) {
		n = copy(p, b[skip:])
	}
	clear(p[n:]) // what an inline extent has no bytes for
	return nil
}

// decoded returns the whole of a run's extent. Several runs may be parts of
// one, so those that were decompressed last are kept.
func (f *extentFile) decoded(r *run) ([]byte, error) {
	if r.inline != nil {
		return decompress(r.kind, r.inline, r.decoded, f.fs.sb.sectorSize)
	}
	if b, ok := f.fs.decoded.get(r.disk); ok && len(b) == r.decoded {
		return b, nil
	}
	b := make([]byte, r.stored)
	if err := f.fs.readData(b, r.disk, !f.unverified); err != nil {
		return nil, err
	}
	b, err := decompress(r.kind, b, r.decoded, f.fs.sb.sectorSize)
	if err == nil {
		f.fs.decoded.put(r.disk, b)
	}
	return b, err
}

// Prefetch passes the hint on for every run in [off, off+n).
func (f *extentFile) Prefetch(off, n int64) {
	if off < 0 || off >= f.size || n <= 0 {
		return
	}
	end := off + min(n, f.size-off)
	runs := f.from(off)
	for i := range runs {
		r := &runs[i]
		if r.start >= end {
			break
		}
		switch {
		case r.inline != nil:
		case r.kind != uncompressed:
			f.fs.prefetch(r.disk, int64(r.stored))
		default:
			skip := max(0, off-r.start)
			f.fs.prefetch(r.disk+uint64(skip), min(r.length, end-r.start)-skip)
		}
	}
}
