// Package extent remembers which parts of a disk are stored, so that holes are
// answered with zeros without being read.
package extent

import (
	"iter"
	"sort"
)

// Run is a part of a disk that is either stored or a hole, which reads as
// zeros. Offsets and lengths are in bytes.
type Run struct {
	Offset, Length int64
	Hole           bool
}

const (
	// maxSpans bounds a map's memory to 16 MiB whatever the image's layout.
	maxSpans = 1 << 20
	// bridge is the longest hole that is cheaper to read than to split a read
	// at: about what a request costs in time, at memory speed.
	bridge = 64 << 10
)

// span is a stored part, [start, end).
type span struct{ start, end int64 }

// Map is the layout of a disk. It is built by Add and is then safe for
// concurrent use.
type Map struct {
	size    int64
	spans   []span
	limit   int
	minHole int64 // shorter holes are taken for data
}

// New returns the map of a disk of size bytes that is one hole so far.
func New(size int64) *Map {
	return &Map{size: size, limit: maxSpans}
}

// Full returns the map of a disk of size bytes without holes.
func Full(size int64) *Map {
	m := New(size)
	m.Add(0, size)
	return m
}

// Exact says whether the map has kept every hole it was told of.
func (m *Map) Exact() bool { return m.minHole == 0 }

// Size is the length of the disk in bytes.
func (m *Map) Size() int64 { return m.size }

// Add marks [off, off+n) as stored. Calls must come in the order of the disk.
// A map that would grow too large forgets its shortest holes: a hole that is
// taken for data costs time, never a byte.
func (m *Map) Add(off, n int64) {
	end := min(off+n, m.size)
	if off >= end {
		return
	}
	if last := len(m.spans) - 1; last >= 0 && off-m.spans[last].end <= m.minHole {
		m.spans[last].end = max(end, m.spans[last].end)
		return
	}
	m.spans = append(m.spans, span{off, end})
	for len(m.spans) > m.limit {
		m.minHole = max(4096, 2*m.minHole)
		m.compact()
	}
}

// compact joins spans that are no further apart than minHole.
func (m *Map) compact() {
	kept := m.spans[:1]
	for _, s := range m.spans[1:] {
		if last := &kept[len(kept)-1]; s.start-last.end <= m.minHole {
			last.end = s.end
		} else {
			kept = append(kept, s)
		}
	}
	m.spans = kept
}

// Runs yields the runs that make up the part of [off, off+n) that is on the
// disk, in order, without gaps, neighbours of the same kind joined.
func (m *Map) Runs(off, n int64) iter.Seq[Run] {
	return func(yield func(Run) bool) {
		at, end := m.clamp(off, n)
		for i := m.search(at); at < end; i++ {
			hole := end
			if i < len(m.spans) {
				hole = min(m.spans[i].start, end)
			}
			if hole > at && !yield(Run{at, hole - at, true}) {
				return
			}
			if hole == end {
				return
			}
			start := max(at, hole)
			at = min(m.spans[i].end, end)
			if !yield(Run{start, at - start, false}) {
				return
			}
		}
	}
}

// HasData says whether any byte of [off, off+n) is stored.
func (m *Map) HasData(off, n int64) bool {
	at, end := m.clamp(off, n)
	i := m.search(at)
	return at < end && i < len(m.spans) && m.spans[i].start < end
}

// Stored is the number of bytes that are not holes.
func (m *Map) Stored() int64 {
	var total int64
	for _, s := range m.spans {
		total += s.end - s.start
	}
	return total
}

// Read fills p with the disk's bytes at off: holes with zeros, the rest by
// read, which gets parts of p in order. All of p must be on the disk. It
// returns how many bytes at the start of p are right.
func (m *Map) Read(p []byte, off int64, read func(p []byte, off int64) (int, error)) (int, error) {
	at, end := off, off+int64(len(p))
	for i := m.search(at); at < end; i++ {
		start := end
		if i < len(m.spans) {
			start = min(max(m.spans[i].start, at), end)
		}
		clear(p[at-off : start-off])
		if at = start; at == end {
			break
		}
		for i+1 < len(m.spans) && m.spans[i+1].start < end && m.spans[i+1].start-m.spans[i].end < bridge {
			i++
		}
		stop := min(m.spans[i].end, end)
		if n, err := read(p[at-off:stop-off], at); err != nil {
			return int(at-off) + n, err
		}
		at = stop
	}
	return len(p), nil
}

// search returns the index of the first span that ends after off.
func (m *Map) search(off int64) int {
	return sort.Search(len(m.spans), func(i int) bool { return m.spans[i].end > off })
}

// clamp cuts [off, off+n) to what is on the disk.
func (m *Map) clamp(off, n int64) (start, end int64) {
	start = max(off, 0)
	if n > m.size-start { // also where off+n would overflow
		return start, m.size
	}
	return start, off + n
}
