package image

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/tree"
)

var errBroken = errors.New("broken disk")

// noLeaks fails the test if goroutines are left behind.
func noLeaks(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for range 100 {
			if runtime.NumGoroutine() <= before {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
	})
}

func TestSameBytes(t *testing.T) {
	a, sum := tarBytes(t, nasty().seq())
	b, again := tarBytes(t, nasty().seq())
	if !bytes.Equal(a, b) || sum != again {
		t.Error("two runs differ")
	}
	var c bytes.Buffer
	if _, err := WriteTar(context.Background(), &c, nasty().seq(), TarOptions{Window: 1000}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, c.Bytes()) {
		t.Error("the window changes the bytes")
	}
}

func TestSummary(t *testing.T) {
	b := newBuilder()
	f := b.file("a", solid(1000), xattr("user.a", "1"), xattr("user.b", "2"))
	b.link("b", f)
	b.file("c", holed(1<<20, 0, 4096))
	b.add("d", filesystem.ModeChar, device(1, 3))
	b.add("e", filesystem.ModeFIFO)
	b.add("f", filesystem.ModeSymlink, target("a"))
	b.add("g", filesystem.ModeSocket)
	_, got := tarBytes(t, b.seq())
	want := Summary{
		Directories: 1, Files: 2, HardLinks: 1, Symlinks: 1, Devices: 1, FIFOs: 1, SkippedSockets: 1,
		SparseFiles: 1, Xattrs: 2, Data: 5096, Holes: 1<<20 - 4096, TarSize: 20480,
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	text := got.String()
	for _, part := range []string{"2 files", "1 hard link", "2 devices and pipes", "1 sockets left out", "1.0 MB of holes"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q lacks %q", text, part)
		}
	}
}

// TestRefused has one bad entry each, in the middle of good ones.
func TestRefused(t *testing.T) {
	regular := func(path string, edit func(*tree.Entry)) *tree.Entry {
		f := solid(10000)
		e := &tree.Entry{Path: path, Data: f, Inode: filesystem.Inode{Mode: filesystem.ModeRegular, Size: f.size, Modified: epoch}}
		if edit != nil {
			edit(e)
		}
		return e
	}
	failing := func(f *memFile) func(*tree.Entry) {
		return func(e *tree.Entry) { e.Data = f }
	}
	for want, e := range map[string]*tree.Entry{
		`pack "": path component ""`:                           regular("", nil),
		`pack "/etc": path component ""`:                       regular("/etc", nil),
		`pack "etc/": path component ""`:                       regular("etc/", nil),
		`pack "a//b": path component ""`:                       regular("a//b", nil),
		`pack "a/../../b": path component ".."`:                regular("a/../../b", nil),
		`pack "..": path component ".."`:                       regular("..", nil),
		`pack "a/.": path component "."`:                       regular("a/.", nil),
		`pack "a\x00b": path contains NUL`:                     regular("a\x00b", nil),
		`pack "l": hard link to "../x": path component ".."`:   regular("l", func(e *tree.Entry) { e.HardLink = "../x" }),
		`pack "d": a directory cannot be a hard link`:          regular("d", func(e *tree.Entry) { e.HardLink, e.Mode = "x", filesystem.ModeDir }),
		`pack "s": symlink target ""`:                          regular("s", func(e *tree.Entry) { e.Mode = filesystem.ModeSymlink }),
		`pack "s": symlink target "\x00"`:                      regular("s", func(e *tree.Entry) { e.Mode, e.Target = filesystem.ModeSymlink, "\x00" }),
		`pack "t": file type 0150000 is unknown`:               regular("t", func(e *tree.Entry) { e.Mode = 0o150644 }),
		`pack "c": device 1:2097152 does not fit`:              regular("c", func(e *tree.Entry) { e.Mode, e.Major, e.Minor = filesystem.ModeChar, 1, 1<<21 }),
		`pack "n": size -1 is negative`:                        regular("n", func(e *tree.Entry) { e.Size = -1 }),
		`pack "n": file has no data`:                           regular("n", func(e *tree.Entry) { e.Data = nil }),
		`pack "short": data ends at byte 9999 of 10000`:        regular("short", failing(solid(9999))),
		`pack "short": data ends at byte 0 of 10000`:           regular("short", failing(&memFile{segments: solid(10000).segments})),
		`pack "bad": read at byte 5000: broken disk`:           regular("bad", failing(&memFile{size: 10000, segments: solid(10000).segments, failAt: 5000, err: errBroken})),
		`pack "order": data segments out of order at offset 0`: regular("order", failing(holed(10000, 8192, 10, 0, 10))),
	} {
		t.Run(want, func(t *testing.T) {
			noLeaks(t)
			b := newBuilder()
			b.file("before", solid(5000))
			b.entries = append(b.entries, e)
			for i := range 10_000 {
				b.file(fmt.Sprintf("x%04d", i), solid(5000))
			}
			sum, err := WriteTar(context.Background(), io.Discard, b.seq(), TarOptions{})
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("error %v, want %q", err, want)
			}
			if sum != (Summary{}) {
				t.Errorf("summary of a failure: %+v", sum)
			}
		})
	}
}

func TestIteratorFails(t *testing.T) {
	noLeaks(t)
	b := newBuilder()
	b.file("a", solid(10))
	seq := func(yield func(*tree.Entry, error) bool) {
		for _, e := range b.entries {
			if !yield(e, nil) {
				return
			}
		}
		yield(nil, errBroken)
	}
	var buf bytes.Buffer
	if _, err := WriteTar(context.Background(), &buf, seq, TarOptions{}); !errors.Is(err, errBroken) {
		t.Errorf("error %v", err)
	}
}

