package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/extent"
)

// fake is a disk whose byte at an offset is known, and which can fail, block,
// and tell what was read from it.
type fake struct {
	extents *extent.Map
	bad     atomic.Int64 // reads that touch this offset fail; -1 for none
	gate    chan struct{}
	waiting atomic.Int64 // reads that came to the gate
	mu      sync.Mutex
	reads   [][2]int64 // offset and length
}

func newFake(size int64) *fake {
	f := &fake{extents: extent.Full(size), gate: make(chan struct{})}
	f.bad.Store(-1)
	close(f.gate)
	return f
}

func (f *fake) Size() int64          { return f.extents.Size() }
func (f *fake) Extents() *extent.Map { return f.extents }
func (f *fake) Close() error         { return nil }

var errBad = errors.New("bad sector")

func (f *fake) ReadAt(p []byte, off int64) (int, error) {
	f.waiting.Add(1)
	<-f.gate
	f.mu.Lock()
	f.reads = append(f.reads, [2]int64{off, int64(len(p))})
	f.mu.Unlock()
	if bad := f.bad.Load(); bad >= off && bad < off+int64(len(p)) {
		return 0, fmt.Errorf("offset %d: %w", bad, errBad)
	}
	for i := range p {
		p[i] = content(off + int64(i))
	}
	return len(p), nil
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.reads)
}

func content(off int64) byte { return byte(off ^ off>>8 ^ off>>16 ^ off>>24) }

func expect(t *testing.T, c *cache, off int64, n int) {
	t.Helper()
	p := make([]byte, n)
	if got, err := c.ReadAt(p, off); got != n || err != nil {
		t.Errorf("ReadAt(%d bytes, %d) = %d, %v", n, off, got, err)
		return
	}
	for i := range p {
		if p[i] != content(off+int64(i)) {
			t.Errorf("ReadAt(%d bytes, %d): byte %d is wrong", n, off, i)
			return
		}
	}
}

func openCache(t *testing.T, f *fake) *cache {
	c := newCache(f)
	t.Cleanup(func() { c.stop(); c.wait() })
	return c
}

// settle waits until nothing is queued or being loaded.
func settle(t *testing.T, c *cache) {
	t.Helper()
	busy := func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, one := range c.chunks {
			if one.state != loaded {
				return true
			}
		}
		return len(c.queue) > 0
	}
	for end := time.Now().Add(5 * time.Second); busy(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("chunks are still queued or loading")
		}
	}
}

func TestCacheReads(t *testing.T) {
	f := newFake(cacheSize*2 + 12345)
	c := openCache(t, f)
	var wait sync.WaitGroup
	for seed := range uint64(8) {
		wait.Go(func() {
			source := rand.New(rand.NewPCG(seed, 0))
			for range 30 {
				n := 1 + source.IntN([]int{10, 5000, 3 * chunkSize, bypass + 5}[source.IntN(4)])
				off := source.Int64N(f.Size() - int64(n))
				c.Prefetch(source.Int64N(f.Size()), source.Int64N(8<<20))
				expect(t, c, off, n)
			}
		})
	}
	wait.Wait()
	expect(t, c, f.Size()-100, 100)
	settle(t, c)
	if c.buffers > cacheSize/chunkSize {
		t.Errorf("%d buffers of %d bytes, the limit is %d bytes", c.buffers, chunkSize, cacheSize)
	}
	if held := len(c.free) + c.recent.Len(); held != c.buffers {
		t.Errorf("%d of %d buffers are accounted for", held, c.buffers)
	}
	for _, one := range c.chunks {
		if one.pins != 0 {
			t.Errorf("chunk %d has %d pins", one.index, one.pins)
		}
	}
}

func TestCacheKeeps(t *testing.T) {
	f := newFake(4 * cacheSize)
	c := openCache(t, f)
	expect(t, c, 100, 100)
	for off := int64(chunkSize); off < cacheSize; off += chunkSize {
		expect(t, c, off, 10)
		expect(t, c, 5, 5) // stays the one used last
	}
	if f.count() != cacheSize/chunkSize {
		t.Errorf("%d reads for %d chunks", f.count(), cacheSize/chunkSize)
	}
	expect(t, c, 2*cacheSize, 10) // pushes out the second
	before := f.count()
	expect(t, c, 5, 5)
	if f.count() != before {
		t.Error("the chunk read last was forgotten")
	}
	expect(t, c, chunkSize, 10)
	if f.count() != before+1 {
		t.Error("more is kept than fits")
	}
}

// What is announced is read in long requests, and only once.
func TestPrefetchBatches(t *testing.T) {
	f := newFake(64 << 20)
	f.gate = make(chan struct{})
	c := openCache(t, f)
	for range 10 {
		c.Prefetch(0, 16<<20)
	}
	close(f.gate)
	settle(t, c)
	before := f.count()
	for off := int64(0); off < 16<<20; off += chunkSize {
		expect(t, c, off, chunkSize)
	}
	if f.count() != before {
		t.Errorf("%d reads after the prefetch", f.count()-before)
	}
	if before > 16+2*loaders {
		t.Errorf("%d requests for 16 MiB", before)
	}
}

