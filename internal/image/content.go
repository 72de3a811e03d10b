package image

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
)

const (
	// grain is the unit in which zeros are looked for: all grains begin at
	// multiples of it, so that what is found depends on the content alone,
	// and not on how it was cut or which zeros were known to be holes.
	grain = 64 << 10
	// minZeros is the shortest run of zeros that is not written as data.
	minZeros = 1 << 20
)

var zeroGrain [grain]byte

// sink takes content whose long runs of zeros are told apart. What it is given
// is the caller's again when a call returns.
type sink interface {
	data(p []byte) error
	zeros(n int64) error
	Close() error
}

// content passes a stream on to a sink, finding the zeros in it, and takes
// its checksum. The same stream gives the same calls and the same checksum
// however it is written.
type content struct {
	to      sink
	part    []byte // of a grain
	pending int64  // zeros before part
	size    int64  // without part and pending

	hash   maphash.Hash
	stored int64 // bytes that are not in grains of zeros
}

// seed is that of all checksums: they never leave the process.
var seed = maphash.MakeSeed()

func newContent(to sink) *content {
	c := &content{to: to, part: make([]byte, 0, grain)}
	c.hash.SetSeed(seed)
	return c
}

// checksum tells one content from others.
type checksum struct {
	size int64
	hash uint64
}

// sum is the checksum of all that was written; it is right after Close.
func (c *content) sum() checksum { return checksum{c.size, c.hash.Sum64()} }

// Write adds bytes.
func (c *content) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if len(c.part) == 0 && len(rest) >= grain {
			if err := c.grain(rest[:grain]); err != nil {
				return 0, err
			}
			rest = rest[grain:]
			continue
		}
		n := min(grain-len(c.part), len(rest))
		c.part, rest = append(c.part, rest[:n]...), rest[n:]
		if len(c.part) == grain {
			if err := c.grain(c.part); err != nil {
				return 0, err
			}
			c.part = c.part[:0]
		}
	}
	return len(p), nil
}

// Zeros adds n zeros, which costs nothing for whole grains.
func (c *content) Zeros(n int64) error {
	if len(c.part) > 0 {
		head := min(n, int64(grain-len(c.part)))
		if _, err := c.Write(zeroGrain[:head]); err != nil {
			return err
		}
		n -= head
	}
	c.pending += n / grain * grain
	_, err := c.Write(zeroGrain[:n%grain])
	return err
}

// grain passes on what stands between two multiples of a grain, or at the end.
func (c *content) grain(p []byte) error {
	if bytes.Equal(p, zeroGrain[:len(p)]) {
		c.pending += int64(len(p))
		return nil
	}
	if err := c.flush(); err != nil {
		return err
	}
	var at [8]byte
	binary.LittleEndian.PutUint64(at[:], uint64(c.size))
	_, _ = c.hash.Write(at[:]) // never fails
	_, _ = c.hash.Write(p)
	c.stored += int64(len(p))
	c.size += int64(len(p))
	return c.to.data(p)
}

// flush passes on the zeros that are pending.
func (c *content) flush() error {
	n := c.pending
	c.pending = 0
	c.size += n
	if n >= minZeros {
		return c.to.zeros(n)
	}
	return writeZeros(c.to, n)
}

// writeZeros writes zeros as data.
func writeZeros(to sink, n int64) error {
	for n > 0 {
		part := min(n, grain)
		if err := to.data(zeroGrain[:part]); err != nil {
			return err
		}
		n -= part
	}
	return nil
}

// finish passes on what is left. The sink has to be closed all the same.
func (c *content) finish() error {
	if err := c.grain(c.part); err != nil {
		return err
	}
	c.part = c.part[:0]
	return c.flush()
}

// nowhere is a sink for content of which only the checksum is wanted.
type nowhere struct{}

func (nowhere) data([]byte) error { return nil }
func (nowhere) zeros(int64) error { return nil }
func (nowhere) Close() error      { return nil }
