package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// diskPipelines are what curtin has behind its download for each filetype
// (curtin/commands/block_meta.py), reading from standard input.
var diskPipelines = map[string]string{
	"ddtgz": "tar -xOzf -", "ddtxz": "tar -xOJf -", "ddtbz": "tar -xOjf -", "ddtar": "tar -xOf -",
	"ddbz2": "bzcat", "ddgz": "zcat", "ddxz": "xzcat", "ddraw": "cat",
}

// sparseDisk makes the file of a disk with data, holes, written zeros of many
// lengths, and an odd size, and returns its path.
func sparseDisk(t testing.TB, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.raw")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	put := func(p []byte, off int64) {
		if _, err := f.WriteAt(p, off); err != nil {
			t.Fatal(err)
		}
	}
	random := rand.NewChaCha8([32]byte{1})
	noise := make([]byte, 300_000)
	_, _ = random.Read(noise) // never fails
	put(sample(1<<20+100), 512)
	put(noise, 5<<20-7)
	put(make([]byte, 3<<20), 7<<20) // zeros that are written
	put([]byte("one byte in the middle"), 9<<20+12345)
	put(noise[:70_000], 40<<20+3)
	put(noise[:10], size-10)
	return path
}

// openRaw opens a raw disk in this process.
func openRaw(t testing.TB, path string) disk.Disk {
	t.Helper()
	d, err := disk.Open(context.Background(), path, disk.Options{Format: "raw", InProcess: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func diskTypes() []string {
	return slices.DeleteFunc(Filetypes(), func(name string) bool { return !IsDisk(name) })
}

// TestDiskPipelines has curtin's own pipelines read every filetype.
func TestDiskPipelines(t *testing.T) {
	fstest.RequireTool(t, "zcat", "xzcat", "bzcat", "tar", "dd", "cmp", "sha256sum")
	path := sparseDisk(t, 60<<20+3*512)
	for _, name := range diskTypes() {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			dir := t.TempDir()
			out := filepath.Join(dir, "image")
			sum, err := PackDisk(context.Background(), out, openRaw(t, path), Options{Filetype: name})
			if err != nil {
				t.Fatal(err)
			}
			t.Log(sum)
			fstest.Run(t, "bash", "-c", "set -o pipefail; cd "+dir+" && cat image | "+diskPipelines[name]+` | dd bs=4M of=back 2>/dev/null && cmp back "$1" && sha256sum -c image.sha256`, "-", path)
			if sum.Disk != 60<<20+3*512 || sum.Data+sum.Holes != sum.Disk || !sum.Verified {
				t.Errorf("summary is %+v", sum)
			}
		})
	}
}

// TestDiskTarMembers checks that a tar holds one member, whatever reads it.
func TestDiskTarMembers(t *testing.T) {
	fstest.RequireTool(t, "tar", "python3")
	path := sparseDisk(t, 50<<20+512)
	for _, name := range []string{"ddtar", "ddtgz", "ddtbz", "ddtxz"} {
		out := filepath.Join(t.TempDir(), "image")
		if _, err := PackDisk(context.Background(), out, openRaw(t, path), Options{Filetype: name}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Fields(fstest.Run(t, "tar", "-taf", out)); !slices.Equal(got, []string{diskMember}) {
			t.Errorf("%s: members are %q", name, got)
		}
		got := fstest.Run(t, "python3", "-c", "import sys,tarfile\nprint([(m.name,m.size) for m in tarfile.open(sys.argv[1])])", out)
		if want := fmt.Sprintf("[('%s', %d)]\n", diskMember, 50<<20+512); got != want {
			t.Errorf("%s: Python finds %s", name, got)
		}
	}
}

// TestDiskPython has Python's libraries read the compressed filetypes.
func TestDiskPython(t *testing.T) {
	fstest.RequireTool(t, "python3")
	path := sparseDisk(t, 50<<20+512)
	for name, module := range map[string]string{"ddgz": "gzip", "ddbz2": "bz2", "ddxz": "lzma"} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "image")
			if _, err := PackDisk(context.Background(), out, openRaw(t, path), Options{Filetype: name}); err != nil {
				t.Fatal(err)
			}
			fstest.Run(t, "python3", "-c", `
import sys, importlib
got = importlib.import_module(sys.argv[1]).open(sys.argv[2]).read()
sys.exit(got != open(sys.argv[3], "rb").read())`, module, out, path)
		})
	}
}

