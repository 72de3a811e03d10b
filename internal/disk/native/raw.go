package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/extent"
)

// maxSize leaves room to round sizes up; QEMU's limit (BDRV_MAX_LENGTH) is the
// same.
const maxSize = math.MaxInt64 - (1<<30 - 1)

// raw is a file, or a block device, that holds a disk byte for byte.
type raw struct {
	*os.File
	size    int64 // of the file when it was opened
	extents *extent.Map
}

func openRaw(ctx context.Context, file *os.File) (reader, error) {
	size, err := file.Seek(0, io.SeekEnd) // unlike stat, it knows block devices
	if err != nil {
		return nil, fmt.Errorf("find size: %w", err)
	}
	if size > maxSize {
		return nil, fmt.Errorf("a disk of %d bytes is larger than any can be", size)
	}
	extents := extent.New((size + sectorSize - 1) / sectorSize * sectorSize)
	if err := addStored(ctx, file, size, extents); err != nil {
		return nil, fmt.Errorf("find holes: %w", err)
	}
	return &raw{file, size, extents}, nil
}

func (r *raw) layout() *extent.Map { return r.extents }

// ReadAt reads zeros from the end of the file to the end of its last sector.
func (r *raw) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.File.ReadAt(p, off)
	// One that was cut since then ends elsewhere.
	if errors.Is(err, io.EOF) && off+int64(n) == r.size && off+int64(len(p)) <= r.extents.Size() {
		clear(p[n:])
		return len(p), nil
	}
	return n, err
}
