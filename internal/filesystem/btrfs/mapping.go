package btrfs

import (
	"fmt"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

const (
	extentHeader  = 21
	extentSize    = 53
	extentInline  = 0
	extentRegular = 1
	extentUnused  = 2 // allocated, never written

	// maxDecoded is the longest extent that is compressed, before and after.
	maxDecoded = 128 << 10
)

// run is a stretch of a file's data ("EXTENT_DATA").
type run struct {
	start, length int64
	disk          uint64 // address of the extent, or for what is not compressed of the run
	// The rest is of compressed and inline extents.
	kind    compression
	stored  int    // bytes at disk
	decoded int    // bytes that they decompress to
	skip    int64  // of these, before the run
	inline  []byte // in the place of what is at disk
}

// end is the first byte of the file after the run.
func (r *run) end() int64 { return r.start + r.length }

// data gives access to what a file or symlink holds.
func (fs *FS) data(n *node) (*extentFile, error) {
	f := &extentFile{fs: fs, size: int64(le.Uint64(n.raw[inodeSize:])), unverified: le.Uint64(n.raw[inodeFlags:])&flagNoSums != 0}
	var end uint64
	for i, err := range fs.items(&n.subvolume.tree, key{n.object, typeExtent, 0}, key{n.object, typeExtent, maxOffset}) {
		if err != nil {
			return nil, err
		}
		if i.key.offset < end {
			err = fmt.Errorf("it overlaps the one before")
		} else {
			end, err = f.addExtent(i.key.offset, i.data)
		}
		if err != nil {
			return nil, fmt.Errorf("extent at %d: %w", i.key.offset, err)
		}
	}
	return f, nil
}

// addExtent adds what stands at an offset of the file, and returns where it ends.
func (f *extentFile) addExtent(start uint64, b []byte) (end uint64, err error) {
	if len(b) < extentHeader {
		return 0, fmt.Errorf("%d bytes", len(b))
	}
	if b[17] != 0 || le.Uint16(b[18:]) != 0 {
		return 0, fmt.Errorf("encrypted or encoded in another way that cannot be read")
	}
	r := run{kind: compression(b[16])}
	if b[20] == extentInline {
		end, err = f.inline(start, b, &r)
	} else {
		end, err = f.regular(start, b, &r)
	}
	if err != nil || b[20] == extentUnused || r.length == 0 || start >= uint64(f.size) {
		return end, err
	}
	r.start = int64(start)
	r.length = min(r.length, f.size-r.start)
	f.runs = append(f.runs, r)
	return end, nil
}

// inline reads an extent whose data is in its item. It takes up a whole sector
// of the file.
func (f *extentFile) inline(start uint64, b []byte, r *run) (end uint64, err error) {
	decoded, sector := le.Uint64(b[8:]), f.fs.sb.sectorSize
	r.inline = b[extentHeader:]
	if start != 0 || decoded > uint64(sector) || r.kind == uncompressed && decoded != uint64(len(r.inline)) {
		return 0, fmt.Errorf("%d bytes in the tree", decoded)
	}
	r.inline = append([]byte(nil), r.inline...)
	r.decoded, r.length = int(decoded), sector
	return uint64(sector), nil
}

// regular reads an extent that is elsewhere, or a hole.
func (f *extentFile) regular(start uint64, b []byte, r *run) (end uint64, err error) {
	if len(b) < extentSize || b[20] != extentRegular && b[20] != extentUnused {
		return 0, fmt.Errorf("%d bytes of type %d", len(b), b[20])
	}
	decoded, disk, stored := le.Uint64(b[8:]), le.Uint64(b[21:]), le.Uint64(b[29:])
	skip, length := le.Uint64(b[37:]), le.Uint64(b[45:])
	sector := uint64(f.fs.sb.sectorSize)
	if end = start + length; length == 0 || end < start || end > 1<<63 || start%sector != 0 || length%sector != 0 {
		return 0, fmt.Errorf("%d bytes", length)
	}
	if disk == 0 {
		return end, nil
	}
	if disk%sector != 0 || stored%sector != 0 || skip%sector != 0 {
		return 0, fmt.Errorf("%d bytes at %d of address %d are not whole sectors", stored, skip, disk)
	}
	whole := stored
	if r.kind != uncompressed {
		whole = decoded
		if decoded > maxDecoded || stored > maxDecoded || stored == 0 {
			return 0, fmt.Errorf("%d compressed to %d bytes", decoded, stored)
		}
	}
	if skip > whole || length > whole-skip {
		return 0, fmt.Errorf("%d bytes at %d of %d", length, skip, whole)
	}
	r.disk, r.length = disk, int64(length)
	if r.kind == uncompressed {
		r.disk += skip
	} else {
		r.stored, r.decoded, r.skip = int(stored), int(decoded), int64(skip)
	}
	if _, room, err := f.fs.chunks.find(r.disk); err != nil || b[20] == extentRegular && room < max(int64(r.stored), 1) {
		return 0, fmt.Errorf("%d bytes at address %d are in no chunk", stored, disk)
	}
	return end, nil
}

// Segments lists the runs of data; neighbours in the file are one segment even
// if they are apart on the volume.
func (f *extentFile) Segments() []filesystem.Segment {
	var segments []filesystem.Segment
	for _, r := range f.runs {
		if last := len(segments) - 1; last >= 0 && segments[last].Offset+segments[last].Length == r.start {
			segments[last].Length += r.length
		} else {
			segments = append(segments, filesystem.Segment{Offset: r.start, Length: r.length})
		}
	}
	return segments
}