// hidden is a disk that does not tell of its holes.
type hidden struct{ disk.Disk }

func (h hidden) Extents(off, n int64) iter.Seq[disk.Extent] {
	return func(yield func(disk.Extent) bool) { yield(disk.Extent{Offset: off, Length: n}) }
}

// TestDiskSameBytes varies what must not matter: which zeros are known to be
// holes, and how many processors there are.
func TestDiskSameBytes(t *testing.T) {
	path := sparseDisk(t, 60<<20+3*512)
	for _, name := range []string{"ddgz", "ddtxz", "ddbz2"} {
		a, err := PackDisk(context.Background(), filepath.Join(t.TempDir(), "image"), openRaw(t, path), Options{Filetype: name})
		if err != nil {
			t.Fatal(err)
		}
		b, err := PackDisk(context.Background(), filepath.Join(t.TempDir(), "image"), hidden{openRaw(t, path)}, Options{Filetype: name})
		if err != nil {
			t.Fatal(err)
		}
		if a.SHA256 != b.SHA256 {
			t.Errorf("%s: the same content gave other bytes", name)
		}
	}
}

// badReader is a file in which something went wrong.
type badReader struct {
	io.ReaderAt
	flip, end int64 // a bit to flip, and where the file ends; -1 for not
}

func (r badReader) ReadAt(p []byte, off int64) (int, error) {
	if r.end >= 0 && off+int64(len(p)) > r.end {
		n, _ := r.ReaderAt.ReadAt(p[:max(0, r.end-off)], off)
		return n, io.EOF
	}
	n, err := r.ReaderAt.ReadAt(p, off)
	if r.flip >= off && r.flip < off+int64(n) {
		p[r.flip-off] ^= 4
	}
	return n, err
}

// TestVerifyFindsDamage damages what the verifier sees, at all kinds of places.
func TestVerifyFindsDamage(t *testing.T) {
	path := sparseDisk(t, 60<<20+3*512)
	entries := newBuilder()
	entries.file("file", solid(3<<20))
	for _, name := range Filetypes() {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			write := func(out string, wrap func(io.ReaderAt) io.ReaderAt) (Summary, error) {
				opts := Options{Filetype: name, reread: wrap}
				if IsDisk(name) {
					return PackDisk(context.Background(), out, openRaw(t, path), opts)
				}
				return Pack(context.Background(), out, entries.seq(), opts)
			}
			good, err := write(filepath.Join(t.TempDir(), "image"), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, bad := range []badReader{
				{nil, good.Size / 3, -1},
				{nil, good.Size / 2, -1},
				{nil, 2 * good.Size / 3, -1},
				{nil, good.Size - 9, -1},
				{nil, -1, good.Size - 1},
				{nil, -1, good.Size / 2},
				{nil, -1, 0},
			} {
				dir := t.TempDir()
				_, err := write(filepath.Join(dir, "image"), func(r io.ReaderAt) io.ReaderAt {
					return badReader{r, bad.flip, bad.end}
				})
				if err == nil || !strings.Contains(err.Error(), "verify image: what was written") {
					t.Errorf("bit %d of %d flipped, cut at %d: error is %v", bad.flip, good.Size, bad.end, err)
				}
				if got := listing(t, dir); got != "" {
					t.Errorf("directory holds %s", got)
				}
			}
		})
	}
}

// failingDisk cannot be read from some byte on, or cancels there.
type failingDisk struct {
	disk.Disk
	at     int64
	err    error
	cancel func()
}

func (f failingDisk) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.at {
		if f.err != nil {
			return 0, f.err
		}
		f.cancel()
	}
	return f.Disk.ReadAt(p, off)
}

