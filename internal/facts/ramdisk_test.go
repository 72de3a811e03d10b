package facts

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// archive is a cpio archive of empty drivers, made by cpio itself.
func archive(t testing.TB, drivers ...string) []byte {
	t.Helper()
	fstest.RequireTool(t, "cpio")
	dir := t.TempDir()
	for _, d := range drivers {
		at := filepath.Join(dir, "usr/lib/modules/6.1/kernel", d)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte("some content"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []byte(fstest.Run(t, "sh", "-c", `cd "$0" && find . | cpio --quiet -o -H newc`, dir))
}

func pack(t testing.TB, program string, content []byte) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "archive")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return []byte(fstest.Run(t, "sh", "-c", program+` < "$0"`, file))
}

func TestRamdiskDrivers(t *testing.T) {
	early, main := archive(t, "early/one-two.ko.xz"), archive(t, "nvme.ko", "x/ahci.ko.zst", "not-a-module.koala", "readme")
	for name, program := range map[string]string{
		"plain": "cat", "gzip": "gzip", "zstd": "zstd -q", "xz": "xz --check=crc32", "lzma": "xz --format=lzma",
		"bzip2": "bzip2", "lz4": "lz4 -q -l",
	} {
		t.Run(name, func(t *testing.T) {
			fstest.RequireTool(t, strings.Fields(program)[0])
			image := append(append(slices.Clone(early), make([]byte, 300)...), pack(t, program, main)...)
			got, err := ramdiskDrivers(context.Background(), bytes.NewReader(image))
			if want := []string{"ahci", "nvme", "one_two"}; err != nil || !slices.Equal(slices.Sorted(maps.Keys(got)), want) {
				t.Errorf("%v, error %v; want %v", got, err, want)
			}
			if name == "plain" {
				return
			}
			if _, err := ramdiskDrivers(context.Background(), bytes.NewReader(image[:len(image)-20])); err == nil {
				t.Error("one that is cut off is no error")
			}
		})
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := ramdiskDrivers(cancelled, bytes.NewReader(main)); err == nil {
		t.Error("it does not end with its context")
	}
	if _, err := ramdiskDrivers(context.Background(), strings.NewReader("what is this")); err == nil {
		t.Error("anything is a RAM disk")
	}
}

func FuzzRamdisk(f *testing.F) {
	f.Add(archive(f, "nvme.ko"))
	f.Add(pack(f, "gzip", archive(f, "nvme.ko")))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = ramdiskDrivers(context.Background(), bytes.NewReader(b))
	})
}
