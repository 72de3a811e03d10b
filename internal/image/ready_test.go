package image

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestReady reads an image that was packed; nothing goes on with reading it
// when it is cancelled.
func TestReady(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image")
	b := newBuilder()
	b.file("file", solid(1<<20))
	packed, err := Pack(t.Context(), path, b.seq(), Options{Filetype: "tgz"})
	if err != nil {
		t.Fatal(err)
	}
	read := func(ctx context.Context) (int64, error) {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		r, err := Reader(ctx, "tgz", file)
		if err != nil {
			return 0, err
		}
		return io.Copy(io.Discard, r)
	}
	if sum, err := Digest(t.Context(), path); err != nil || sum != packed.SHA256 {
		t.Errorf("checksum is %s, %v, not %s", sum, err, packed.SHA256)
	}
	if n, err := read(t.Context()); err != nil || n < 1<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Digest(stopped, path); !errors.Is(err, context.Canceled) {
		t.Errorf("checksum: error %v", err)
	}
	if _, err := read(stopped); !errors.Is(err, context.Canceled) {
		t.Errorf("reading: error %v", err)
	}
}