// TestDiskFails checks that nothing is left of an image that fails.
func TestDiskFails(t *testing.T) {
	path := sparseDisk(t, 60<<20+3*512)
	for _, name := range diskTypes() {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for _, broken := range []error{errBroken, nil} {
				want := broken
				if want == nil {
					want = context.Canceled
				}
				bad := failingDisk{openRaw(t, path), 2 << 20, broken, cancel}
				_, err := PackDisk(ctx, filepath.Join(dir, "image"), bad, Options{Filetype: name})
				if !errors.Is(err, want) {
					t.Errorf("error is %v, want %v", err, want)
				}
			}
			if got := listing(t, dir); got != "" {
				t.Errorf("directory holds %s", got)
			}
		})
	}
	if _, err := PackDisk(context.Background(), "x", nil, Options{Filetype: "tgz"}); err == nil {
		t.Error("a disk was packed as tgz")
	}
	if _, err := Pack(context.Background(), "x", newBuilder().seq(), Options{Filetype: "ddgz"}); err == nil {
		t.Error("a tree was packed as ddgz")
	}
}

// A build that is cancelled does not wait for a long run of zeros, whose
// checksum alone would take minutes.
func TestZerosEnd(t *testing.T) {
	noLeaks(t)
	path := filepath.Join(t.TempDir(), "disk.raw")
	const data = 1 << 20
	if err := os.WriteFile(path, sample(data), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<39); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	start := time.Now()
	_, err := PackDisk(ctx, filepath.Join(t.TempDir(), "image"), failingDisk{openRaw(t, path), data - 1, nil, cancel}, Options{Filetype: "ddraw"})
	if took := time.Since(start); !errors.Is(err, context.Canceled) || took > 30*time.Second {
		t.Errorf("it ended after %v with %v", took, err)
	}

	out, err := Create(filepath.Join(t.TempDir(), "image"), false)
	if err != nil {
		t.Fatal(err)
	}
	file := &checked{ctx: ctx, out: out}
	for _, err := range []error{file.stream(sample(9)), file.hole(9), file.zeroStream(&zeroStream{9, sample(9)})} {
		if !errors.Is(err, context.Canceled) || out.Size() > 0 {
			t.Errorf("%d bytes were written: %v", out.Size(), err)
		}
	}
	if err := out.Abort(); err != nil {
		t.Error(err)
	}
}

// slowReader is a file whose parts take long to be read, after which it cancels.
type slowReader struct {
	io.ReaderAt
	cancel func()
}

func (r slowReader) ReadAt(p []byte, off int64) (int, error) {
	time.Sleep(time.Second) // all is written meanwhile
	r.cancel()
	return r.ReaderAt.ReadAt(p, off)
}

// A build that is cancelled does not wait until its image was read again, and
// gives none.
func TestCancelVerify(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	opts := Options{Filetype: "ddraw", reread: func(r io.ReaderAt) io.ReaderAt { return slowReader{r, cancel} }}
	start := time.Now()
	_, err := PackDisk(ctx, filepath.Join(dir, "image"), openRaw(t, sparseDisk(t, 60<<20)), opts)
	if took := time.Since(start); !errors.Is(err, context.Canceled) || took > 10*time.Second {
		t.Errorf("it ended after %v with %v", took, err)
	}
	if got := listing(t, dir); got != "" {
		t.Errorf("directory holds %s", got)
	}
}

// TestBlocksFail has the file fail at many places.
func TestBlocksFail(t *testing.T) {
	noLeaks(t)
	data := sample(6 << 20)
	for _, codec := range []*codec{&gzipCodec, &bzip2Codec} {
		for _, n := range []int{0, 5, 100_000} {
			b, err := newBlocks(failingStreams{&failingWriter{n}}, codec, 1, 2)
			if err != nil {
				t.Fatal(err)
			}
			c := newContent(b)
			_, werr := c.Write(data)
			zerr := c.Zeros(100 << 20)
			if err := errors.Join(werr, zerr, c.finish(), b.Close()); !errors.Is(err, errFull) {
				t.Errorf("%s, output of %d bytes: %v", codec.name, n, err)
			}
		}
	}
}

type failingStreams struct{ io.Writer }

func (f failingStreams) stream(p []byte) error          { _, err := f.Write(p); return err }
func (f failingStreams) zeroStream(z *zeroStream) error { return f.stream(z.bytes) }

