package btrfs_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/btrfs"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// TestDamage changes images at random. Whatever comes of it must come soon; as
// everything has a checksum, it must be an error, or right.
func TestDamage(t *testing.T) {
	for _, s := range seeds {
		t.Run(s.name, func(t *testing.T) {
			image := seed(t, s.name)
			want, err := readAll(image)
			if err != nil || len(want) < 100 {
				t.Fatalf("%d files: %v", len(want), err)
			}
			used := usedSectors(image)
			random := rand.New(rand.NewSource(int64(len(s.name))))
			refused, rounds := 0, 300
			if testing.Short() {
				rounds = 50
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
				if err != nil {
					refused++
				} else {
					checkUndamaged(t, round, got, want)
				}
				for at, b := range undo {
					image[at] = b
				}
			}
			t.Logf("%d of %d refused", refused, rounds)
			if refused < rounds/2 {
				t.Errorf("%d of %d refused", refused, rounds)
			}
		})
	}
}

// usedSectors are the sectors that hold something.
func usedSectors(image []byte) []int {
	var used []int
	for i := range len(image) / 512 {
		if b := image[i*512:][:512]; bytes.Count(b, []byte{0}) < len(b)-4 {
			used = append(used, i)
		}
	}
	return used
}

// checkUndamaged expects no difference but in the data of files that were made
// to have no checksums.
func checkUndamaged(t *testing.T, round int, got, want fstest.Manifest) {
	t.Helper()
	for path, r := range got {
		if w := want[path]; w != nil && strings.HasSuffix(path, "/plain") {
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
		for size := 0; size < len(whole); size += 1_061_440 {
			if _, err := btrfs.Open(newMemory(whole[:size])); err == nil {
				t.Errorf("%s: opened %d of %d bytes", s.name, size, len(whole))
			}
		}
	}
}

// FuzzOpen reads everything in an image that was changed in places: each patch
// is an offset of four bytes, a length of one, and as many bytes. Where sealed,
// checksums of the blocks that they are in are made right again.
func FuzzOpen(f *testing.F) {
	image := seed(f, "crc32c")
	f.Add(true, []byte{0x50, 0, 1, 0, 1, 2})
	f.Add(false, []byte{0x60, 0x20, 0, 0, 2, 0xff, 0xff})
	used := usedSectors(image)
	for i := range 40 {
		at := used[i*len(used)/40] * 512
		f.Add(true, append(binary.LittleEndian.AppendUint32(nil, uint32(at)+100), 4, 0xff, 1, 0, 7))
	}
	f.Fuzz(func(_ *testing.T, sealed bool, patches []byte) {
		patched := bytes.Clone(image)
		for len(patches) > 5 {
			at := int(binary.LittleEndian.Uint32(patches)) % len(patched)
			n := min(int(patches[4]), len(patches)-5)
			copy(patched[at:], patches[5:5+n])
			if sealed {
				seal(patched[at&^4095:][:4096])
			}
			patches = patches[5+n:]
		}
		_, _ = readAll(patched)
	})
}

// seal sets the CRC-32C of a block.
func seal(b []byte) {
	binary.LittleEndian.PutUint32(b, crc32.Checksum(b[32:], crc32.MakeTable(crc32.Castagnoli)))
}
