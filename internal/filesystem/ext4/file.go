package ext4

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

var errNegativeOffset = errors.New("negative offset")

// data gives access to what an inode holds, whatever its type.
func (fs *FS) data(n *node) (filesystem.File, error) {
	size, err := fs.size(n)
	if err != nil {
		return nil, err
	}
	if n.has(flagInlineData) {
		return &inlineFile{data: n.inlineData(size), size: size}, nil
	}
	runs, err := fs.runs(n)
	if err != nil {
		return nil, err
	}
	return &blockFile{fs: fs, size: size, runs: runs}, nil
}

// blockFile is a file whose data is in blocks.
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
		if start >= off+int64(len(p)) {
			break
		}
		// The run from where it and what is left of p begin.
		skip := max(0, off+int64(done)-start)
		hole := int(max(0, start-off-int64(done)))
		clear(p[done : done+hole])
		done += hole
		n := int(min(length-skip, int64(len(p)-done)))
		if err := f.fs.read(p[done:done+n], at+skip); err != nil {
			return done, fmt.Errorf("ext4: %w", err)
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
// where it is in the volume.
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

// inlineFile is a file whose data is in its inode. What is beyond it, in a file
// made longer without writing, reads as zeros.
type inlineFile struct {
	data []byte
	size int64
}

// ReadAt reads from memory.
func (f *inlineFile) ReadAt(p []byte, off int64) (int, error) {
	p, atEnd, err := clip(p, off, f.size)
	if err != nil {
		return 0, err
	}
	n := 0
	if off < int64(len(f.data)) {
		n = copy(p, f.data[off:])
	}
	clear(p[n:])
	if atEnd {
		return len(p), io.EOF
	}
	return len(p), nil
}

// Segments is what the inode holds.
func (f *inlineFile) Segments() []filesystem.Segment {
	if len(f.data) == 0 {
		return nil
	}
	return []filesystem.Segment{{Length: int64(len(f.data))}}
}

// Prefetch has nothing to do.
func (f *inlineFile) Prefetch(off, n int64) {}

// inlineData is the inode's inline data, at most size bytes: the start of it in
// place of the block map and the rest, if any, in an attribute ("Inline Data").
func (n *node) inlineData(size int64) []byte {
	data := append(append([]byte(nil), n.blockMap()...), n.inline...)
	return data[:min(int64(len(data)), size)]
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
