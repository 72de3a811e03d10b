package regiontest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

// blob holds the bytes of one file, in memory or in a file without a name.
type blob struct {
	file *os.File
	data []byte
	size int64
}

func newBlob(dir string) (*blob, error) {
	if dir == "" {
		return &blob{}, nil
	}
	f, err := os.CreateTemp(dir, "region-image-")
	if err != nil {
		return nil, fmt.Errorf("make storage: %w", err)
	}
	// Without a name it goes with the last reference to it: os.File closes
	// itself when collected.
	if err := os.Remove(f.Name()); err != nil {
		return nil, fmt.Errorf("make storage: %w", err)
	}
	return &blob{file: f}, nil
}

// truncate makes the blob size bytes long; what is new is zeros.
func (b *blob) truncate(size int64) error {
	switch {
	case b.file != nil:
		if err := b.file.Truncate(size); err != nil {
			return err
		}
	case size <= int64(len(b.data)):
		b.data = b.data[:size]
	default:
		b.data = append(b.data, make([]byte, size-int64(len(b.data)))...)
	}
	b.size = size
	return nil
}

// writeAt writes p, which may make the blob longer.
func (b *blob) writeAt(p []byte, off int64) error {
	if end := off + int64(len(p)); end > b.size {
		if err := b.truncate(end); err != nil {
			return err
		}
	}
	if b.file != nil {
		_, err := b.file.WriteAt(p, off)
		return err
	}
	copy(b.data[off:], p)
	return nil
}

// ReadAt implements io.ReaderAt.
func (b *blob) ReadAt(p []byte, off int64) (int, error) {
	if b.file != nil {
		return b.file.ReadAt(p, off)
	}
	if off >= b.size {
		return 0, io.EOF
	}
	n := copy(p, b.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// sum is the hash of the bytes as MAAS writes it.
func (b *blob) sum() string {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(b, 0, b.size)); err != nil {
		return "unreadable: " + err.Error()
	}
	return hex.EncodeToString(h.Sum(nil))
}
