package ntfs

import (
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

var _ filesystem.FreeSpace = (*FS)(nil)

// Free implements filesystem.FreeSpace by $Bitmap. Nothing counts what should be
// free in it, so it is held against what all files say that they own. What the
// file table holds of the content of deleted files is free too.
func (fs *FS) Free() iter.Seq2[filesystem.Segment, error] {
	return func(yield func(filesystem.Segment, error) bool) {
		used, deleted, err := fs.used()
		if err != nil {
			yield(filesystem.Segment{}, err)
			return
		}
		for at := int64(0); at < fs.clusters; {
			start := used.skip(at, math.MaxUint8, fs.clusters)
			for len(deleted) > 0 && deleted[0].Offset < start*fs.cluster {
				if !yield(deleted[0], nil) {
					return
				}
				deleted = deleted[1:]
			}
			at = used.skip(start, 0, fs.clusters)
			if start < at && !yield(filesystem.Segment{Offset: start * fs.cluster, Length: (at - start) * fs.cluster}, nil) {
				return
			}
		}
	}
}

// bitmap has a bit for each cluster: set if it is in use.
type bitmap []byte

func (b bitmap) has(cluster int64) bool { return b[cluster/8]>>(cluster%8)&1 != 0 }

// set sets the bits of the clusters from at to end.
func (b bitmap) set(at, end int64) {
	for at < end {
		if at%8 == 0 && end-at >= 8 {
			b[at/8] = math.MaxUint8
			at += 8
			continue
		}
		b[at/8] |= 1 << (at % 8)
		at++
	}
}

// skip returns the first cluster from at to end that is not as all those in a
// byte of the given value.
func (b bitmap) skip(at int64, all byte, end int64) int64 {
	for at < end {
		switch {
		case at%8 == 0 && b[at/8] == all:
			at += 8
		case b.has(at) == (all != 0):
			at++
		default:
			return at
		}
	}
	return end
}

// used reads and checks the bitmap of a volume that is clean, and finds what is
// deleted in the file table, in the order of the volume.
func (fs *FS) used() (used bitmap, deleted []filesystem.Segment, err error) {
	state, err := fs.State()
	if err != nil {
		return nil, nil, err
	}
	defer guard(&err)
	if !state.Clean() {
		return nil, nil, errors.New(state.String())
	}
	if used, err = fs.readBitmap(recordBitmap, typeData, fs.clusters); err != nil {
		return nil, nil, err
	}
	if !used.has(0) {
		return nil, nil, errors.New("$Bitmap: the boot sector is free")
	}
	if deleted, err = fs.checkOwned(used); err != nil {
		return nil, nil, err
	}
	return used, deleted, fs.volume.failed()
}

// readBitmap reads a bitmap with room for count bits.
func (fs *FS) readBitmap(number int64, kind uint64, count int64) (bitmap, error) {
	c, err := fs.content(number, kind)
	if err != nil {
		return nil, err
	}
	size := (count + 7) / 8
	if c.size < size {
		return nil, fmt.Errorf("file record %d: a bitmap of %d bytes, %d are needed", number, c.size, size)
	}
	b := make(bitmap, size)
	if _, err := c.ReadAt(b, 0); err != nil {
		return nil, fmt.Errorf("file record %d: bitmap: %w", number, err)
	}
	return b, nil
}
