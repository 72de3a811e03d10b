package disk

import (
	"fmt"
)

// section is a part of another volume.
type section struct {
	volume Volume
	off, n int64
}

// Section returns the n bytes of v from off as a volume of their own. All of
// them must be in v.
func Section(v Volume, off, n int64) (Volume, error) {
	if off < 0 || n < 0 || off > v.Size() || n > v.Size()-off {
		return nil, fmt.Errorf("section of %d bytes at offset %d is not within the %d bytes of the volume", n, off, v.Size())
	}
	return &section{v, off, n}, nil
}

// Size implements Volume.
func (s *section) Size() int64 { return s.n }

// ReadAt implements io.ReaderAt.
func (s *section) ReadAt(p []byte, off int64) (int, error) {
	p, end, err := clip(p, off, s.n)
	if err != nil || len(p) == 0 {
		return 0, err
	}
	n, err := s.volume.ReadAt(p, s.off+off)
	if n == len(p) {
		return n, end
	}
	return n, err
}

// Prefetch implements Volume.
func (s *section) Prefetch(off, n int64) {
	if off < 0 {
		off, n = 0, n+off
	}
	if n = min(n, s.n-off); n > 0 {
		s.volume.Prefetch(s.off+off, n)
	}
}
