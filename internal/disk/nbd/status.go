//go:build cgo && linux

package nbd

import (
	"context"
	"fmt"

	"libguestfs.org/libnbd"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/extent"
)

const (
	// allocation is the meta context that says where a disk has data (NBD
	// protocol, Metadata querying / base:allocation).
	allocation = "base:allocation"
	// stateZero is its flag for a run that reads as zeros, stored or not.
	stateZero = 1 << 1
	// statusSpan is how much is asked about at once: lengths have 32 bits.
	statusSpan = 2 << 30
)

// fetchExtents asks for the layout of the whole disk. Without block status all
// of it is data.
func (c *Client) fetchExtents(handle *libnbd.Libnbd) (*extent.Map, error) {
	if ok, err := handle.CanMetaContext(allocation); err != nil || !ok {
		return extent.Full(c.size), nil //nolint:nilerr // then all of it is read
	}
	extents := extent.New(c.size)
	for at := int64(0); at < c.size; {
		if c.ctx.Err() != nil {
			return nil, context.Cause(c.ctx)
		}
		runs, err := blockStatus(handle, at, min(statusSpan, c.size-at))
		if err != nil {
			return nil, fmt.Errorf("ask for block status at offset %d: %w", at, err)
		}
		before := at
		for i := 0; i+1 < len(runs); i += 2 {
			length := int64(runs[i])
			if runs[i+1]&stateZero == 0 {
				extents.Add(at, length)
			}
			at += length
		}
		if at == before {
			return nil, fmt.Errorf("ask for block status at offset %d: the server tells of no bytes", at)
		}
	}
	return extents, nil
}

// blockStatus returns pairs of length and flags.
func blockStatus(handle *libnbd.Libnbd, off, n int64) (runs []uint32, err error) {
	callback := func(context string, at uint64, entries []uint32, failed *int) int {
		if context == allocation && at == uint64(off) && *failed == 0 {
			runs = append(runs, entries...)
		}
		return 0
	}
	err = handle.BlockStatus(uint64(n), uint64(off), callback, nil)
	return runs, err
}
