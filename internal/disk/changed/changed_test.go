package changed

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
)

// base is a disk whose first third is a hole.
type base struct{ *bytes.Reader }

func (base) Close() error          { return errors.New("closed by one who did not open it") }
func (base) Prefetch(int64, int64) {}
func (b base) Extents(off, n int64) iter.Seq[disk.Extent] {
	third := b.Size() / 3
	return slices.Values([]disk.Extent{{Offset: 0, Length: third, Hole: true}, {Offset: third, Length: b.Size() - third}})
}

func random(seed byte, n int) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(p) // never fails
	return p
}

// TestDisk writes at random, far more than fits in memory, and compares with a
// plain slice.
func TestDisk(t *testing.T) {
	const size = 3*inMemory*pageSize + 1000
	content := random(1, size)
	clear(content[:size/3])
	below := slices.Clone(content)
	folder := t.TempDir()
	d := New(base{bytes.NewReader(below)}, folder)
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	want := slices.Clone(content)
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		p := random(byte(r.Uint32()), r.IntN(600_000))
		off := r.Int64N(int64(size - len(p)))
		if _, err := d.WriteAt(p, off); err != nil {
			t.Fatal(err)
		}
		copy(want[off:], p)
	}
	if d.file == nil {
		t.Error("all of it was kept in memory")
	}
	got := make([]byte, size)
	if _, err := d.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("what is read is not what was written; error %v", err)
	}
	if err := iotest.TestReader(io.NewSectionReader(d, size-100_000, 100_000), want[size-100_000:]); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(below, content) {
		t.Error("the disk below was changed")
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("files are seen: %v, %v", left, err)
	}
	checkExtents(t, d, want)
}

// checkExtents sees that holes are zeros, and that nothing is left out.
func checkExtents(t *testing.T, d *Disk, want []byte) {
	t.Helper()
	at, holes := int64(0), int64(0)
	for run := range d.Extents(0, d.Size()) {
		if run.Offset != at {
			t.Fatalf("a run begins at %d, the one before ends at %d", run.Offset, at)
		}
		at += run.Length
		if run.Hole {
			holes += run.Length
			if len(bytes.Trim(want[run.Offset:at], "\x00")) > 0 {
				t.Errorf("the hole at %d has data", run.Offset)
			}
		}
	}
	if at != d.Size() || holes == 0 {
		t.Errorf("runs end at %d of %d, %d bytes of them are holes", at, d.Size(), holes)
	}
}

func TestTruncate(t *testing.T) {
	d := New(base{bytes.NewReader(random(1, 100_000))}, t.TempDir())
	if err := d.Truncate(50_000); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 20_000)
	if n, err := d.ReadAt(p, 45_000); n != 5000 || !errors.Is(err, io.EOF) {
		t.Errorf("read %d, %v", n, err)
	}
	if _, err := d.WriteAt(p, 45_000); err == nil {
		t.Error("written past the end")
	}
	checkExtents(t, d, make([]byte, 100_000))
	if err := d.Truncate(60_000); err == nil {
		t.Error("made longer")
	}
	if _, err := d.ReadAt(p, -1); err == nil {
		t.Error("read before the start")
	}
}
