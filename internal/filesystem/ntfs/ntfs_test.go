package ntfs_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/ntfs"
)

// small is what a deleted file holds that lies in its record: no other bytes of
// an image are alike.
var small = []byte{0xc7, 0xd9, 0xe1, 0xb3}

// filled is an image with files of many forms on it, and some deleted.
func filled(t *testing.T, size int64, options ...string) string {
	t.Helper()
	image := fstest.Image(t, size, append([]string{"mkntfs", "-q", "-F", "-Q"}, options...)...)
	dir, unmount := fstest.MountNTFS(t, image)
	write := func(name string, data []byte) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2000 {
		write(fmt.Sprintf("Windows/many/%04d", i), []byte(strings.Repeat(fmt.Sprint(i), i*3)))
	}
	write("small", bytes.Repeat(small, 150)) // lies in its record, over the end of a sector
	write("Windows/big", []byte(strings.Repeat("0123456789abcdef", 1<<18)))
	for i := 0; i < 2000; i += 2 { // holes, which the next file fills
		if err := os.Remove(filepath.Join(dir, fmt.Sprintf("Windows/many/%04d", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "small")); err != nil {
		t.Fatal(err)
	}
	write("pieces", []byte(strings.Repeat("pieces of a file\n", 1<<18)))
	write("sparse", nil)
	fstest.Run(t, "dd", "if="+image, "of="+filepath.Join(dir, "sparse"), "bs=1k", "count=1", "seek=10240", "status=none")
	fstest.Secret(t, dir)
	unmount()
	return image
}

func open(t *testing.T, image string) *ntfs.FS {
	t.Helper()
	fs, err := ntfs.Open(fstest.Volume(t, image))
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

var (
	freeClusters = regexp.MustCompile(`Free Clusters: (\d+)`)
	clusterSize  = regexp.MustCompile(`Cluster Size: (\d+)`)
)

// freeInClusters is how much is free of what is not in the file table.
func freeInClusters(t *testing.T, fs *ntfs.FS) (free int64) {
	t.Helper()
	for s, err := range fs.Free() {
		if err != nil {
			t.Fatal(err)
		}
		if s.Length%512 == 0 && s.Offset%512 == 0 { // parts of records never are
			free += s.Length
		}
	}
	return free
}

// freeByNtfsinfo is what ntfs-3g counts.
func freeByNtfsinfo(t *testing.T, image string) int64 {
	t.Helper()
	says := fstest.Run(t, "ntfsinfo", "-m", image)
	free, err := strconv.ParseInt(freeClusters.FindStringSubmatch(says)[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	size, err := strconv.ParseInt(clusterSize.FindStringSubmatch(says)[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return free * size
}

// TestFree expects that all free space is known, and no other: garbage in it is
// not noticed by ntfsfix, nor in any file, and none of a deleted file is left.
func TestFree(t *testing.T) {
	for name, options := range map[string][]string{
		"defaults":       nil,
		"512 bytes":      {"-c", "512"},
		"64 KiB":         {"-c", "65536"},
		"4 KiB sectors":  {"-s", "4096", "-c", "4096"},
		"compressed dir": {"-C"},
	} {
		t.Run(name, func(t *testing.T) {
			image := filled(t, 300<<20, options...)
			fs := open(t, image)
			if state, err := fs.State(); err != nil || !state.Clean() {
				t.Fatalf("%s, %v", state, err)
			}
			scrambled, _ := fstest.Scramble(t, image, fs)
			if free, counted := freeInClusters(t, fs), freeByNtfsinfo(t, image); free != counted {
				t.Errorf("%d bytes are free, by ntfsinfo %d", free, counted)
			}
			if !fstest.HasSecret(t, image) || fstest.HasSecret(t, scrambled) {
				t.Error("a deleted file is left in free space, or never was")
			}
			if found := traces(t, image); found < 145 {
				t.Errorf("the small file was there %d times of 150 before", found)
			}
			if found := traces(t, scrambled); found > 0 {
				t.Errorf("%d parts of the small file are left in its record", found)
			}
			fstest.Run(t, "ntfsfix", "-n", scrambled)
			want, _ := fstest.MountNTFS(t, image)
			got, unmount := fstest.MountNTFS(t, scrambled)
			fstest.Check(t, fstest.FromDir(t, got), fstest.FromDir(t, want), fstest.Options{})
			// The records of what was deleted are used again.
			for i := range 1500 {
				if err := os.WriteFile(filepath.Join(got, fmt.Sprint("new", i)), small, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			unmount()
			fstest.Run(t, "ntfsfix", "-n", scrambled)
			got, _ = fstest.MountNTFS(t, scrambled)
			for i := range 1500 {
				if data, err := os.ReadFile(filepath.Join(got, fmt.Sprint("new", i))); err != nil || !bytes.Equal(data, small) {
					t.Fatalf("new file %d: %q, %v", i, data, err)
				}
			}
		})
	}
}

// traces counts what an image holds of the small file.
func traces(t *testing.T, image string) int {
	t.Helper()
	data, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(data, small)
}

// TestHibernated expects a memory image to be seen as long as Windows has not
// taken it back.
func TestHibernated(t *testing.T) {
	for head, want := range map[string]bool{"hibr": true, "HIBR": true, "wake": false, "\x00\x00\x00\x00": false, "": false} {
		image := fstest.Image(t, 20<<20, "mkntfs", "-q", "-F", "-Q")
		dir, unmount := fstest.MountNTFS(t, image)
		if err := os.WriteFile(filepath.Join(dir, "hiberfil.sys"), []byte(strings.Repeat(head, 4096)), 0o600); err != nil {
			t.Fatal(err)
		}
		unmount()
		state, err := open(t, image).State()
		if err != nil || state.Hibernated != want {
			t.Errorf("%q: %+v, %v", head, state, err)
		}
	}
}

// windows is a volume that Windows made, of the tests of go-ntfs.
func windows(t testing.TB) string {
	t.Helper()
	dir := strings.TrimSpace(fstest.Run(t, "go", "list", "-m", "-f", "{{.Dir}}", "www.velocidex.com/golang/go-ntfs"))
	return fstest.Copy(t, filepath.Join(dir, "parser/test_data/test.ntfs.dd"))
}

// TestWindows looks at a volume that Windows closed, then damages it.
func TestWindows(t *testing.T) {
	fstest.RequireTool(t, "ntfsinfo")
	image := windows(t)
	fs := open(t, image)
	if state, err := fs.State(); err != nil || !state.Clean() {
		t.Fatalf("%s, %v", state, err)
	}
	if free, counted := freeInClusters(t, fs), freeByNtfsinfo(t, image); free != counted {
		t.Errorf("%d bytes are free, by ntfsinfo %d", free, counted)
	}
}

// patch changes bytes of an image wherever a text stands, n bytes after it.
func patch(t *testing.T, image, text string, n int, b ...byte) {
	t.Helper()
	data, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(data, []byte(text))
	if at < 0 {
		t.Fatalf("no %q", text)
	}
	for ; at >= 0; at = bytes.LastIndex(data[:at], []byte(text)) {
		copy(data[at+n:], b)
	}
	if err := os.WriteFile(image, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// restart is where the restart pages of the log say what they do.
const restart = "RSTR\x1e\x00\x09\x00"

// TestRefused expects nothing to be called free where there is doubt.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(t *testing.T, image string)
		want   string
	}{
		"log open":   {func(t *testing.T, image string) { patch(t, image, restart, 0x3e, 0) }, "boot Windows once"},
		"log torn":   {func(t *testing.T, image string) { patch(t, image, restart, 510, 0xaa, 0xaa) }, "it was not written as a whole"},
		"log's page": {func(t *testing.T, image string) { patch(t, image, restart, 0, 'C', 'H', 'K', 'D') }, `it begins with "CHKD"`},
		"dirty": {func(t *testing.T, image string) {
			// $VOLUME_INFORMATION: its header, then version 3.1, then flags.
			patch(t, image, "\x70\x00\x00\x00\x28\x00\x00\x00", 34, 1, 0)
		}, "chkdsk"},
		"bad record": {func(t *testing.T, image string) { patch(t, image, "FILE0", 0, 'B', 'A', 'A', 'D') }, `it begins with "BAAD"`},
		"cut short":  {func(t *testing.T, image string) { fstest.Run(t, "truncate", "-s", "5M", image) }, "the disk is cut short"},
		"owned":      {func(t *testing.T, image string) { free(t, image, 3413+100) }, "$Bitmap says that clusters are free among its"},
		"its copy": {func(t *testing.T, image string) {
			data, err := os.ReadFile(image)
			if err != nil {
				t.Fatal(err)
			}
			// By the boot sector.
			at := int64(data[13]) * 512 * int64(binary.LittleEndian.Uint64(data[0x38:]))
			writeAt(t, image, at+1024+0x40, []byte("other"))
		}, "its copy in $MFTMirr is another"},
		"number": {func(t *testing.T, image string) { writeAt(t, image, windowsTable+40*1024+0x2c, []byte{41}) }, "file record 40: it says that it is number 41"},
		"attribute": {func(t *testing.T, image string) {
			// The first of a file, with all that it owns behind it.
			writeAt(t, image, windowsTable+40*1024+0x38+4, make([]byte, 4))
		}, "file record 40: an attribute of 0 bytes"},
		"boot sector": {func(t *testing.T, image string) { free(t, image, 0) }, "the boot sector is free"},
	} {
		t.Run(name, func(t *testing.T) {
			image := windows(t)
			c.damage(t, image)
			fs, err := ntfs.Open(fstest.Volume(t, image))
			if err == nil {
				_, err = fstest.FreeBytes(fs)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one that says %q", err, c.want)
			}
		})
	}
}

func writeAt(t *testing.T, image string, at int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(image, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt(b, at)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// free clears a cluster's bit in the volume's $Bitmap.
func free(t *testing.T, image string, cluster int64) {
	t.Helper()
	const bitmap = 3410 * 1024 // by ntfsinfo
	f, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, bitmap+cluster/8); err != nil {
		t.Fatal(err)
	}
	if b[0]>>(cluster%8)&1 == 0 {
		t.Fatalf("cluster %d is free already", cluster)
	}
	b[0] &^= 1 << (cluster % 8)
	if _, err := f.WriteAt(b, bitmap+cluster/8); err != nil {
		t.Fatal(err)
	}
}
