package image

import (
	"fmt"
	"strings"
)

// Summary is the account of what went into an image.
type Summary struct {
	Directories, Files, HardLinks, Symlinks, Devices, FIFOs int

	SkippedSockets int   // a tar cannot hold them, and nobody listens on them
	SparseFiles    int   // of Files, those written with their holes
	Xattrs         int   // extended attributes written
	Data           int64 // bytes of file data written; of a disk, those not in runs of zeros
	Holes          int64 // bytes of holes not written; of a disk, of runs of zeros
	Disk           int64 // bytes of the whole disk, 0 for a tree
	TarSize        int64 // bytes of the tar before compression
	Size           int64 // bytes of the image; Pack sets it
	SHA256         string
	Verified       bool // it was read again
}

// Entries is the number of members written.
func (s Summary) Entries() int {
	return s.Directories + s.Files + s.HardLinks + s.Symlinks + s.Devices + s.FIFOs
}

// String is a short account for a person.
func (s Summary) String() string {
	if s.Disk > 0 {
		return fmt.Sprintf("disk of %s; %s of data and %s of zeros in an image of %s",
			megabytes(s.Disk), megabytes(s.Data), megabytes(s.Holes), megabytes(s.Size))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d files, %d directories, %d symbolic links, %d hard links",
		s.Files, s.Directories, s.Symlinks, s.HardLinks)
	if n := s.Devices + s.FIFOs; n > 0 {
		fmt.Fprintf(&b, ", %d devices and pipes", n)
	}
	if s.Xattrs > 0 {
		fmt.Fprintf(&b, ", %d extended attributes", s.Xattrs)
	}
	if s.SkippedSockets > 0 {
		fmt.Fprintf(&b, " (%d sockets left out)", s.SkippedSockets)
	}
	fmt.Fprintf(&b, "; %s of data", megabytes(s.Data))
	if s.Holes > 0 {
		fmt.Fprintf(&b, " and %s of holes", megabytes(s.Holes))
	}
	if s.Size > 0 {
		fmt.Fprintf(&b, " in an image of %s", megabytes(s.Size))
	}
	return b.String()
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// count adds an entry.
func (s *Summary) count(p *planned) {
	switch p.typ {
	case typeDir:
		s.Directories++
	case typeRegular:
		s.Files++
	case typeHardLink:
		s.HardLinks++
		return
	case typeSymlink:
		s.Symlinks++
	case typeChar, typeBlock:
		s.Devices++
	case typeFIFO:
		s.FIFOs++
	default:
		s.SkippedSockets++
		return
	}
	s.Xattrs += len(p.Xattrs)
	if p.sparse {
		s.SparseFiles++
		s.Holes += p.Size - p.stored + int64(len(p.sizeMap))
	}
}
