package xfs_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/xfs"
)

var errTooMuch = errors.New("too much is read")

// memory is a volume that stops what reads too much.
type memory struct {
	image []byte
	left  *int64 // bytes
}

func newMemory(image []byte) memory {
	left := int64(200 << 20)
	return memory{image, &left}
}

func (m memory) ReadAt(p []byte, off int64) (int, error) {
	if *m.left -= int64(len(p)) + 512; *m.left < 0 {
		panic(errTooMuch)
	}
	return bytes.NewReader(m.image).ReadAt(p, off)
}

func (m memory) Size() int64           { return int64(len(m.image)) }
func (m memory) Prefetch(off, n int64) {}

// readAll reads all that there is in an image.
func readAll(image []byte) (fstest.Manifest, error) {
	fs, err := xfs.Open(newMemory(image))
	if err != nil {
		return nil, err
	}
	return fstest.ReadFS(fs)
}

// freeOf counts what is free in an image.
func freeOf(image []byte) (int64, error) {
	fs, err := xfs.Open(newMemory(image))
	if err != nil {
		return 0, err
	}
	return fstest.FreeBytes(fs)
}

// TestDamage changes images at random. Whatever comes of it must come soon; in
// an image with checksums it must be an error, or right.
func TestDamage(t *testing.T) {
	for _, s := range seeds {
		t.Run(s.name, func(t *testing.T) {
			image := seed(t, s.name)
			want, err := readAll(image)
			if err != nil || len(want) < 290 {
				t.Fatalf("%d files: %v", len(want), err)
			}
			used := usedSectors(image)
			random := rand.New(rand.NewSource(int64(len(s.name))))
			free, freeErr := freeOf(image)
			if s.name == "v5" && freeErr != nil {
				t.Fatal(freeErr)
			}
			refused, rounds := 0, 800
			if testing.Short() {
				rounds = 100
			}
			for round := range rounds {
				undo := make(map[int]byte)
				for range 1 + random.Intn(3) {
					at := used[random.Intn(len(used))]*512 + random.Intn(512)
					if _, again := undo[at]; !again {
						undo[at] = image[at]
						image[at] ^= byte(1 + random.Intn(255))
					}
				}
				start := time.Now()
				got, err := readAll(image)
				if d := time.Since(start); d > 10*time.Second {
					t.Fatalf("round %d took %v", round, d)
				}
				if known, err := freeOf(image); err == nil && s.name == "v5" && known != free {
					t.Errorf("round %d: %d bytes are free, not %d", round, known, free)
				}
				if err != nil {
					refused++
				} else if s.name == "v5" {
					checkUndamaged(t, round, got, want)
				}
				for at, b := range undo {
					image[at] = b
				}
			}
			t.Logf("%d of %d refused", refused, rounds)
		})
	}
}

// usedSectors are the sectors that hold more than the unused ones of a log do.
func usedSectors(image []byte) []int {
	var used []int
	for i := range len(image) / 512 {
		if b := image[i*512:][:512]; bytes.Count(b, []byte{0}) < len(b)-4 {
			used = append(used, i)
		}
	}
	return used
}

// checkUndamaged expects no difference but in data, which has no checksum.
func checkUndamaged(t *testing.T, round int, got, want fstest.Manifest) {
	t.Helper()
	for path, r := range got {
		if w := want[path]; w != nil {
			r.Digest = w.Digest
		}
	}
	if d := fstest.Diff(got, want, fstest.Options{ExactSegments: true}); len(d) > 0 {
		t.Errorf("round %d: %s", round, d[0])
	}
}

// TestTruncated cuts images short and lets them say so.
func TestTruncated(t *testing.T) {
	for _, s := range seeds {
		whole := seed(t, s.name)
		for size := 0; size < len(whole); size += 61_440 {
			if _, err := xfs.Open(newMemory(whole[:size])); err == nil {
				t.Errorf("%s: opened %d of %d bytes", s.name, size, len(whole))
			}
		}
	}
}

// FuzzOpen reads everything in images that were changed in places: each patch
// is an offset of four bytes, a length of one, and as many
// bytes. Checksums that patches break hide most of version 5.
func FuzzOpen(f *testing.F) {
	var images [][]byte
	for i, s := range seeds {
		images = append(images, seed(f, s.name))
		f.Add(uint8(i), []byte{0x38, 0, 0, 0, 1, 2})
		f.Add(uint8(i), []byte{0x60, 0x20, 0, 0, 2, 0xff, 0xff})
	}
	f.Fuzz(func(_ *testing.T, which uint8, patches []byte) {
		image := bytes.Clone(images[int(which)%len(images)])
		for len(patches) > 5 {
			at := int(binary.LittleEndian.Uint32(patches)) % len(image)
			n := min(int(patches[4]), len(patches)-5)
			copy(image[at:], patches[5:5+n])
			patches = patches[5+n:]
		}
		_, _ = readAll(image)
		_, _ = freeOf(image)
	})
}