// failingWriter fails after n bytes.
type failingWriter struct{ n int }

var errFull = errors.New("full")

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.n -= len(p); w.n < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWriterFails(t *testing.T) {
	for _, n := range []int{0, 100_000, 5 << 20} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			noLeaks(t)
			b := newBuilder()
			for i := range 10_000 {
				b.file(strconv.Itoa(i), solid(2000))
			}
			if _, err := WriteTar(context.Background(), &failingWriter{n}, b.seq(), TarOptions{}); !errors.Is(err, errFull) {
				t.Errorf("plain: error %v", err)
			}
			if err := writeTarGzip(context.Background(), &failingWriter{n / 100}, b.seq()); !errors.Is(err, errFull) {
				t.Errorf("gzip: error %v", err)
			}
		})
	}
}

// TestCancel cancels while the writer reads one endless file, and while it
// waits for an iterator that has stopped yielding.
func TestCancel(t *testing.T) {
	big := solid(1 << 50)
	big.zero = true
	b := newBuilder()
	b.file("endless", big)
	waiting := func(ctx context.Context) tree.Entries {
		return func(yield func(*tree.Entry, error) bool) {
			yield(b.entries[0], nil)
			<-ctx.Done()
		}
	}
	for name, entries := range map[string]func(context.Context) tree.Entries{
		"in a file":    func(context.Context) tree.Entries { return b.seq() },
		"in iterating": waiting,
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			start := time.Now()
			err := writeTarGzip(ctx, io.Discard, entries(ctx))
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("took %v to end", d)
			}
		})
	}
}

// TestPrefetch checks that all data is prefetched once, in order, before it is
// read, and never further ahead than the window.
func TestPrefetch(t *testing.T) {
	const window = 100_000
	var log []string
	b := newBuilder()
	for i, f := range []*memFile{
		solid(10), solid(50_000), solid(1_000_000), holed(10<<20, 4096, 300_000, 5<<20, 4096), solid(0), holed(1 << 20), solid(70_000), solid(3),
	} {
		f.log, f.name = &log, strconv.Itoa(i)
		b.file(f.name, f)
		b.add(f.name+"d", filesystem.ModeDir)
	}
	// Wait until the iterator is through, so that the order is certain.
	ready := make(chan struct{})
	seq := iter.Seq2[*tree.Entry, error](func(yield func(*tree.Entry, error) bool) {
		defer close(ready)
		b.seq()(yield)
	})
	batches, stop := readAhead(context.Background(), seq)
	defer stop()
	<-ready
	tw := &tarWriter{ctx: context.Background(), out: bufio.NewWriterSize(io.Discard, 16<<10), queue: queue{ctx: context.Background(), ch: batches, window: window}}
	if err := tw.run(); err != nil {
		t.Fatal(err)
	}
	var fetched, read, total int64
	for _, line := range log {
		var what, name string
		var off, n int64
		if _, err := fmt.Sscanf(line, "%s %s %d+%d", &what, &name, &off, &n); err != nil {
			t.Fatal(line, err)
		}
		if what == "prefetch" {
			fetched += n
		} else {
			read += n
		}
		if fetched < read || fetched-read > window {
			t.Fatalf("%s: %d prefetched, %d read", line, fetched, read)
		}
	}
	for _, e := range b.entries {
		f, ok := e.Data.(*memFile)
		if !ok || f.size == 0 {
			continue
		}
		p, err := plan(e)
		if err != nil {
			t.Fatal(err)
		}
		var got []filesystem.Segment
		for _, s := range f.prefetched {
			if n := len(got) - 1; n >= 0 && got[n].Offset+got[n].Length == s.Offset {
				got[n].Length += s.Length
			} else {
				got = append(got, s)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(p.regions) {
			t.Errorf("%s: prefetched %v, read %v", e.Path, got, p.regions)
		}
		for _, r := range p.regions {
			total += r.Length
		}
	}
	if fetched != total || read != total {
		t.Errorf("%d prefetched, %d read, of %d", fetched, read, total)
	}
}

// TestReadAheadIsBounded has a writer that never takes anything.
func TestReadAheadIsBounded(t *testing.T) {
	noLeaks(t)
	yielded := 0
	seq := func(yield func(*tree.Entry, error) bool) {
		value := strings.Repeat("v", 50_000)
		for yielded < 100_000 {
			e := &tree.Entry{Path: strconv.Itoa(yielded), Inode: filesystem.Inode{Mode: filesystem.ModeDir}}
			xattr("user.v", value)(e)
			if !yield(e, nil) {
				return
			}
			yielded++
		}
	}
	_, stop := readAhead(context.Background(), seq)
	time.Sleep(200 * time.Millisecond)
	stop()
	if yielded < 10 || yielded > 2*maxBatches+4 {
		t.Errorf("%d large entries read ahead", yielded)
	}
}

func TestProgress(t *testing.T) {
	b := newBuilder()
	for i := range 20_000 {
		b.file(fmt.Sprintf("%05d", i), solid(1000))
	}
	var calls []int64
	start := time.Now()
	opts := TarOptions{Progress: func(done int64) { calls = append(calls, done) }}
	if _, err := WriteTar(context.Background(), io.Discard, b.seq(), opts); err != nil {
		t.Fatal(err)
	}
	if limit := int(time.Since(start)/progressEvery) + 2; len(calls) > limit || len(calls) < 1 {
		t.Errorf("%d reports, at most %d expected", len(calls), limit)
	}
	if last := calls[len(calls)-1]; last != 20_000_000 {
		t.Errorf("last report %d", last)
	}
}
