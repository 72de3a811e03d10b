// Package fstest tests readers of file systems against the kernel's own: it
// fills a mounted file system with what is hard to read right, takes down all
// there is to know of every file, and compares.
package fstest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
)

// requireAll is the environment variable that makes a missing tool or right a
// failure, so that nothing stops being tested unseen.
const requireAll = "MAAS_TEST_REQUIRE_ALL"

// Missing skips the test for a reason, or fails it if all tests are required.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv(requireAll) == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// RequireRoot says that the test needs root, to mount or to make devices.
func RequireRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "needs root")
	}
}

// RequireTool says that the test needs programs.
func RequireTool(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			Missing(t, "needs %s: %v", name, err)
		}
	}
}

// Run runs a program and returns what it said; its failure is the test's.
func Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// Image makes a file of size bytes with a file system in it: mkfs is the
// program and its options, to which the file's name is added.
func Image(t testing.TB, size int64, mkfs ...string) string {
	t.Helper()
	return Sparse(t, size, size, mkfs...)
}

// Sparse is [Image] for a size that is for the most part never written: written
// is the most, in bytes, that mkfs and the test put there.
func Sparse(t testing.TB, size, written int64, mkfs ...string) string {
	t.Helper()
	RequireTool(t, mkfs[0])
	path := filepath.Join(scratch(t, written), "image")
	f, err := os.Create(path)
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	Run(t, mkfs[0], append(mkfs[1:len(mkfs):len(mkfs)], path)...)
	return path
}

// Images in memory have at most so many bytes written, and only where three times
// as much is free: it cannot be swapped out everywhere, and mkfs fills some.
const maxInMemory = 4 << 30

// scratch is a folder for an image, in memory where there is room for what will
// be written. Storage that is shared or thin can say to a flush that there is no
// space at that moment, with much of it free, above all where pieces of a sparse
// file are all over it: mkfs fails then, and a loop device passes it on as an I/O
// error, upon which XFS shuts down, for no fault of its own. A file in memory has
// nothing to flush, and is faster.
func scratch(t testing.TB, written int64) string {
	t.Helper()
	const memory = "/dev/shm"
	if written > maxInMemory || available() < 3*maxInMemory {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "fstest-") //nolint:usetesting // it has no folder in memory
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// available is the memory that programs can have, in bytes (proc_meminfo(5)); 0
// if unknown.
func available() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		var kilobytes int64
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}
	return 0
}

// Copy copies an image, keeping its holes.
func Copy(t testing.TB, image string) string {
	t.Helper()
	info, err := os.Stat(image)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(scratch(t, info.Size()), "copy")
	Run(t, "cp", "--sparse=always", image, path)
	return path
}

// Mount has the kernel mount an image and returns the mount point; options are
// mount(8)'s. It is unmounted by the function returned, or at the test's end.
func Mount(t testing.TB, image, options string) (dir string, unmount func()) {
	t.Helper()
	dir, unmount, err := TryMount(t, image, options)
	if err != nil {
		t.Fatal(err)
	}
	return dir, unmount
}

// Volume opens an image in a plain file.
func Volume(t testing.TB, path string) disk.Volume {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return volume{f, info.Size()}
}

// volume is a disk.Volume in a file.
type volume struct {
	*os.File
	size int64
}

// Size is the file's.
func (v volume) Size() int64 { return v.size }

// Prefetch has nothing to do.
func (v volume) Prefetch(off, n int64) {}
