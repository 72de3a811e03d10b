package image

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/tree"
)

// diskFile is a file of the machine's own, as data for benchmarks.
type diskFile struct {
	path string
	size int64
}

func (f diskFile) Segments() []filesystem.Segment {
	return []filesystem.Segment{{Offset: 0, Length: f.size}}
}
func (diskFile) Prefetch(int64, int64) {}
func (f diskFile) ReadAt(p []byte, off int64) (int, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	return file.ReadAt(p, off)
}

// many is a tree of n files of 20 kB, each with a label and nanoseconds.
func many(n int) tree.Entries {
	f := solid(20_000)
	f.zero = true
	return func(yield func(*tree.Entry, error) bool) {
		for i := range n {
			e := &tree.Entry{Path: fmt.Sprintf("usr/share/some/directory/file%06d", i), Data: quiet{f}}
			e.Inode = filesystem.Inode{
				Number: uint64(i), Mode: filesystem.ModeRegular | 0o644, Links: 1, Size: f.size, Modified: time.Unix(1e9, int64(i)),
				Xattrs: []filesystem.Xattr{{Name: "security.selinux", Value: []byte("system_u:object_r:usr_t:s0\x00")}},
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// quiet forgets what is prefetched.
type quiet struct{ *memFile }

func (quiet) Prefetch(int64, int64) {}

func BenchmarkTar(b *testing.B) {
	const n = 50_000
	b.SetBytes(n * 20_000)
	b.ReportAllocs()
	start := cpuSeconds(b)
	for b.Loop() {
		if _, err := WriteTar(context.Background(), io.Discard, many(n), TarOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((cpuSeconds(b)-start)/float64(b.N), "cpu-s/op")
}

// BenchmarkPack packs one file, of made-up data or $BENCH_DATA, as a tar.gz.
func BenchmarkPack(b *testing.B) {
	name := os.Getenv("BENCH_DATA")
	if name == "" {
		name = b.TempDir() + "/data"
		if err := os.WriteFile(name, sample(64<<20), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	info, err := os.Stat(name)
	if err != nil {
		b.Fatal(err)
	}
	tb := newBuilder()
	e := tb.file("data", solid(info.Size()))
	e.Data = diskFile{name, info.Size()}
	b.SetBytes(info.Size())
	b.ReportAllocs()
	start := cpuSeconds(b)
	for b.Loop() {
		if _, err := Pack(context.Background(), b.TempDir()+"/image", tb.seq(), Options{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((cpuSeconds(b)-start)/float64(b.N), "cpu-s/op")
}

// TestMemory packs many small files with attributes and watches the heap.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("packs a gigabyte")
	}
	var peak, stop atomic.Uint64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for stop.Load() == 0 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapInuse))
			time.Sleep(5 * time.Millisecond)
		}
	}()
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	err := writeTarGzip(context.Background(), io.Discard, many(50_000))
	stop.Store(1)
	<-done
	if err != nil {
		t.Fatal(err)
	}
	grown := int64(peak.Load()) - int64(before.HeapInuse)
	t.Logf("the heap grew by %s", megabytes(grown))
	if limit := int64(50+8*min(runtime.GOMAXPROCS(0), maxWorkers)) * 1e6; grown > limit {
		t.Errorf("the heap grew by %s, more than %s", megabytes(grown), megabytes(limit))
	}
}