// TestContent holds all ways of writing the same bytes to the same calls.
func TestContent(t *testing.T) {
	type part struct {
		data []byte
		zero int64
	}
	parts := []part{{sample(100), 0}, {nil, 5 << 20}, {sample(grain + 3), 0}, {nil, 7}, {nil, grain}, {[]byte{1}, 0}, {nil, 3<<20 + 5}}
	var want *content
	for _, asData := range []bool{false, true} {
		for _, chunk := range []int{1000, grain, 1 << 20} {
			c := newContent(nowhere{})
			for _, p := range parts {
				if p.data == nil && !asData {
					if err := c.Zeros(p.zero); err != nil {
						t.Fatal(err)
					}
					continue
				}
				for piece := range slices.Chunk(append(bytes.Clone(p.data), make([]byte, p.zero)...), chunk) {
					if _, err := c.Write(piece); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := c.finish(); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = c
			}
			if c.sum() != want.sum() || c.stored != want.stored {
				t.Errorf("as data %v in pieces of %d: %v, want %v", asData, chunk, c.sum(), want.sum())
			}
		}
	}
}

// TestDiskOfATerabyte packs an almost empty disk of a terabyte, which takes
// seconds only if its holes are neither read nor compressed nor, by the
// verifier, decompressed. bzip2's zeros are the smallest.
func TestDiskOfATerabyte(t *testing.T) {
	const size = 1 << 40
	path := sparseDisk(t, size)
	start := time.Now()
	sum, err := PackDisk(context.Background(), filepath.Join(t.TempDir(), "image"), openRaw(t, path), Options{Filetype: "ddbz2"})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s in %s", sum, time.Since(start))
	if spent := time.Since(start); spent > time.Minute || sum.Size > 20<<20 || sum.Disk != size {
		t.Errorf("%s in %s", sum, spent)
	}
}

// TestDiskBeyond8GiB has tars read the size of a disk that octal digits do not
// hold.
func TestDiskBeyond8GiB(t *testing.T) {
	fstest.RequireTool(t, "tar", "bsdtar", "python3")
	const size = 9<<30 + 512
	out := filepath.Join(t.TempDir(), "image.tar")
	head, err := diskHeader(size)
	if err == nil {
		err = os.WriteFile(out, head, 0o600)
	}
	if err == nil {
		err = os.Truncate(out, 9<<30+recordSize) // the disk and the end are zeros
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range []string{"tar", "bsdtar"} {
		if got := fstest.Run(t, tool, "-tvf", out); !strings.Contains(got, fmt.Sprint(int64(size))) {
			t.Errorf("%s lists %s", tool, got)
		}
	}
	got := fstest.Run(t, "python3", "-c", "import sys,tarfile\nprint([m.size for m in tarfile.open(sys.argv[1])])", out)
	if want := fmt.Sprintf("[%d]\n", int64(size)); got != want {
		t.Errorf("Python finds %s", got)
	}
}

// TestTreeTypes has GNU tar read a tree in every filetype for trees.
func TestTreeTypes(t *testing.T) {
	fstest.RequireTool(t, "tar", "xz", "bzip2", "gzip")
	b := newBuilder()
	b.file("file", solid(3<<20))
	want, _ := tarBytes(t, b.seq())
	for name, tool := range map[string]string{"tgz": "zcat", "tbz": "bzcat", "txz": "xzcat"} {
		out := filepath.Join(t.TempDir(), "image")
		sum, err := Pack(context.Background(), out, b.seq(), Options{Filetype: name})
		if err != nil {
			t.Fatal(err)
		}
		got := fstest.Run(t, "sh", "-c", tool+` < "$0"`, out)
		if got != string(want) || !sum.Verified {
			t.Errorf("%s: %d bytes, want %d; %+v", name, len(got), len(want), sum)
		}
		if members := fstest.Run(t, "sh", "-c", `tar --numeric-owner -tf "$0"`, out); !strings.Contains(members, "./file") {
			t.Errorf("%s holds %s", name, members)
		}
	}
	if _, err := Pack(context.Background(), filepath.Join(t.TempDir(), "image"), b.seq(), Options{SkipVerify: true}); err != nil {
		t.Error(err)
	}
}
