package image

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	kgzip "github.com/klauspost/compress/gzip"
	"golang.org/x/sys/unix"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// sample is n bytes that compress like text, with runs of zeros and noise.
func sample(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 0, n+1<<16)
	words := strings.Fields("the root file system of a system has many files and most of them are text or binaries of some kind")
	for len(b) < n {
		switch r.IntN(20) {
		case 0:
			b = append(b, make([]byte, r.IntN(1<<15))...)
		case 1:
			for range r.IntN(1 << 12) {
				b = append(b, byte(r.Uint32()))
			}
		default:
			for range 100 {
				b = append(b, words[r.IntN(len(words))]...)
				b = append(b, byte(r.IntN(64)))
			}
		}
	}
	return b[:n]
}

// gzipped is one run of a Gzip with the given number of workers.
func gzipped(t testing.TB, data []byte, level, workers, chunk int) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := newGzip(&out, level, workers)
	if err != nil {
		t.Fatal(err)
	}
	for len(data) > 0 {
		n := min(chunk, len(data))
		if _, err := z.Write(data[:n]); err != nil {
			t.Fatal(err)
		}
		data = data[n:]
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestGzipRoundTrip(t *testing.T) {
	noLeaks(t)
	for _, size := range []int{1, 1000, 32 << 10, gzipUnit - 1, gzipUnit, gzipUnit + 1, 3*gzipUnit + 12345} {
		data := sample(size)
		for level := 1; level <= 9; level++ {
			if level > 6 && size > 2*gzipUnit {
				continue
			}
			z := gzipped(t, data, level, 2, 1<<30)
			r, err := gzip.NewReader(bytes.NewReader(z))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes at level %d come back as %d: %v", size, level, len(got), err)
			}
			if !r.ModTime.IsZero() || r.Name != "" {
				t.Errorf("header has %v %q", r.ModTime, r.Name)
			}
		}
	}
}

// TestGzipSameBytes varies all that must not matter.
func TestGzipSameBytes(t *testing.T) {
	data := sample(5*gzipUnit + 77)
	for _, level := range []int{1, 3, 5, 6, 7} {
		want := gzipped(t, data, level, 1, 1<<30)
		for _, workers := range []int{2, 3, 16} {
			if !bytes.Equal(want, gzipped(t, data, level, workers, 100_000)) {
				t.Errorf("level %d: %d workers give other bytes", level, workers)
			}
		}
	}
}

// TestGzipTools has the decompressors that curtin and people use.
func TestGzipTools(t *testing.T) {
	data := sample(5*gzipUnit + 1)
	z := gzipped(t, data, 6, 2, 1<<30)
	for _, tool := range [][]string{
		{"zcat"},
		{"pigz", "-dc"},
		{"python3", "-c", "import gzip,sys; sys.stdout.buffer.write(gzip.GzipFile(fileobj=sys.stdin.buffer).read())"},
	} {
		t.Run(tool[0], func(t *testing.T) {
			fstest.RequireTool(t, tool[0])
			cmd := exec.Command(tool[0], tool[1:]...)
			cmd.Stdin = bytes.NewReader(z)
			got, err := cmd.Output()
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes of %d: %v", len(got), len(data), err)
			}
		})
	}
}

func TestGzipErrors(t *testing.T) {
	noLeaks(t)
	for _, level := range []int{-1, 0, 10} {
		if _, err := NewGzip(io.Discard, level); err == nil {
			t.Errorf("level %d accepted", level)
		}
	}
	data := sample(20 * gzipUnit)
	for _, n := range []int{0, 5, 100_000, 2 << 20} {
		z, err := NewGzip(&failingWriter{n}, 1)
		if err != nil {
			t.Fatal(err)
		}
		_, werr := z.Write(data)
		if err := errors.Join(werr, z.Close()); !errors.Is(err, errFull) {
			t.Errorf("output of %d bytes: %v", n, err)
		}
	}
}

// BenchmarkGzip compares with the other writers that could be used, by the CPU
// time of all cores and processes, on made-up data or the file $BENCH_DATA.
func BenchmarkGzip(b *testing.B) {
	data := sample(64 << 20)
	if name := os.Getenv("BENCH_DATA"); name != "" {
		var err error
		if data, err = os.ReadFile(name); err != nil {
			b.Fatal(err)
		}
	}
	for _, level := range []int{1, 6} {
		for _, w := range []struct {
			name string
			open func(io.Writer) io.WriteCloser
		}{
			{"own", func(w io.Writer) io.WriteCloser { z, _ := NewGzip(w, level); return z }},
			{"klauspost", func(w io.Writer) io.WriteCloser { z, _ := kgzip.NewWriterLevel(w, level); return z }},
			{"std", func(w io.Writer) io.WriteCloser { z, _ := gzip.NewWriterLevel(w, level); return z }},
			{"pigz", func(w io.Writer) io.WriteCloser { return pipe(w, "pigz", fmt.Sprintf("-%d", level)) }},
			{"gzip", func(w io.Writer) io.WriteCloser { return pipe(w, "gzip", fmt.Sprintf("-%d", level)) }},
		} {
			b.Run(fmt.Sprintf("%s/%d", w.name, level), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				var out counter
				start := cpuSeconds(b)
				for b.Loop() {
					out = 0
					z := w.open(&out)
					if z == nil {
						b.Skip("not installed")
					}
					if _, err := z.Write(data); err != nil {
						b.Fatal(err)
					}
					if err := z.Close(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric((cpuSeconds(b)-start)/float64(b.N), "cpu-s/op")
				b.ReportMetric(float64(out)/float64(len(data)), "ratio")
			})
		}
	}
}

// cpuSeconds is the CPU time of this process and of those that it waited for.
func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	total := 0.0
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var r unix.Rusage
		if err := unix.Getrusage(who, &r); err != nil {
			b.Fatal(err)
		}
		total += float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
	}
	return total
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// process is a compressor that runs as a process.
type process struct {
	io.WriteCloser
	cmd *exec.Cmd
}

func pipe(w io.Writer, name string, args ...string) io.WriteCloser {
	cmd := exec.Command(name, args...)
	cmd.Stdout = w
	in, err := cmd.StdinPipe()
	if err != nil || cmd.Start() != nil {
		return nil
	}
	return &process{in, cmd}
}

func (p *process) Close() error { return errors.Join(p.WriteCloser.Close(), p.cmd.Wait()) }

// Random data is not looked at for longer than other data, and hardly grows.
func TestGzipRandom(t *testing.T) {
	data := make([]byte, gzipUnit)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data)
	if e := entropy(data); e <= random || e > 8 {
		t.Fatalf("random data has an entropy of %v", e)
	}
	z := gzipped(t, data, DefaultLevel, 1, gzipUnit)
	if len(z) > gzipUnit+gzipUnit/1000 {
		t.Errorf("%d random bytes became %d", gzipUnit, len(z))
	}
	var usual bytes.Buffer
	w, err := kgzip.NewWriterLevel(&usual, DefaultLevel)
	if err != nil {
		t.Fatal(err)
	}
	if err := encodeBy(gzipWriter{w})(&usual, data); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(z, usual.Bytes()) {
		t.Error("random data is not compressed at the usual level")
	}
}
