package ntfs_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/ntfs"
)

// memory is a volume in memory.
type memory struct{ *bytes.Reader }

func (memory) Prefetch(int64, int64) {}

// victim is a volume to be damaged, and what of each byte is free while it is
// whole.
type victim struct {
	image []byte
	free  []bool
}

func newVictim(t testing.TB, image string) *victim {
	t.Helper()
	data, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{data, make([]bool, len(data))}
	fs, err := ntfs.Open(memory{bytes.NewReader(data)})
	if err != nil {
		t.Fatal(err)
	}
	for s, err := range fs.Free() {
		if err != nil {
			t.Fatal(err)
		}
		for i := range s.Length {
			v.free[s.Offset+i] = true
		}
	}
	// In a record of a deleted file, other parts can seem to be of content.
	for at := 0; at+recordSize <= len(data); at += recordSize {
		if bytes.HasPrefix(data[at:], []byte("FILE")) && data[at+22]&1 == 0 {
			for i := range recordSize {
				v.free[at+i] = true
			}
		}
	}
	return v
}

const recordSize = 1024

// put changes bytes, and returns what puts them back.
func (v *victim) put(at int, b []byte) (restore func()) {
	part := v.image[at:min(len(v.image), at+len(b))]
	was := bytes.Clone(part)
	copy(part, b)
	return func() { copy(part, was) }
}

// check expects nothing that was in use to be called free, if anything is.
func (v *victim) check(t *testing.T) (trusted bool) {
	t.Helper()
	fs, err := ntfs.Open(memory{bytes.NewReader(v.image)})
	if err != nil {
		return false
	}
	end := int64(0)
	for s, err := range fs.Free() {
		if err != nil {
			return false
		}
		if s.Offset < end || s.Length <= 0 || s.Length > int64(len(v.image))-s.Offset {
			t.Fatalf("%+v after byte %d", s, end)
		}
		end = s.Offset + s.Length
		if at := bytes.IndexByte(v.kept(s.Offset, end), 1); at >= 0 {
			t.Errorf("%+v is free, but byte %d is in use", s, s.Offset+int64(at))
			return true
		}
	}
	return true
}

// kept has a one for each byte that is in use.
func (v *victim) kept(from, to int64) []byte {
	kept := make([]byte, to-from)
	for i := range kept {
		if !v.free[from+int64(i)] {
			kept[i] = 1
		}
	}
	return kept
}

// Where the structures of the volume are that Windows made, by ntfsinfo.
const windowsTable, windowsBitmap = 3413 * 1024, 3410 * 1024

// FuzzFree changes bytes of a volume that Windows made: nothing may hang, panic,
// or be called free that was not.
func FuzzFree(f *testing.F) {
	v := newVictim(f, windows(f))
	const table, boot, bitmap = windowsTable, 0, windowsBitmap
	for _, at := range []uint32{boot + 11, boot + 13, boot + 40, boot + 48, boot + 64, table + 20, table + 60, table + 0x1c0, table + 6*1024 + 0x120, bitmap} {
		f.Add(at, []byte{0xff, 0xff})
		f.Add(at, []byte{0})
	}
	f.Fuzz(func(t *testing.T, at uint32, b []byte) {
		if int(at) < len(v.image) {
			defer v.put(int(at), b)()
			v.check(t)
		}
	})
}

// TestFreeOfDamaged changes what the volume says of itself, at one place or at
// several.
func TestFreeOfDamaged(t *testing.T) {
	v := newVictim(t, windows(t))
	var places []int // of what is in the boot sector, in records, and in the bitmap
	for at := range 512 {
		places = append(places, at)
	}
	for at := windowsTable; at+recordSize <= len(v.image) && bytes.HasPrefix(v.image[at:], []byte("FILE")); at += recordSize {
		for i := range min(recordSize, int(binary.LittleEndian.Uint32(v.image[at+24:]))) {
			places = append(places, at+i)
		}
	}
	for i := range len(v.image) / recordSize / 8 {
		places = append(places, windowsBitmap+i)
	}
	damage(t, v, places, 2000)
}

// damage changes bytes at some of the places, many times.
func damage(t *testing.T, v *victim, places []int, rounds int) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	values := [][]byte{{0}, {0xff}, {0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, {0xff, 0xff, 0xff, 0x7f}, bytes.Repeat([]byte{0xff}, 8), {1, 0}, {0x80}}
	trusted := 0
	for range rounds {
		var restore []func()
		for range 1 + random.IntN(3) {
			at := places[random.IntN(len(places))]
			b := values[random.IntN(len(values))]
			if random.IntN(2) == 0 {
				b = []byte{v.image[at] ^ 1<<random.IntN(8)}
			}
			restore = append(restore, v.put(at, b))
		}
		start := time.Now()
		if v.check(t) {
			trusted++
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
		for len(restore) > 0 {
			restore[len(restore)-1]()
			restore = restore[:len(restore)-1]
		}
		if t.Failed() {
			return
		}
	}
	if trusted == 0 {
		t.Error("whatever is changed, nothing is free")
	}
	t.Logf("free space is known of %d in %d", trusted, rounds)
}

// TestFreeOfDamagedPieces is the same on a volume of ntfs-3g, with files in pieces.
func TestFreeOfDamagedPieces(t *testing.T) {
	image := filled(t, 100<<20)
	v := newVictim(t, image)
	var places []int
	for at := 0; at+recordSize <= len(v.image); at += recordSize {
		if bytes.HasPrefix(v.image[at:], []byte("FILE")) {
			for i := range min(recordSize, int(binary.LittleEndian.Uint32(v.image[at+24:]))) {
				places = append(places, at+i)
			}
		}
	}
	damage(t, v, places, 60)
}
