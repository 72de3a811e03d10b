package native

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/extent"
)

// addStored adds the parts of a file that are not holes by lseek(2).
func addStored(ctx context.Context, file *os.File, size int64, extents *extent.Map) error {
	for at := int64(0); at < size; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		start, err := file.Seek(at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) { // nothing but a hole to the end
			return nil
		}
		if err != nil { // a device, or a file system that knows no holes
			extents.Add(at, size-at)
			return nil //nolint:nilerr // then all of it is read
		}
		end, err := file.Seek(start, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if end <= start {
			return io.ErrNoProgress
		}
		extents.Add(start, end-start)
		at = end
	}
	return nil
}
