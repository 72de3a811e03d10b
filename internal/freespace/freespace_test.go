package freespace_test

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/partition"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/freespace"
	"github.com/packer-maas/packer-plugin-maas/internal/system"
)

const mib = 1 << 20

// memory is a disk in memory that takes down what is asked of it.
type memory struct {
	*bytes.Reader
	holes     []disk.Extent
	announced []filesystem.Segment
	read      []filesystem.Segment
}

func (m *memory) Close() error { return nil }

func (m *memory) Prefetch(off, n int64) {
	m.announced = append(m.announced, filesystem.Segment{Offset: off, Length: n})
}

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	m.read = append(m.read, filesystem.Segment{Offset: off, Length: int64(len(p))})
	return m.Reader.ReadAt(p, off)
}

// Extents has the holes of m.holes.
func (m *memory) Extents(off, n int64) iter.Seq[disk.Extent] {
	return func(yield func(disk.Extent) bool) {
		at, end := off, off+n
		for _, h := range m.holes {
			start, stop := min(max(h.Offset, at), end), min(max(h.Offset+h.Length, at), end)
			if start > at && !yield(disk.Extent{Offset: at, Length: start - at}) {
				return
			}
			if stop > start && !yield(disk.Extent{Offset: start, Length: stop - start, Hole: true}) {
				return
			}
			at = stop
		}
		if at < end {
			yield(disk.Extent{Offset: at, Length: end - at})
		}
	}
}

// knowing is a file system that knows its free space.
type knowing struct {
	filesystem.FS
	free []filesystem.Segment
	err  error
}

func (k knowing) Free() iter.Seq2[filesystem.Segment, error] {
	return func(yield func(filesystem.Segment, error) bool) {
		for _, s := range k.free {
			if !yield(s, nil) {
				return
			}
		}
		if k.err != nil {
			yield(filesystem.Segment{}, k.err)
		}
	}
}

func volume(number int, off, size int64, fs filesystem.FS) *system.Volume {
	return &system.Volume{
		Volume:    sized{size: size},
		Partition: partition.Partition{Number: number, Offset: off, Size: size}, FS: fs,
	}
}

type sized struct {
	disk.Volume
	size int64
}

func (s sized) Size() int64 { return s.size }

func random(n int) *memory {
	b := make([]byte, n)
	rand.New(rand.NewSource(1)).Read(b)
	return &memory{Reader: bytes.NewReader(b)}
}

// hidden lists the holes of a disk, in MiB.
func hidden(d disk.Disk) (holes []int64) {
	for e := range d.Extents(0, d.Size()) {
		if e.Hole {
			holes = append(holes, e.Offset/mib, e.Length/mib)
		}
	}
	return holes
}

func TestHide(t *testing.T) {
	all := knowing{free: []filesystem.Segment{{Offset: 0, Length: 4 * mib}}}
	some := knowing{free: []filesystem.Segment{{Offset: mib, Length: mib}, {Offset: 3 * mib, Length: mib}}}
	for name, c := range map[string]struct {
		volumes []*system.Volume
		want    []int64
		note    string
	}{
		"nothing":       {},
		"one":           {[]*system.Volume{volume(1, 4*mib, 4*mib, some)}, []int64{5, 1, 7, 1}, ""},
		"two":           {[]*system.Volume{volume(2, 8*mib, 4*mib, some), volume(1, 4*mib, 4*mib, all)}, []int64{4, 4, 9, 1, 11, 1}, ""},
		"unknown":       {[]*system.Volume{volume(1, 4*mib, 4*mib, nil), volume(2, 8*mib, 4*mib, all)}, []int64{8, 4}, "not known: partition 1"},
		"no partition":  {[]*system.Volume{volume(0, 4*mib, 4*mib, all)}, nil, ""},
		"doubt":         {[]*system.Volume{volume(1, 4*mib, 4*mib, knowing{free: some.free, err: errors.New("a doubt")})}, nil, "partition 1: its free space is packed as it is: a doubt"},
		"overlap":       {[]*system.Volume{volume(1, 4*mib, 4*mib, all), volume(2, 7*mib, 4*mib, all), volume(3, 11*mib, 4*mib, all)}, []int64{11, 4}, "partition 2: its free space is packed as it is: it overlaps"},
		"inside":        {[]*system.Volume{volume(1, 2*mib, 10*mib, all), volume(2, 4*mib, 4*mib, all)}, nil, "overlaps"},
		"inside, later": {[]*system.Volume{volume(1, 2*mib, 10*mib, nil), volume(2, 4*mib, 2*mib, nil), volume(3, 7*mib, 4*mib, all)}, nil, "overlaps"},
		"out of order":  {[]*system.Volume{volume(1, 4*mib, 4*mib, knowing{free: []filesystem.Segment{some.free[1], some.free[0]}})}, nil, "out of order"},
		"beyond":        {[]*system.Volume{volume(1, 4*mib, 3*mib, some)}, nil, "not on it"},
	} {
		t.Run(name, func(t *testing.T) {
			d, notes := freespace.Hide(random(16*mib), c.volumes)
			if got := hidden(d); !slices.Equal(got, c.want) {
				t.Errorf("holes are %v, want %v", got, c.want)
			}
			if said := strings.Join(notes, "\n"); !strings.Contains(said, c.note) || (said == "") != (c.note == "") {
				t.Errorf("notes: %q, want %q", said, c.note)
			}
		})
	}
}

