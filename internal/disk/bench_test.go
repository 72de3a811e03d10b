//go:build linux

package disk_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/disktest"
)

// BenchmarkRead reads all that is stored on a disk, in order, and tells the
// processor time it took here and in qemu together. MAAS_BENCH_DISK names an
// image to read in place of one with 1 GiB of data.
func BenchmarkRead(b *testing.B) {
	disktest.Require(b, "qemu-img", "qemu-nbd")
	path := os.Getenv("MAAS_BENCH_DISK")
	if path == "" {
		path = benchImage(b)
	}
	b.Run("qemu-nbd", func(b *testing.B) { benchRead(b, path, disk.Options{}, true) })
	b.Run("qemu-nbd without prefetch", func(b *testing.B) { benchRead(b, path, disk.Options{}, false) })
	b.Run("in process", func(b *testing.B) { benchRead(b, path, disk.Options{InProcess: true}, true) })
	b.Run("qemu-img convert", func(b *testing.B) {
		d := openDisk(b, path, disk.Options{InProcess: true})
		target := fmt.Sprintf("driver=null-co,size=%d", d.Size())
		b.SetBytes(stored(d))
		before := processorTime()
		for b.Loop() {
			if out, err := exec.Command("qemu-img", "convert", "-n", "--target-image-opts", path, target).CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, out)
			}
		}
		reportTime(b, before)
	})
}

// benchImage makes a qcow2 image with 1 GiB of data in 3 GiB.
func benchImage(b *testing.B) string {
	path := filepath.Join(b.TempDir(), "bench.qcow2")
	disktest.Run(b, "", "qemu-img", "create", "-q", "-f", "qcow2", path, "3G")
	args := []string{}
	for i := range 64 {
		args = append(args, "-c", "write -P "+strconv.Itoa(i+1)+" "+strconv.Itoa(i*48)+"M 16M")
	}
	disktest.Run(b, "", "qemu-io", append(args, path)...)
	return path
}

func benchRead(b *testing.B, path string, opts disk.Options, prefetch bool) {
	const request, ahead = 1 << 20, 8 << 20
	p := make([]byte, request)
	before := processorTime()
	for b.Loop() {
		d, err := disk.Open(b.Context(), path, opts)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(stored(d))
		for e := range d.Extents(0, d.Size()) {
			for off := e.Offset; !e.Hole && off < e.Offset+e.Length; off += request {
				if prefetch {
					d.Prefetch(off+request, ahead)
				}
				part := p[:min(request, e.Offset+e.Length-off)]
				if _, err := d.ReadAt(part, off); err != nil && !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
			}
		}
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
	}
	reportTime(b, before)
}

func stored(d disk.Disk) int64 {
	var n int64
	for e := range d.Extents(0, d.Size()) {
		if !e.Hole {
			n += e.Length
		}
	}
	return n
}

// processorTime is what this process and its ended children have used.
func processorTime() (used [2]time.Duration) {
	for i, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var usage syscall.Rusage
		if err := syscall.Getrusage(who, &usage); err != nil {
			panic(err)
		}
		used[i] = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	return used
}

func reportTime(b *testing.B, before [2]time.Duration) {
	after := processorTime()
	for i, name := range []string{"own-cpu-s/op", "qemu-cpu-s/op"} {
		b.ReportMetric((after[i]-before[i]).Seconds()/float64(b.N), name)
	}
}
