package pack_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/check"
	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/facts"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/image"
	"github.com/packer-maas/packer-plugin-maas/internal/pack"
	"github.com/packer-maas/packer-plugin-maas/internal/system"
)

// BenchmarkChecks says how much processor time looking and checking adds to
// packing, in percent. The system has Go's sources and tools, and some of the
// tools in an initial RAM disk; MAAS_BENCH_DISK names another disk. The looking
// is measured by itself, without a compressor whose time varies by more.
func BenchmarkChecks(b *testing.B) {
	path := os.Getenv("MAAS_BENCH_DISK")
	if path == "" {
		path = goSystem(b)
	}
	var packing, walking, looking time.Duration
	for b.Loop() {
		packing += processorTime(b, func() {
			job := pack.Job{Disk: path, Output: filepath.Join(b.TempDir(), "out.tar.gz"), Image: image.Options{Filetype: "tgz"}}
			if _, err := pack.Run(b.Context(), job, quietReporter{}); err != nil {
				b.Fatal(err)
			}
		})
		walking += processorTime(b, func() { walk(b, path, false) })
		looking += processorTime(b, func() { walk(b, path, true) })
	}
	b.ReportMetric(100*float64(looking-walking)/float64(packing), "%")
}

// walk goes through all entries, and looks at them and checks what it saw.
func walk(b *testing.B, path string, look bool) {
	b.Helper()
	d, err := disk.Open(b.Context(), path, disk.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	s, err := system.Open(d, system.Options{})
	if err != nil {
		b.Fatal(err)
	}
	entries, err := s.Tree(b.Context(), system.TreeOptions{})
	if err != nil {
		b.Fatal(err)
	}
	var c facts.Collector
	if look {
		entries = c.Watch(b.Context(), entries)
	}
	for _, err := range entries {
		if err != nil {
			b.Fatal(err)
		}
	}
	if look {
		check.Run(&facts.Facts{Tree: c.Tree(b.Context())}, check.Target{Filetype: "tgz"}, nil)
	}
}

// goSystem is the disk of a system with many files, and a kernel.
func goSystem(b *testing.B) string {
	b.Helper()
	fstest.RequireTool(b, "mke2fs", "cpio")
	dir, path := b.TempDir(), filepath.Join(b.TempDir(), "disk.raw")
	fstest.Run(b, "sh", "-ec", `cd "$0" && mkdir -p etc boot usr/lib/modules/6.1/kernel usr/lib/go && echo ID=go > etc/os-release
		cp -r "$1"/src "$1"/pkg usr/lib/go
		for tool in usr/lib/go/pkg/tool/*/[a-c]*; do cp "$tool" "usr/lib/modules/6.1/kernel/${tool##*/}.ko"; done
		find usr/lib/modules | cpio --quiet -o -H newc | gzip > boot/initrd.img-6.1
		mke2fs -q -t ext4 -d . "$2" 1500M`, dir, strings.TrimSpace(fstest.Run(b, "go", "env", "GOROOT")), path)
	return path
}

// processorTime is what this process uses to do something.
func processorTime(b *testing.B, do func()) time.Duration {
	b.Helper()
	used := func() time.Duration {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			b.Fatal(err)
		}
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	before := used()
	do()
	return used() - before
}

type quietReporter struct{}

func (quietReporter) Say(string)            {}
func (quietReporter) Progress(int64, int64) {}
