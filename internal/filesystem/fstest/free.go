package fstest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// SecretText is what the blocks of a deleted file are known by.
const SecretText = "a secret that was deleted. "

// Secret writes a file that takes hundreds of blocks into a folder, lets it
// reach the disk, and deletes it.
func Secret(t testing.TB, dir string) {
	t.Helper()
	path := filepath.Join(dir, "secret")
	f, err := os.Create(path)
	if err == nil {
		_, err = f.WriteString(strings.Repeat(SecretText, 1<<20/len(SecretText)))
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// HasSecret says whether any of a deleted file is left in an image.
func HasSecret(t testing.TB, image string) bool {
	t.Helper()
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	segments, err := kernelSegments(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range segments {
		if contains(t, io.NewSectionReader(f, s.Offset, s.Length), SecretText+SecretText) {
			return true
		}
	}
	return false
}

func contains(t testing.TB, r io.Reader, text string) bool {
	t.Helper()
	want, buf, kept := []byte(text), make([]byte, 4<<20), 0
	for {
		n, err := io.ReadFull(r, buf[kept:])
		if bytes.Contains(buf[:kept+n], want) {
			return true
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return false
		}
		if err != nil {
			t.Fatal(err)
		}
		kept = copy(buf, buf[len(buf)-len(want):])
	}
}

// FreeBytes counts what is free.
func FreeBytes(fs filesystem.FreeSpace) (free int64, err error) {
	for s, err := range fs.Free() {
		if err != nil {
			return 0, err
		}
		free += s.Length
	}
	return free, nil
}

// scrambled is how much is written to each end of a run of free space, and
// scrambledMost how much to an image: it is in memory.
const (
	scrambled     = 1 << 20
	scrambledMost = 512 << 20
)

// Scramble returns a copy of an image with garbage, and zeros in the middle of
// long runs, in its file system's free space, and how many bytes are free. Those
// who read the copy must not notice.
func Scramble(t testing.TB, image string, fs filesystem.FreeSpace) (scrambledCopy string, free int64) {
	t.Helper()
	path := Copy(t, image)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	garbage := bytes.Repeat([]byte("garbage!"), scrambled/8)
	end, written := int64(0), int64(0)
	for s, err := range fs.Free() {
		if err != nil {
			t.Fatal(err)
		}
		if s.Offset < end || s.Length <= 0 {
			t.Fatalf("%+v after byte %d", s, end)
		}
		end = s.Offset + s.Length
		free += s.Length
		n := min(s.Length, scrambled)
		if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE|unix.FALLOC_FL_PUNCH_HOLE, s.Offset, s.Length); err != nil {
			t.Fatal(err)
		}
		if written += 2 * n; written > scrambledMost {
			continue
		}
		for _, at := range []int64{s.Offset, end - n} {
			if _, err := f.WriteAt(garbage[:n], at); err != nil {
				t.Fatal(err)
			}
		}
	}
	return path, free
}
