package image

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/tree"
)

// listing is the names in dir.
func listing(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestPack(t *testing.T) {
	noLeaks(t)
	fstest.RequireTool(t, "sha256sum", "tar")
	defer syscall.Umask(syscall.Umask(0o027))
	dir := t.TempDir()
	path := filepath.Join(dir, "rhel8.tar.gz")
	sum, err := Pack(context.Background(), path, nasty().seq(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := listing(t, dir); got != "rhel8.tar.gz rhel8.tar.gz.sha256" {
		t.Errorf("directory holds %s", got)
	}
	for _, p := range []string{path, path + ".sha256"} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o640 {
			t.Errorf("%s has mode %v", p, info.Mode())
		}
	}
	cmd := exec.Command("sha256sum", "--strict", "-c", "rhel8.tar.gz.sha256")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	line, err := os.ReadFile(path + ".sha256")
	if err != nil || !strings.HasPrefix(string(line), sum.SHA256+"  ") || sum.Size != int64(len(b)) {
		t.Errorf("summary %+v, file of %d bytes, checksum %s %v", sum, len(b), line, err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(z); err != nil {
		t.Fatal(err)
	}
	if want, _ := tarBytes(t, nasty().seq()); !bytes.Equal(want, plain.Bytes()) {
		t.Error("the compressed tar differs from the plain one")
	}
	if _, err := Pack(context.Background(), filepath.Join(dir, "plain.tar"), nasty().seq(), Options{Plain: true}); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "plain.tar")); err != nil || !bytes.Equal(b, plain.Bytes()) {
		t.Errorf("Plain writes %d bytes, want %d: %v", len(b), plain.Len(), err)
	}
}

// TestPackFails checks that a failure leaves what was there as it was.
func TestPackFails(t *testing.T) {
	broken := func(yield func(*tree.Entry, error) bool) {
		for _, e := range nasty().entries {
			if !yield(e, nil) {
				return
			}
		}
		yield(nil, errBroken)
	}
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	for name, tc := range map[string]struct {
		ctx  context.Context
		opts Options
		want string
	}{
		"entries":  {context.Background(), Options{Force: true}, "broken disk"},
		"plain":    {context.Background(), Options{Force: true, Plain: true}, "broken disk"},
		"canceled": {canceled, Options{Force: true}, "context canceled"},
		"exists":   {context.Background(), Options{}, "exists; remove it"},
		"level":    {context.Background(), Options{Force: true, Level: 10}, "level 10"},
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			dir := t.TempDir()
			path := filepath.Join(dir, "image")
			for _, p := range []string{path, path + ".sha256"} {
				if err := os.WriteFile(p, []byte("old"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Pack(tc.ctx, path, broken, tc.opts)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if got := listing(t, dir); got != "image image.sha256" {
				t.Errorf("directory holds %s", got)
			}
			for _, p := range []string{path, path + ".sha256"} {
				if b, err := os.ReadFile(p); err != nil || string(b) != "old" {
					t.Errorf("%s: %q %v", p, b, err)
				}
			}
		})
	}
}

func TestOutput(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "image")
	o, err := Create(path, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, dir); !strings.HasPrefix(got, ".image.partial-") {
		t.Errorf("while it is written, the directory holds %s", got)
	}
	// Another appears meanwhile.
	if err := os.WriteFile(path, []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := o.Commit(); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("error %v", err)
	}
	if err := o.Abort(); err != nil {
		t.Error(err)
	}
	if got := listing(t, dir); got != "image" {
		t.Errorf("directory holds %s", got)
	}
	if err := o.Commit(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Commit after Abort: %v", err)
	}
	if _, err := o.Write(nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write after Abort: %v", err)
	}
}

// TestStaleChecksum has every step of Commit fail that can: the checksum of
// the old image must never stand beside the new one.
func TestStaleChecksum(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "image")
	var before func() // what happens before Commit
	commit := func(content string) error {
		t.Helper()
		o, err := Create(path, true)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := o.Abort(); err != nil {
				t.Error(err)
			}
		}()
		if _, err := o.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
		if before != nil {
			before()
		}
		return o.Commit()
	}
	if err := commit("old"); err != nil {
		t.Fatal(err)
	}
	if err := commit("new"); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path + ".sha256"); err != nil || !strings.HasPrefix(string(b), "11507a0e2f5e69d5") {
		t.Errorf("checksum of new is %s %v", b, err)
	}
	// A directory that cannot be removed in the checksum's place.
	before = func() {
		if err := os.Remove(path + ".sha256"); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(path+".sha256/x", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := commit("newer"); err == nil {
		t.Error("no error")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "new" {
		t.Errorf("image is %q %v", b, err)
	}
	if got := listing(t, dir); got != "image image.sha256" {
		t.Errorf("directory holds %s", got)
	}
}

// All that can be known to fail does so before the work.
func TestCreateFails(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "image.sha256"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "no/such/image"): filepath.Join(dir, "no/such/image") + ": no such file",
		dir:                                 "is a folder",
		dir + "/new/":                       "no file name",
		dir + "/pipe":                       "pipe is a device, pipe or socket",
		dir + "/image":                      "image.sha256 is a folder",
		filepath.Join(dir, strings.Repeat("n", 250)): "file name too long",
	} {
		if _, err := Create(path, true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", path, err, want)
		} else if strings.Contains(err.Error(), "partial") {
			t.Errorf("error speaks of the partial file: %v", err)
		}
	}
}

