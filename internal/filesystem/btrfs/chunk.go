package btrfs

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"sort"
)

const (
	chunkHeader = 48
	stripeSize  = 32
	chunkObject = 256 // in the keys of all chunks

	profileMask   = 0x7f8
	profileDup    = 0x20
	profileMirror = 0x610 // raid1, raid1c3, raid1c4
)

// profileNames are the ways of spreading chunks over devices, by bit.
var profileNames = map[int]string{3: "raid0", 4: "raid1", 5: "dup", 6: "raid10", 7: "raid5", 8: "raid6", 9: "raid1c3", 10: "raid1c4"}

// chunk is a run of the addresses by which everything points.
type chunk struct {
	logical, length uint64
	copies          []uint64 // where on the device it is: any of them serves
}

// end is the first address after the chunk.
func (c chunk) end() uint64 { return c.logical + c.length }

// chunks are in order, without overlaps.
type chunks []chunk

// readChunks reads where everything is: first what the superblock has of it, in
// which the tree of all chunks is.
func (d *device) readChunks() error {
	var system chunks
	for b := d.sb.sysChunks; len(b) > 0; {
		if len(b) < keySize+chunkHeader+stripeSize {
			return fmt.Errorf("those in the superblock are cut short")
		}
		k := parseKey(b)
		size := chunkHeader + int(le.Uint16(b[keySize+44:]))*stripeSize
		if b = b[keySize:]; k.object != chunkObject || k.kind != typeChunk || size > len(b) {
			return fmt.Errorf("those in the superblock are cut short")
		}
		c, err := d.parseChunk(k, b[:size])
		if err != nil {
			return err
		}
		system, b = append(system, c), b[size:]
	}
	d.chunks = system
	if err := d.chunks.sort(); err != nil {
		return err
	}
	var all chunks
	for i, err := range d.items(&d.sb.chunk, key{chunkObject, typeChunk, 0}, key{chunkObject, typeChunk, maxOffset}) {
		var c chunk
		if err == nil {
			c, err = d.parseChunk(i.key, i.data)
		}
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	d.chunks = all
	if d.sb.devices > 1 {
		d.warnings = append(d.warnings, fmt.Sprintf("it spans %d devices; the copy on this one is read, which may not be the newest", d.sb.devices))
	}
	return d.chunks.sort()
}

// parseChunk reads a chunk that has at least one copy on this device.
func (d *device) parseChunk(k key, b []byte) (chunk, error) {
	if len(b) < chunkHeader+stripeSize {
		return chunk{}, fmt.Errorf("chunk %d: %d bytes", k.offset, len(b))
	}
	c := chunk{logical: k.offset, length: le.Uint64(b)}
	profile, stripes := le.Uint64(b[24:])&profileMask, int(le.Uint16(b[44:]))
	if c.length == 0 || c.length > uint64(d.volume.Size()) || c.end() < c.logical || len(b) != chunkHeader+stripes*stripeSize {
		return chunk{}, fmt.Errorf("chunk %d: %d bytes in %d stripes", c.logical, c.length, stripes)
	}
	switch {
	case profile == 0 && stripes == 1, profile == profileDup, bits.OnesCount64(profile) == 1 && profile&profileMirror != 0:
	case profile == 0:
		return chunk{}, fmt.Errorf("chunk %d: %d stripes", c.logical, stripes)
	default:
		return chunk{}, fmt.Errorf("profile %s cannot be read, only single, dup and raid1; convert it (btrfs balance start -dconvert=single -mconvert=dup)",
			profileNames[bits.TrailingZeros64(profile)])
	}
	for s := b[chunkHeader:]; len(s) > 0; s = s[stripeSize:] {
		if le.Uint64(s) != d.sb.deviceID {
			continue
		}
		at := le.Uint64(s[8:])
		if size := uint64(d.volume.Size()); at > size || c.length > size-at {
			return chunk{}, fmt.Errorf("chunk %d: %d bytes at %d are not on the device", c.logical, c.length, at)
		}
		c.copies = append(c.copies, at)
	}
	if len(c.copies) == 0 {
		return chunk{}, fmt.Errorf("the file system spans %d devices, and a part of it is not on this one; only what fits on one disk can be read (btrfs device remove)",
			d.sb.devices)
	}
	return c, nil
}

// sort puts chunks in order.
func (c chunks) sort() error {
	slices.SortFunc(c, func(a, b chunk) int { return cmp.Compare(a.logical, b.logical) })
	for i := 1; i < len(c); i++ {
		if c[i-1].end() > c[i].logical {
			return fmt.Errorf("those at %d and %d overlap", c[i-1].logical, c[i].logical)
		}
	}
	return nil
}

// find returns where on the device the address is, once for each copy, and how
// many bytes follow it there.
func (c chunks) find(logical uint64) (copies []int64, length int64, err error) {
	i := sort.Search(len(c), func(i int) bool { return c[i].end() > logical })
	if i == len(c) || c[i].logical > logical {
		return nil, 0, fmt.Errorf("address %d is in no chunk", logical)
	}
	skip := logical - c[i].logical
	copies = make([]int64, len(c[i].copies))
	for n, at := range c[i].copies {
		copies[n] = int64(at + skip)
	}
	return copies, int64(c[i].length - skip), nil
}

// readVerified fills p from the address on, from the first copy of it that
// valid finds nothing wrong with.
func (d *device) readVerified(p []byte, logical uint64, valid func() error) error {
	copies, length, err := d.chunks.find(logical)
	if err != nil {
		return err
	}
	if int64(len(p)) > length {
		return fmt.Errorf("%d bytes at address %d do not end in their chunk", len(p), logical)
	}
	var first error
	for _, at := range copies {
		err := readFull(d.volume, p, at)
		if err == nil {
			err = valid()
		}
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// prefetch is disk.Volume's Prefetch for n bytes from an address on.
func (d *device) prefetch(logical uint64, n int64) {
	if copies, length, err := d.chunks.find(logical); err == nil && n > 0 {
		d.volume.Prefetch(copies[0], min(n, length))
	}
}
