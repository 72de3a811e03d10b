package btrfs_test

import (
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// compressible makes files that gain by compression in all ways: runs, text,
// with random bytes between, cut, punched, overwritten, and cloned in parts.
func compressible(t testing.TB, dir string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir = filepath.Join(dir, "compressible")
	must(os.Mkdir(dir, 0o755))
	path := func(name string) string { return filepath.Join(dir, name) }
	random := rand.New(rand.NewSource(2))
	text := func(n int) []byte {
		var b strings.Builder
		for b.Len() < n {
			fmt.Fprintf(&b, "%d: the quick brown fox %x\n", b.Len(), random.Intn(1<<(1+b.Len()%30)))
		}
		return []byte(b.String()[:n])
	}
	for _, size := range []int{30, 100, 1000, 2000, 4095, 4096, 4097, 100_000, 128 << 10, 1 << 20, 3_000_001} {
		must(os.WriteFile(path(fmt.Sprintf("text%d", size)), text(size), 0o644))
		must(os.WriteFile(path(fmt.Sprintf("run%d", size)), []byte(strings.Repeat("x", size)), 0o644))
		mixed := text(size)
		for at := 0; at < size; at += 1 + random.Intn(5000) {
			_, _ = random.Read(mixed[at:min(size, at+random.Intn(700))])
		}
		must(os.WriteFile(path(fmt.Sprintf("mixed%d", size)), mixed, 0o644))
	}
	must(os.Truncate(path("text1048576"), 500_000))
	f, err := os.OpenFile(path("text3000001"), os.O_RDWR, 0)
	must(err)
	defer f.Close()
	must(f.Sync())
	must(unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 200_000, 50_000))
	for at := int64(0); at < 3_000_000; at += 300_000 {
		_, err = f.WriteAt(text(9000), at)
		must(err)
	}
	must(f.Sync())
	clone, err := os.Create(path("clone"))
	must(err)
	defer clone.Close()
	for i, at := range []uint64{0, 8192, 65536, 1 << 20, 1<<20 + 4096, 2 << 20} {
		must(unix.IoctlFileCloneRange(int(clone.Fd()), &unix.FileCloneRange{
			Src_fd: int64(f.Fd()), Src_offset: at, Src_length: 40960, Dest_offset: uint64(i) * 49152,
		}))
	}
}
