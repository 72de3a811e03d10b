package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/tree"
)

// memFile is a file whose data is a pattern that depends on the offset.
type memFile struct {
	size     int64
	segments []filesystem.Segment
	zero     bool  // the data is zeros
	failAt   int64 // reads from here on fail with err; 0 is never
	err      error

	mu         sync.Mutex
	prefetched []filesystem.Segment
	log        *[]string // of prefetches and reads
	name       string
}

func (f *memFile) Segments() []filesystem.Segment { return f.segments }

func (f *memFile) Prefetch(off, n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.prefetched = append(f.prefetched, filesystem.Segment{Offset: off, Length: n})
	if f.log != nil {
		*f.log = append(*f.log, fmt.Sprintf("prefetch %s %d+%d", f.name, off, n))
	}
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if f.log != nil {
		*f.log = append(*f.log, fmt.Sprintf("read %s %d+%d", f.name, off, len(p)))
	}
	n := int(max(0, min(int64(len(p)), f.size-off)))
	clear(p[:n])
	if f.failAt > 0 && off+int64(n) > f.failAt {
		return int(max(0, f.failAt-off)), f.err
	}
	if !f.zero {
		for _, s := range f.segments {
			for o := max(s.Offset, off); o < min(s.Offset+s.Length, off+int64(n)); o++ {
				p[o-off] = pattern(o)
			}
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func pattern(off int64) byte { return byte(off*7+off>>9) | 1 }

// solid is a file of n bytes without holes.
func solid(n int64) *memFile {
	return &memFile{size: n, segments: []filesystem.Segment{{Offset: 0, Length: n}}}
}

// holed is a file of n bytes with data in the given offset, length pairs.
func holed(n int64, pairs ...int64) *memFile {
	f := &memFile{size: n}
	for i := 0; i < len(pairs); i += 2 {
		f.segments = append(f.segments, filesystem.Segment{Offset: pairs[i], Length: pairs[i+1]})
	}
	return f
}

// builder collects entries; a parent that is missing is added.
type builder struct {
	entries []*tree.Entry
	seen    map[string]bool
	number  uint64
}

var epoch = time.Unix(1_700_000_000, 0)

func newBuilder() *builder {
	b := &builder{seen: map[string]bool{}}
	b.add(".", filesystem.ModeDir|0o755)
	return b
}

func (b *builder) add(path string, mode filesystem.Mode, edit ...func(*tree.Entry)) *tree.Entry {
	if i := strings.LastIndexByte(path, '/'); i > 0 && !b.seen[path[:i]] {
		b.add(path[:i], filesystem.ModeDir|0o755)
	}
	b.seen[path] = true
	b.number++
	e := &tree.Entry{Path: path, Inode: filesystem.Inode{
		Number: b.number, Mode: mode, Links: 1, Modified: epoch,
	}}
	for _, f := range edit {
		f(e)
	}
	b.entries = append(b.entries, e)
	return e
}

func (b *builder) file(path string, f *memFile, edit ...func(*tree.Entry)) *tree.Entry {
	e := b.add(path, filesystem.ModeRegular|0o644, edit...)
	e.Size = f.size
	e.Data = f
	return e
}

func (b *builder) link(path string, to *tree.Entry) {
	e := b.add(path, to.Mode)
	number, name := to.Number, to.Path
	e.Inode = to.Inode
	e.Number, e.HardLink = number, name
}

func (b *builder) seq() tree.Entries { return sequence(b.entries) }

func sequence(entries []*tree.Entry) tree.Entries {
	return func(yield func(*tree.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func xattr(name, value string) func(*tree.Entry) {
	return func(e *tree.Entry) {
		e.Xattrs = append(e.Xattrs, filesystem.Xattr{Name: name, Value: []byte(value)})
	}
}

func owner(uid, gid uint32) func(*tree.Entry) {
	return func(e *tree.Entry) { e.UID, e.GID = uid, gid }
}

func modified(sec, ns int64) func(*tree.Entry) {
	return func(e *tree.Entry) { e.Modified = time.Unix(sec, ns) }
}

func target(s string) func(*tree.Entry) {
	return func(e *tree.Entry) { e.Target, e.Size = s, int64(len(s)) }
}

func device(major, minor uint32) func(*tree.Entry) {
	return func(e *tree.Entry) { e.Major, e.Minor = major, minor }
}

// tarBytes writes entries to memory.
func tarBytes(t *testing.T, entries tree.Entries) ([]byte, Summary) {
	t.Helper()
	var buf bytes.Buffer
	sum, err := WriteTar(context.Background(), &buf, entries, TarOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if sum.TarSize != int64(buf.Len()) {
		t.Errorf("TarSize %d, wrote %d", sum.TarSize, buf.Len())
	}
	if buf.Len()%recordSize != 0 {
		t.Errorf("tar of %d bytes is not whole records", buf.Len())
	}
	return buf.Bytes(), sum
}

// writeTarGzip writes the tree to w as Pack writes it to a file.
func writeTarGzip(ctx context.Context, w io.Writer, entries tree.Entries) error {
	gz, err := NewGzip(w, DefaultLevel)
	if err != nil {
		return err
	}
	c := newContent(gz)
	_, err = WriteTar(ctx, c, entries, TarOptions{})
	return errors.Join(err, c.finish(), gz.Close())
}
