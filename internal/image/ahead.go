package image

import (
	"context"
	"fmt"

	"github.com/packer-maas/packer-plugin-maas/internal/tree"
)

// Limits of what is read ahead of the writer. A batch is full at either of its
// limits; at most maxBatches wait and as many are looked through for data to
// prefetch, some thousand entries or a few MB of metadata.
const (
	batchEntries = 64
	batchBytes   = 64 << 10
	maxBatches   = 32
)

// longRegion is a run of data, in bytes, that is read by long requests as it is:
// to load it ahead would cost more than waiting for it.
const longRegion = 2 << 20

// shortRead is the length of reads of what was announced, in bytes: longer ones
// would not look whether it is there already.
const shortRead = 256 << 10

// readLength is how many bytes to read at a time of a run of data.
func readLength(run int64) int64 {
	if run < longRegion {
		return shortRead
	}
	return bufferSize
}

// batch is a run of planned entries, ended by err if that is not nil.
type batch struct {
	items []*planned
	err   error
}

// readAhead runs the tree's iterator, which may wait for the disk at any
// entry, in a goroutine of its own. The returned function stops it and waits
// for its end.
func readAhead(ctx context.Context, entries tree.Entries) (<-chan batch, func()) {
	ctx, cancel := context.WithCancel(ctx)
	ch := make(chan batch, maxBatches)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(ch)
		var b batch
		send := func() bool {
			select {
			case ch <- b:
				b = batch{}
				return true
			case <-ctx.Done():
				return false
			}
		}
		bytes := 0
		for e, err := range entries {
			if err != nil {
				b.err = err
				send()
				return
			}
			p, err := plan(e)
			if err != nil {
				b.err = fmt.Errorf("pack %q: %w", e.Path, err)
				send()
				return
			}
			b.items = append(b.items, p)
			if bytes += p.cost(); len(b.items) == batchEntries || bytes >= batchBytes {
				if bytes = 0; !send() {
					return
				}
			}
		}
		send()
	}()
	return ch, func() { cancel(); <-done }
}

// queue is the writer's view of the entries to come. It keeps a cursor in
// their data, a window of bytes ahead of what was read, and prefetches all
// that the cursor passes, in the order in which it will be read.
type queue struct {
	ctx    context.Context
	ch     <-chan batch
	window int64

	items []*planned // items[0] is the entry being written
	err   error      // comes after items
	ended bool

	ahead  int64 // bytes prefetched and not yet read
	item   int   // the cursor: entry,
	region int   // region of it,
	offset int64 // and bytes of that
}

// next moves to the following entry; nil at the end.
func (q *queue) next() (*planned, error) {
	if len(q.items) > 0 {
		q.items[0] = nil
		q.items = q.items[1:]
		if q.item--; q.item < 0 {
			q.item, q.region, q.offset = 0, 0, 0
		}
	}
	for len(q.items) == 0 {
		if q.ended {
			return nil, q.err
		}
		select {
		case b, ok := <-q.ch:
			q.take(b, ok)
		case <-q.ctx.Done():
			return nil, q.ctx.Err()
		}
	}
	return q.items[0], nil
}

// take appends a batch from the channel.
func (q *queue) take(b batch, ok bool) {
	q.items = append(q.items, b.items...)
	if !ok || b.err != nil {
		q.ended, q.err = true, b.err
	}
}

// advance prefetches until the cursor is a window ahead, or no more entries
// are known. It never waits.
func (q *queue) advance() {
	for q.ahead < q.window {
		if q.item == len(q.items) && !q.poll() {
			return
		}
		p := q.items[q.item]
		if q.region == len(p.regions) {
			q.item, q.region = q.item+1, 0
			continue
		}
		r := p.regions[q.region]
		n := min(r.Length-q.offset, q.window-q.ahead)
		if r.Length < longRegion {
			p.Data.Prefetch(r.Offset+q.offset, n)
		}
		q.ahead += n
		if q.offset += n; q.offset == r.Length {
			q.region, q.offset = q.region+1, 0
		}
	}
}

// poll takes more entries if some are ready and the queue is not full.
func (q *queue) poll() bool {
	if q.ended || len(q.items) > batchEntries*maxBatches {
		return false
	}
	select {
	case b, ok := <-q.ch:
		q.take(b, ok)
		return len(b.items) > 0
	default:
		return false
	}
}
