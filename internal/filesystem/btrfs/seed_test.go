package btrfs_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/btrfs"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// seeds are small images in testdata, made by TestSeeds -update.
var seeds = []struct{ name, mkfs string }{
	{"crc32c", "--mixed -n 4096 -m single -d single"},
	{"sha256", "--mixed -n 4096 -m single -d single --csum sha256 -O ^no-holes"},
}

var update = flag.Bool("update", false, "make the images in testdata again")

// TestSeeds makes the images in testdata.
func TestSeeds(t *testing.T) {
	if !*update {
		t.Skip("only with -update")
	}
	for _, s := range seeds {
		image := fstest.Image(t, 24<<20, mkfs(s.mkfs)...)
		for _, kind := range []string{"zlib", "lzo", "zstd"} {
			dir, unmount := fstest.Mount(t, image, "compress-force="+kind)
			fillSeed(t, filepath.Join(dir, kind))
			unmount()
		}
		b, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		var packed bytes.Buffer
		w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if _, err := w.Write(b); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/"+s.name+".gz", packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// fillSeed makes something of each kind in a new subvolume.
func fillSeed(t *testing.T, dir string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, data []byte) { t.Helper(); must(os.WriteFile(path(name), data, 0o640)) }
	fstest.Run(t, "btrfs", "subvolume", "create", dir)
	must(os.Mkdir(path("names"), 0o755))
	for i := range 90 {
		write(fmt.Sprintf("names/%d-%s", i, strings.Repeat("n", i)), nil)
	}
	write("inline", bytes.Repeat([]byte("inline data\n"), 150))
	write("short", []byte("short"))
	write("text", bytes.Repeat([]byte("text that can be compressed\n"), 3000))
	must(os.Link(path("text"), path("names/linked")))
	f, err := os.Create(path("holes"))
	must(err)
	for i := range int64(60) {
		_, err = f.WriteAt([]byte("x"), i*9000)
		must(err)
	}
	must(unix.Fallocate(int(f.Fd()), 0, 700_000, 100_000))
	must(errors.Join(f.Close(), os.Symlink("target", path("symlink"))))
	write("plain", nil)
	fstest.Run(t, "chattr", "+C", path("plain"))
	write("plain", bytes.Repeat([]byte("not compressed, no checksums\n"), 300))
	for i := range 8 {
		must(unix.Lsetxattr(path("text"), fmt.Sprintf("user.%d", i), bytes.Repeat([]byte{byte(i)}, 100*i), 0))
	}
	must(unix.Mknod(path("device"), unix.S_IFBLK|0o600, int(unix.Mkdev(8, 300))))
	must(os.Chown(path("holes"), 1000, 70000))
	fstest.Run(t, "btrfs", "subvolume", "create", path("nested"))
	write("nested/file", []byte("nested"))
}

// TestSeedContent compares the images in testdata with the kernel.
func TestSeedContent(t *testing.T) {
	for _, s := range seeds {
		fstest.RequireRoot(t)
		image := filepath.Join(t.TempDir(), "image")
		if err := os.WriteFile(image, seed(t, s.name), 0o600); err != nil {
			t.Fatal(err)
		}
		compare(t, image, "")
	}
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

// memory is a volume that stops what reads too much.
type memory struct {
	image []byte
	left  *int64 // bytes
}

var errTooMuch = errors.New("too much is read")

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

// readAll reads all that there is in an image, and lists its subvolumes.
func readAll(image []byte) (fstest.Manifest, error) {
	fs, err := btrfs.Open(newMemory(image))
	if err != nil {
		return nil, err
	}
	if _, err := fs.Subvolumes(); err != nil {
		return nil, err
	}
	return fstest.ReadFS(fs)
}
