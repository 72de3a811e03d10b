package image

import (
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
)

// wholeRun is a disk that is one run of data, and notices how it is read.
type wholeRun struct {
	disk.Disk
	announced, longest *int64
}

func (w wholeRun) Extents(off, n int64) iter.Seq[disk.Extent] {
	return func(yield func(disk.Extent) bool) { yield(disk.Extent{Offset: off, Length: n}) }
}

func (w wholeRun) Prefetch(_, n int64) { *w.announced += n }

func (w wholeRun) ReadAt(p []byte, off int64) (int, error) {
	*w.longest = max(*w.longest, int64(len(p)))
	return w.Disk.ReadAt(p, off)
}

// TestTarReadsOnce expects of a file what TestDiskReadsOnce does of a disk.
func TestTarReadsOnce(t *testing.T) {
	for size, want := range map[int64]int64{
		longRegion - 512: shortRead,
		longRegion:       bufferSize,
	} {
		var log []string
		f := solid(size)
		f.log = &log
		b := newBuilder()
		b.file("file", f)
		tarBytes(t, b.seq())
		announced, longest := int64(0), int64(0)
		for _, line := range log {
			var off, n int64
			if _, err := fmt.Sscanf(line, "prefetch  %d+%d", &off, &n); err == nil {
				announced += n
			} else if _, err := fmt.Sscanf(line, "read  %d+%d", &off, &n); err == nil {
				longest = max(longest, n)
			} else {
				t.Fatal(line)
			}
		}
		if longest > want || (announced > 0) != (want == shortRead) {
			t.Errorf("%d bytes: %d announced, read by up to %d", size, announced, longest)
		}
	}
}

// TestDiskReadsOnce expects either short reads of what was announced, or long
// ones of what was not: a long read passes by what was loaded for it.
func TestDiskReadsOnce(t *testing.T) {
	for size, want := range map[int64][2]int64{
		longRegion - 512: {longRegion - 512, shortRead},
		longRegion:       {0, bufferSize},
	} {
		var announced, longest int64
		path := filepath.Join(t.TempDir(), "disk")
		if err := os.WriteFile(path, sample(int(size)), 0o600); err != nil {
			t.Fatal(err)
		}
		d := wholeRun{openRaw(t, path), &announced, &longest}
		if _, err := PackDisk(t.Context(), filepath.Join(t.TempDir(), "image"), d, Options{Filetype: "ddraw"}); err != nil {
			t.Fatal(err)
		}
		if announced != want[0] || longest != want[1] {
			t.Errorf("%d bytes: %d announced, read by up to %d", size, announced, longest)
		}
	}
}