// The longest name that an image can be begun with can be finished with, too.
func TestLongestName(t *testing.T) {
	dir := t.TempDir()
	for length := 255; ; length-- {
		o, err := Create(filepath.Join(dir, strings.Repeat("n", length)), false)
		if err != nil && length > 200 {
			continue
		}
		if err == nil {
			err = o.Commit()
		}
		if err != nil {
			t.Errorf("a name of %d bytes: %v", length, err)
		}
		return
	}
}

// TestDiskFull packs into a file system that is too small for the image, or
// for its checksum.
func TestDiskFull(t *testing.T) {
	fstest.RequireRoot(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=60k"); err != nil { // a sandbox may forbid it
		fstest.Missing(t, "mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "image")
	for _, size := range []int64{1 << 20, 60<<10 - 4*blockSize} {
		noise := solid(size)
		b := newBuilder()
		b.file("a", noise)
		_, err := Pack(context.Background(), path, b.seq(), Options{Plain: true})
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "partial") {
			t.Errorf("%d bytes: error %v", size, err)
		}
		if got := listing(t, dir); got != "" {
			t.Errorf("directory holds %s", got)
		}
	}
}

func TestChecksumLine(t *testing.T) {
	fstest.RequireTool(t, "sha256sum")
	dir := t.TempDir()
	for _, name := range []string{"plain", "with space", `back\slash`, "new\nline", "cr\rx", "ü"} {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("sha256sum", "--", name)
		cmd.Dir = dir
		want, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		sum := strings.TrimPrefix(string(want), `\`)[:64]
		if got := checksumLine(sum, name); got != string(want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestKilled ends the process while it packs.
func TestKilled(t *testing.T) {
	if dir := os.Getenv("PACK_ENDLESS"); dir != "" {
		big := solid(1 << 50)
		b := newBuilder()
		b.file("endless", big)
		_, err := Pack(context.Background(), filepath.Join(dir, "image"), b.seq(), Options{TarOptions: TarOptions{
			Progress: func(done int64) {
				if done > 4<<20 {
					_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				}
			},
		}})
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "PACK_ENDLESS="+dir)
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Fatalf("not killed: %s", out)
	}
	for name := range strings.FieldsSeq(listing(t, dir)) {
		if !strings.HasPrefix(name, ".image.partial-") {
			t.Errorf("%s is left", name)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "image")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("an incomplete image is left")
	}
}
