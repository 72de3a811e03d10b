package ext4_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/ext4"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// seedNames are small images in testdata, made by TestSeeds -update. In those
// with checksums, all damage to what they cover is seen.
var seedNames = []string{"checksums", "plain", "inline", "dirty"}

var update = flag.Bool("update", false, "make the images in testdata again")

// TestSeeds makes the images in testdata.
func TestSeeds(t *testing.T) {
	if !*update {
		t.Skip("only with -update")
	}
	for name, options := range map[string]string{
		"checksums": "-t ext4 -b 1024 -O ^has_journal -N 64",
		"plain":     "-t ext2 -b 1024 -I 128 -N 64",
		"inline":    "-t ext4 -b 1024 -O ^has_journal,^metadata_csum,inline_data,ea_inode -N 64",
		"dirty":     "-t ext4 -b 1024 -J size=1 -N 64",
	} {
		image := fstest.Image(t, 3<<20, mkfs(options)...)
		dir, unmount := fstest.Mount(t, image, "")
		fillSeed(t, dir, name == "inline")
		if name == "dirty" {
			d, err := os.Open(dir)
			if err != nil || d.Sync() != nil || d.Close() != nil {
				t.Fatal("cannot sync", dir)
			}
			image = fstest.Copy(t, image)
		}
		unmount()
		b, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		var packed bytes.Buffer
		w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if _, err := w.Write(b); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/"+name+".gz", packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// fillSeed makes a few files of each kind; symlinks are short, because what is
// in blocks has no checksum.
func fillSeed(t *testing.T, dir string, large bool) {
	t.Helper()
	write := func(name string, size int) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), bytes.Repeat([]byte("data"), size/4), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		if err := os.MkdirAll(filepath.Join(dir, fmt.Sprintf("dir%d/sub", i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		write(fmt.Sprintf("dir1/%d-%s", i, strings.Repeat("n", 200)), i*8)
	}
	write("file", 20000)
	f, err := os.Create(filepath.Join(dir, "holes"))
	for i := range int64(30) {
		if err == nil {
			_, err = f.WriteAt([]byte("x"), i*50_000)
		}
	}
	if err == nil {
		err = errors.Join(f.Close(), os.Symlink("target", filepath.Join(dir, "symlink")),
			os.Link(filepath.Join(dir, "file"), filepath.Join(dir, "dir2/link")))
	}
	if err != nil {
		t.Fatal(err)
	}
	fstest.Run(t, "setfattr", "-n", "user.long", "-v", strings.Repeat("v", 500), filepath.Join(dir, "file"))
	fstest.Run(t, "setfattr", "-n", "user.short", "-v", "v", filepath.Join(dir, "holes"))
	if large {
		fstest.Run(t, "setfattr", "-n", "user.large", "-v", strings.Repeat("l", 3000), filepath.Join(dir, "dir0"))
	}
	fstest.Run(t, "chown", "1000:70000", filepath.Join(dir, "holes"))
}

// seed returns an image of testdata.
func seed(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

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
	fs, err := ext4.Open(newMemory(image))
	if err != nil {
		return nil, err
	}
	return fstest.ReadFS(fs)
}

// freeOf counts what is free in an image.
func freeOf(image []byte) (int64, error) {
	fs, err := ext4.Open(newMemory(image))
	if err != nil {
		return 0, err
	}
	return fstest.FreeBytes(fs)
}

// TestDamage changes images at random. Whatever comes of it must come soon; in
// an image with checksums it must be an error, or right.
func TestDamage(t *testing.T) {
	for _, name := range seedNames {
		t.Run(name, func(t *testing.T) {
			whole := seed(t, name)
			want, err := readAll(whole)
			if err != nil || len(want) < 30 {
				t.Fatalf("%d files: %v", len(want), err)
			}
			used := usedBlocks(whole)
			random := rand.New(rand.NewSource(int64(len(name))))
			free, freeErr := freeOf(whole)
			if name == "checksums" && freeErr != nil {
				t.Fatal(freeErr)
			}
			refused, rounds := 0, 800
			if testing.Short() {
				rounds = 100
			}
			for round := range rounds {
				image := bytes.Clone(whole)
				for range 1 + random.Intn(3) {
					at := used[random.Intn(len(used))]*1024 + random.Intn(1024)
					image[at] ^= byte(1 + random.Intn(255))
				}
				start := time.Now()
				got, err := readAll(image)
				if d := time.Since(start); d > 10*time.Second {
					t.Fatalf("round %d took %v", round, d)
				}
				if known, err := freeOf(image); err == nil && name == "checksums" && known != free {
					t.Errorf("round %d: %d bytes are free, not %d", round, known, free)
				}
				if err != nil {
					refused++
				} else if name == "checksums" {
					checkUndamaged(t, round, got, want)
				}
			}
			t.Logf("%d of %d refused", refused, rounds)
		})
	}
}

// usedBlocks are the blocks of 1 KiB that are not all zeros, behind the first.
func usedBlocks(image []byte) []int {
	var used []int
	for i := 1; i < len(image)/1024; i++ {
		if b := image[i*1024:][:1024]; bytes.Count(b, []byte{0}) < len(b) {
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
	for _, name := range seedNames {
		whole := seed(t, name)
		for size := 0; size < len(whole); size += 61_440 {
			if _, err := ext4.Open(newMemory(whole[:size])); err == nil {
				t.Errorf("%s: opened %d of %d bytes", name, size, len(whole))
			}
		}
	}
}

// FuzzOpen reads everything in images that were changed in places: each patch
// is an offset of four bytes, a length of one, and as many bytes.
func FuzzOpen(f *testing.F) {
	var images [][]byte
	for i, name := range seedNames {
		images = append(images, seed(f, name))
		f.Add(uint8(i), []byte{0x3a, 4, 0, 0, 1, 2})
		f.Add(uint8(i), []byte{0x28, 0x10, 0, 0, 2, 0xff, 0xff})
	}
	f.Fuzz(func(t *testing.T, which uint8, patches []byte) {
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