// TestDisk reads at random places of a disk with free space of random sizes.
func TestDisk(t *testing.T) {
	rnd := rand.New(rand.NewSource(2))
	want := make([]byte, 2*mib)
	rnd.Read(want)
	clear(want[300_000:500_000])
	d := &memory{Reader: bytes.NewReader(bytes.Clone(want)), holes: []disk.Extent{{Offset: 300_000, Length: 200_000}}}
	var free []filesystem.Segment
	freed := int64(0)
	for at := int64(0); ; {
		at += 512 * (1 + rnd.Int63n(200))
		n := 512 * (1 + rnd.Int63n(300))
		if at+n > d.Size() {
			break
		}
		free = append(free, filesystem.Segment{Offset: at, Length: n})
		clear(want[at : at+n])
		freed += n - max(0, min(at+n, 500_000)-max(at, 300_000))
		at += n
	}
	hidden, notes := freespace.Hide(d, []*system.Volume{volume(1, 0, d.Size(), knowing{free: free})})
	if len(notes) > 0 || hidden.Hidden() != freed {
		t.Errorf("%d bytes are hidden, not %d; %q", hidden.Hidden(), freed, notes)
	}
	for range 2000 {
		off := rnd.Int63n(d.Size() + 1)
		p := make([]byte, rnd.Intn(300_000))
		n, err := hidden.ReadAt(p, off)
		if !bytes.Equal(p[:n], want[off:off+int64(n)]) || n < len(p) && (!errors.Is(err, io.EOF) || off+int64(n) != d.Size()) || n == len(p) && err != nil {
			t.Fatalf("%d bytes at %d: %d, %v, or others than expected", len(p), off, n, err)
		}
	}
	checkExtents(t, hidden, want)

	d.announced, d.read = nil, nil
	hidden.Prefetch(0, d.Size())
	if _, err := hidden.ReadAt(make([]byte, free[0].Offset), 0); err != nil {
		t.Fatal(err)
	}
	for _, s := range slices.Concat(d.announced, d.read) {
		for _, f := range free {
			if s.Offset < f.Offset+f.Length && f.Offset < s.Offset+s.Length {
				t.Errorf("%+v was asked for, of which %+v is free", s, f)
			}
		}
	}
}

// checkExtents expects extents without gaps that hold what they say.
func checkExtents(t *testing.T, d disk.Disk, want []byte) {
	t.Helper()
	at, last := int64(0), disk.Extent{}
	for e := range d.Extents(0, d.Size()) {
		if e.Offset != at || e.Length <= 0 || at > 0 && e.Hole == last.Hole {
			t.Fatalf("%+v after %+v", e, last)
		}
		if empty := bytes.Count(want[at:at+e.Length], []byte{0}) == int(e.Length); empty != e.Hole {
			t.Errorf("%+v, but its bytes are zeros: %v", e, empty)
		}
		at, last = at+e.Length, e
	}
	if at != d.Size() {
		t.Errorf("the extents end at byte %d", at)
	}
}

// TestDiskFails passes on what the disk below says.
func TestDiskFails(t *testing.T) {
	d := random(mib)
	hidden, _ := freespace.Hide(short{d}, []*system.Volume{volume(1, 0, mib, knowing{free: []filesystem.Segment{{Offset: 4096, Length: 4096}}})})
	p := make([]byte, 100_000)
	if n, err := hidden.ReadAt(p, 0); n != 50_000 || !errors.Is(err, io.ErrUnexpectedEOF) || bytes.Count(p[4096:8192], []byte{0}) != 4096 {
		t.Errorf("%d bytes, error %v", n, err)
	}
	if _, err := hidden.ReadAt(p, -1); err == nil {
		t.Error("bytes before the disk could be read")
	}
}

// short fails after 50,000 bytes.
type short struct{ *memory }

func (s short) ReadAt(p []byte, off int64) (int, error) {
	if left := 50_000 - off; left < int64(len(p)) {
		n, _ := s.memory.ReadAt(p[:max(0, left)], off)
		return n, io.ErrUnexpectedEOF
	}
	return s.memory.ReadAt(p, off)
}
