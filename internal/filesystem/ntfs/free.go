package ntfs

import (
	"errors"
	"fmt"
	"iter"
	"math"

	"www.velocidex.com/golang/go-ntfs/parser"

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

// checkOwned looks through the table of files for clusters that the bitmap says
// are free, and for what is left in it of deleted files.
func (fs *FS) checkOwned(used bitmap) ([]filesystem.Segment, error) {
	table, err := fs.content(recordMFT, typeData)
	if err != nil {
		return nil, err
	}
	count := table.size / fs.ntfs.GetRecordSize()
	if count > maxRecords {
		return nil, fmt.Errorf("$MFT: %d records", count)
	}
	inUse, err := fs.readBitmap(recordMFT, typeBitmap, count)
	if err != nil {
		return nil, err
	}
	left := remains{fs: fs, table: table}
	for number := range count {
		if err := fs.checkRecord(number, inUse.has(number), used); err != nil {
			return nil, fmt.Errorf("file record %d: %w", number, err)
		}
		if inUse.has(number) {
			continue
		}
		if err := left.add(number); err != nil {
			return nil, fmt.Errorf("file record %d, of a deleted file: %w", number, err)
		}
	}
	return left.sorted()
}

// checkRecord looks at the runs that a record lists itself. What it lists in
// others is looked at with these.
func (fs *FS) checkRecord(number int64, inUse bool, used bitmap) error {
	record, err := fs.record(number)
	if err != nil {
		if inUse {
			return err
		}
		return nil // it may never have been written
	}
	if !record.Flags().IsSet("ALLOCATED") {
		return nil
	}
	if !inUse {
		return errors.New("in use, but free by $MFT's own bitmap")
	}
	end := int64(record.Mft_entry_size())
	for at := int64(record.Attribute_offset()); at+16 <= end; {
		a := fs.ntfs.Profile.NTFS_ATTRIBUTE(record.Reader, at)
		length := int64(a.Length())
		if length == 0 || a.Type().Value == math.MaxUint32 {
			break
		}
		if length > end-at {
			return fmt.Errorf("an attribute of %d bytes at byte %d of %d", length, at, end)
		}
		if err := fs.checkAttribute(a, used); err != nil {
			return err
		}
		at += length
	}
	return nil
}

func (fs *FS) checkAttribute(a *parser.NTFS_ATTRIBUTE, used bitmap) error {
	if a.IsResident() {
		return nil
	}
	runs, err := fs.runs(a)
	if err != nil {
		return err
	}
	for _, run := range runs {
		if end := run.Offset + run.Length; !isHole(run) && used.skip(run.Offset, math.MaxUint8, end) < end {
			return fmt.Errorf("$Bitmap says that clusters are free among its %d+%d", run.Offset, run.Length)
		}
	}
	return nil
}