// Hints that cannot be followed cost the caller neither time nor memory.
func TestPrefetchStorm(t *testing.T) {
	f := newFake(1 << 40)
	f.gate = make(chan struct{})
	c := openCache(t, f)
	start := time.Now()
	for i := range int64(200000) {
		c.Prefetch(i*chunkSize*2, chunkSize*2)
	}
	c.Prefetch(0, 1<<40)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("200,000 hints took %v", took)
	}
	c.mu.Lock()
	if len(c.queue) > maxQueue || len(c.chunks) > maxQueue+loaders*batchSize/chunkSize {
		t.Errorf("%d chunks queued, %d known", len(c.queue), len(c.chunks))
	}
	c.mu.Unlock()
	close(f.gate)
	settle(t, c)
	expect(t, c, 1<<39, 1000)
}

// A reader does not wait for the queue in front of what it needs.
func TestReadOvertakesQueue(t *testing.T) {
	f := newFake(64 << 20)
	f.gate = make(chan struct{})
	c := openCache(t, f)
	c.Prefetch(0, 30<<20)
	done := make(chan struct{})
	go func() { defer close(done); expect(t, c, 20<<20, 10) }()
	for f.waiting.Load() < loaders+1 { // the reader is there while the queue is long
		time.Sleep(time.Millisecond)
	}
	for range loaders + 1 {
		f.gate <- struct{}{} // in the order they came
	}
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Error("the reader waits behind the queue")
	}
	close(f.gate)
	settle(t, c)
}

func TestHolesAreNotCached(t *testing.T) {
	f := newFake(64 << 20)
	f.extents = extent.New(64 << 20)
	f.extents.Add(10<<20, 1000)
	c := openCache(t, f)
	c.Prefetch(0, 64<<20)
	settle(t, c)
	if f.count() != 1 || len(c.chunks) != 1 || f.reads[0] != [2]int64{10 << 20, 1000} {
		t.Errorf("%d chunks, reads %v, want one of the stored bytes", len(c.chunks), f.reads)
	}
}

// An error is for those who ask for the bad bytes, and for as long as they are.
func TestErrors(t *testing.T) {
	f := newFake(64 << 20)
	const bad = 3*chunkSize + 5000
	f.bad.Store(bad)
	c := openCache(t, f)
	c.Prefetch(0, 2<<20)
	settle(t, c)
	expect(t, c, 3*chunkSize, 5000)
	expect(t, c, 0, 3*chunkSize+5000)
	expect(t, c, bad+1, 2*chunkSize)
	p := make([]byte, 2*chunkSize)
	if n, err := c.ReadAt(p, bad-100-chunkSize); !errors.Is(err, errBad) || n > chunkSize+100 {
		t.Errorf("ReadAt of the bad byte = %d, %v", n, err)
	}
	f.bad.Store(-1)
	expect(t, c, bad-10, 20)
}

func TestStop(t *testing.T) {
	f := newFake(64 << 20)
	f.gate = make(chan struct{})
	c := newCache(f)
	c.Prefetch(0, 32<<20)
	for reading := 0; reading == 0; time.Sleep(time.Millisecond) {
		c.mu.Lock()
		reading = maxQueue - len(c.queue)
		c.mu.Unlock()
	}
	c.stop()
	waited := make(chan struct{})
	go func() { c.wait(); close(waited) }()
	select {
	case <-waited:
		t.Error("wait returned while chunks are being loaded")
	case <-time.After(10 * time.Millisecond):
	}
	close(f.gate)
	<-waited
	if _, err := c.ReadAt(make([]byte, 1), 50<<20); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("ReadAt = %v", err)
	}
	c.Prefetch(0, 10)
	if f.count() > loaders {
		t.Errorf("%d reads, want no more than were on their way", f.count())
	}
}

func TestSection(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 10)
	v := &hinted{Reader: bytes.NewReader(data)}
	s, err := Section(v, 15, 20)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := Section(s, 5, 15)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 100)
	if n, err := inner.ReadAt(p, 0); string(p[:n]) != "012345678901234" || err == nil || inner.Size() != 15 {
		t.Errorf("read %q, %v", p[:n], err)
	}
	if n, err := inner.ReadAt(p[:5], 10); n != 5 || err != nil {
		t.Errorf("read to the end: %d, %v", n, err)
	}
	for _, bad := range [][2]int64{{-1, 5}, {0, -1}, {90, 11}, {101, 0}, {5, 1<<63 - 1}, {1<<63 - 1, 5}} {
		if _, err := Section(v, bad[0], bad[1]); err == nil {
			t.Errorf("Section(%d, %d) was accepted", bad[0], bad[1])
		}
	}
	for _, hint := range []struct{ off, n, wantOff, wantN int64 }{
		{0, 15, 20, 15}, {3, 1 << 62, 23, 12}, {15, 1, 0, 0}, {1 << 62, 1 << 62, 0, 0}, {-5, 10, 20, 5}, {2, -7, 0, 0},
	} {
		v.off, v.n = 0, 0
		inner.Prefetch(hint.off, hint.n)
		if v.off != hint.wantOff || v.n != hint.wantN {
			t.Errorf("Prefetch(%d, %d) became (%d, %d)", hint.off, hint.n, v.off, v.n)
		}
	}
}

// hinted is a volume that remembers the last hint.
type hinted struct {
	*bytes.Reader
	off, n int64
}

func (h *hinted) Prefetch(off, n int64) { h.off, h.n = off, n }
