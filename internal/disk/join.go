package disk

import "sort"

// maxPrefetch is how much of a hint is passed on: no cache takes more.
const maxPrefetch = cacheSize

// mapped is a volume made of runs of others.
type mapped struct {
	size int64
	// locate says where byte off is, and how many from it on are there.
	locate func(off int64) (v Volume, at, n int64)
}

// Join returns a volume that consists of the given ones, one after the other.
func Join(parts ...Volume) Volume {
	if len(parts) == 1 {
		return parts[0]
	}
	var ends []int64
	size := int64(0)
	for _, p := range parts {
		size += p.Size()
		ends = append(ends, size)
	}
	return &mapped{size, func(off int64) (Volume, int64, int64) {
		i := sort.Search(len(ends), func(i int) bool { return ends[i] > off })
		return parts[i], off - (ends[i] - parts[i].Size()), ends[i] - off
	}}
}

// Stripe returns a volume that lies on the given ones in turns of width bytes.
// They are of one size, a multiple of width.
func Stripe(width int64, parts ...Volume) Volume {
	if len(parts) == 1 {
		return parts[0]
	}
	count := int64(len(parts))
	return &mapped{count * parts[0].Size(), func(off int64) (Volume, int64, int64) {
		turn, in := off/width, off%width
		return parts[turn%count], turn/count*width + in, width - in
	}}
}

// Size implements Volume.
func (m *mapped) Size() int64 { return m.size }

// ReadAt implements io.ReaderAt.
func (m *mapped) ReadAt(p []byte, off int64) (int, error) {
	p, end, err := clip(p, off, m.size)
	if err != nil {
		return 0, err
	}
	for done := 0; done < len(p); {
		v, at, n := m.locate(off + int64(done))
		part := p[done:min(int64(len(p)), int64(done)+n)]
		if n, err := v.ReadAt(part, at); n < len(part) {
			return done + n, err
		}
		done += len(part)
	}
	return len(p), end
}

// Prefetch implements Volume.
func (m *mapped) Prefetch(off, n int64) {
	if off < 0 {
		off, n = 0, n+off
	}
	for n = min(n, m.size-off, maxPrefetch); n > 0; {
		v, at, run := m.locate(off)
		run = min(run, n)
		v.Prefetch(at, run)
		off, n = off+run, n-run
	}
}
