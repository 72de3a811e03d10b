package fat

import (
	"fmt"
	"io"
	"sort"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// file is the data of a regular file.
type file struct {
	fs   *volume
	size int64
	runs []run
}

// Open implements filesystem.FS.
func (fs *volume) Open(inode *filesystem.Inode) (filesystem.File, error) {
	first, ok := inode.Sys.(uint32)
	if !ok || !inode.Mode.IsRegular() {
		return nil, fmt.Errorf("fat: inode %d: not a regular file", inode.Number)
	}
	f := &file{fs: fs, size: inode.Size}
	if f.size == 0 {
		return f, nil
	}
	var err error
	if f.runs, err = fs.chain(first, f.size); err != nil {
		return nil, fmt.Errorf("fat: inode %d: %w", inode.Number, err)
	}
	return f, nil
}

// ReadAt implements filesystem.File.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("fat: read at %d", off)
	}
	n := 0
	err := f.each(off, int64(len(p)), func(at, length int64) error {
		if err := f.fs.readAt(p[n:n+int(length)], at); err != nil {
			return fmt.Errorf("fat: %w", err)
		}
		n += int(length)
		return nil
	})
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// Segments implements filesystem.File: FAT has no holes.
func (f *file) Segments() []filesystem.Segment {
	if f.size == 0 {
		return nil
	}
	return []filesystem.Segment{{Offset: 0, Length: f.size}}
}

// Prefetch implements filesystem.File.
func (f *file) Prefetch(off, n int64) {
	if off < 0 || n <= 0 {
		return
	}
	_ = f.each(off, n, func(at, length int64) error {
		f.fs.v.Prefetch(at, length)
		return nil
	})
}

// each calls do with the places on the volume of [off, off+n), as far as the
// file goes.
func (f *file) each(off, n int64, do func(at, length int64) error) error {
	if off >= f.size {
		return nil
	}
	end := off + min(n, f.size-off)
	i := sort.Search(len(f.runs), func(i int) bool { return f.runs[i].file+f.runs[i].length > off })
	for ; off < end; i++ {
		r := f.runs[i]
		length := min(end, r.file+r.length) - off
		if err := do(r.volume+off-r.file, length); err != nil {
			return err
		}
		off += length
	}
	return nil
}
