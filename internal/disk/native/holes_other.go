//go:build !linux

package native

import (
	"context"
	"os"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/extent"
)

// addStored takes the whole file for data.
func addStored(_ context.Context, _ *os.File, size int64, extents *extent.Map) error {
	extents.Add(0, size)
	return nil
}
