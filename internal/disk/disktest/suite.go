package disktest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
)

// TestDisk holds what open returns, for every case of one of the formats, to
// qemu-img's reading of the image. open closes the disk by t.Cleanup.
func TestDisk(t *testing.T, open func(t *testing.T, path string) disk.Disk, formats ...string) {
	for _, c := range Cases {
		if !slices.Contains(formats, c.Format) {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			path := c.Make(t)
			want := content(t, path, c.Format)
			CheckDisk(t, open(t, path), want)
		})
	}
}

// content is the disk in an image as qemu-img sees it.
func content(t *testing.T, path, format string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "want.raw")
	Run(t, "", "qemu-img", "convert", "-t", "unsafe", "-f", format, "-O", "raw", path, out)
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// CheckDisk holds a disk to what it should contain.
func CheckDisk(t *testing.T, d disk.Disk, want []byte) {
	t.Helper()
	if d.Size() != int64(len(want)) {
		t.Fatalf("Size() = %d, want %d", d.Size(), len(want))
	}
	t.Run("random reads", func(t *testing.T) { checkRandom(t, d, want) })
	t.Run("whole", func(t *testing.T) {
		got := make([]byte, len(want))
		n, err := d.ReadAt(got, 0)
		checkRead(t, got[:n], n, err, 0, len(got), want)
	})
	t.Run("end", func(t *testing.T) { checkEnd(t, d, want) })
	t.Run("extents", func(t *testing.T) { checkExtents(t, d, want) })
}

// checkRead holds one read of n bytes at off to io.ReaderAt's rules.
func checkRead(t *testing.T, got []byte, n int, err error, off int64, asked int, want []byte) {
	t.Helper()
	expected := want[min(off, int64(len(want))):min(off+int64(asked), int64(len(want)))]
	if n != len(expected) || (n < asked) != (err != nil) || err != nil && !errors.Is(err, io.EOF) {
		t.Errorf("ReadAt(%d bytes, %d) = %d, %v, want %d", asked, off, n, err, len(expected))
	} else if !bytes.Equal(got, expected) {
		t.Errorf("ReadAt(%d bytes, %d): wrong bytes", asked, off)
	}
}

// checkRandom reads and announces parts of the disk from many goroutines.
func checkRandom(t *testing.T, d disk.Disk, want []byte) {
	var wait sync.WaitGroup
	defer wait.Wait()
	for seed := range uint64(6) {
		wait.Go(func() {
			source := rand.New(rand.NewPCG(seed, 5))
			for range 25 {
				off := source.Int64N(int64(len(want)) + 1)
				length := source.IntN([]int{2, 5000, 300000, 2 << 20, 6 << 20}[source.IntN(5)])
				if source.IntN(2) == 0 {
					d.Prefetch(off, int64(source.IntN(4<<20)))
				}
				p := bytes.Repeat([]byte{0xee}, length)
				n, err := d.ReadAt(p, off)
				checkRead(t, p[:n], n, err, off, length, want)
			}
		})
	}
}

// checkEnd reads at, across and past the end.
func checkEnd(t *testing.T, d disk.Disk, want []byte) {
	size := int64(len(want))
	for _, test := range []struct {
		off int64
		n   int
	}{{size - 1, 1}, {size - 1, 2}, {size, 1}, {size + 1000, 5}, {max(0, size-70000), 100000}, {1 << 62, 10}} {
		p := make([]byte, test.n)
		n, err := d.ReadAt(p, test.off)
		checkRead(t, p[:n], n, err, test.off, test.n, want)
	}
	if n, err := d.ReadAt(nil, 0); n != 0 || err != nil {
		t.Errorf("ReadAt(no bytes) = %d, %v", n, err)
	}
	if n, err := d.ReadAt(make([]byte, 1), -1); n != 0 || err == nil || errors.Is(err, io.EOF) {
		t.Errorf("ReadAt(offset -1) = %d, %v", n, err)
	}
	d.Prefetch(-5, 10)
	d.Prefetch(0, 1<<62)
	d.Prefetch(size, 10)
	d.Prefetch(1<<62, 1<<62)
	d.Prefetch(0, -1)
}

// checkExtents finds every hole zero, all runs joined and without gaps, and
// the same runs in parts of the disk as in all of it.
func checkExtents(t *testing.T, d disk.Disk, want []byte) {
	at, last := int64(0), disk.Extent{Length: 1}
	for e := range d.Extents(0, d.Size()) {
		if e.Offset != at || e.Length <= 0 {
			t.Fatalf("extent %+v, want one at %d", e, at)
		}
		if at > 0 && e.Hole == last.Hole {
			t.Errorf("extents %+v and %+v are not joined", last, e)
		}
		if part := want[at : at+e.Length]; e.Hole && bytes.Count(part, []byte{0}) != len(part) {
			t.Errorf("hole %+v has data", e)
		}
		at, last = at+e.Length, e
	}
	if at != d.Size() {
		t.Errorf("extents end at %d, the disk at %d", at, d.Size())
	}
	off, n := d.Size()/3, d.Size()/2
	at = off
	for e := range d.Extents(off, n) {
		if e.Offset != at {
			t.Fatalf("extent %+v of a part, want one at %d", e, at)
		}
		at += e.Length
	}
	if at != off+n {
		t.Errorf("extents of a part end at %d, want %d", at, off+n)
	}
}
