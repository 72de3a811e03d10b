package disk

import (
	"container/list"
	"io/fs"
	"sync"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/extent"
)

const (
	// chunkSize is what the cache keeps, loads and forgets.
	chunkSize = 256 << 10
	// cacheSize is the memory a disk's cache takes at most.
	cacheSize = 64 << 20
	// batchSize is the longest request. Two of them on their way hide the wait
	// for a disk; more cost processor time, which compression needs.
	batchSize = 1 << 20
	loaders   = 2
	// maxQueue is how many chunks can wait to be loaded: what is announced
	// further ahead would push out what is needed earlier.
	maxQueue = cacheSize / 2 / chunkSize
	// bypass is the length of reads that go past the cache: they gain nothing
	// by it, and would cost a copy and push all else out.
	bypass = 512 << 10
)

// cache keeps the parts of a disk that were read last, and loads those that
// were announced. Its methods are safe for concurrent use.
type cache struct {
	source  backend
	extents *extent.Map

	mu      sync.Mutex
	wake    *sync.Cond // signalled when queue grows or the cache stops
	chunks  map[int64]*chunk
	recent  *list.List // of loaded chunks, the one read last first
	queue   []*chunk   // to be loaded, in order; some may be loading already
	free    [][]byte   // buffers of chunkSize
	scratch [][]byte   // buffers of batchSize
	buffers int        // made so far
	stopped bool
	running sync.WaitGroup
}

// state is what is known of a chunk that is in the cache's map.
type state int

const (
	queued state = iota
	loading
	loaded
)

// chunk is the part of a disk that begins at index*chunkSize.
type chunk struct {
	index  int64
	state  state
	data   []byte // owned by the loader while loading; part of a buffer
	pins   int    // by readers that use data or wait for it
	failed bool   // to load; set before done is closed
	done   chan struct{}
	recent *list.Element // where loaded
}

func newCache(source backend) *cache {
	c := &cache{source: source, extents: source.Extents(), chunks: map[int64]*chunk{}, recent: list.New()}
	c.wake = sync.NewCond(&c.mu)
	for range loaders {
		c.running.Go(c.work)
	}
	return c
}

// stop lets nothing more be loaded; wait returns when nothing is.
func (c *cache) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	c.queue = nil
	c.wake.Broadcast()
}

func (c *cache) wait() { c.running.Wait() }

// ReadAt fills p with the bytes at off, all of which must be on the disk.
func (c *cache) ReadAt(p []byte, off int64) (int, error) {
	if len(p) >= bypass {
		return c.direct(p, off)
	}
	last := (off + int64(len(p)) - 1) / chunkSize
	for done := 0; done < len(p); {
		at := off + int64(done)
		index, from := at/chunkSize, at%chunkSize
		part := p[done:min(int64(len(p)), int64(done)+chunkSize-from)]
		found, err := c.pin(index, last)
		switch {
		case err != nil:
			return done, err
		case found != nil:
			copy(part, found.data[from:])
			c.unpin(found)
		default:
			if n, err := c.direct(part, at); err != nil {
				return done + n, err
			}
		}
		done += len(part)
	}
	return len(p), nil
}

// direct reads without the cache.
func (c *cache) direct(p []byte, off int64) (int, error) {
	return c.extents.Read(p, off, c.source.ReadAt)
}

// pin returns a loaded chunk, which stays so until unpin. Where it has to be
// loaded, so are those after it that are missing, up to last. It returns nil
// where there is no room, or the chunk cannot be read as a whole: the bytes
// that are needed then tell whether they can.
func (c *cache) pin(index, last int64) (*chunk, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil, fs.ErrClosed
	}
	found := c.chunks[index]
	if found == nil || found.state == queued {
		batch := c.claim(index, last)
		if len(batch) == 0 {
			return nil, nil
		}
		found = batch[0]
		found.pins++
		c.mu.Unlock()
		c.load(batch)
		c.mu.Lock()
	} else {
		found.pins++
		if found.state == loading {
			c.mu.Unlock()
			<-found.done
			c.mu.Lock()
		}
	}
	if found.failed {
		found.pins--
		return nil, nil
	}
	c.recent.MoveToFront(found.recent)
	return found, nil
}

func (c *cache) unpin(found *chunk) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found.pins--
}

// claim marks the chunk index and those after it up to last as loading, as
// long as they hold data, are missing, fit in a request, and there is room.
func (c *cache) claim(index, last int64) []*chunk {
	var batch []*chunk
	for ; index <= last && len(batch) < batchSize/chunkSize; index++ {
		next := c.chunks[index]
		if next != nil && next.state != queued || !c.extents.HasData(index*chunkSize, chunkSize) {
			break
		}
		buffer := c.buffer()
		if buffer == nil {
			break
		}
		if next == nil {
			next = &chunk{index: index}
			c.chunks[index] = next
		}
		next.state, next.done = loading, make(chan struct{})
		next.data = buffer[:min(chunkSize, c.extents.Size()-index*chunkSize)]
		batch = append(batch, next)
	}
	return batch
}

// buffer finds room for a chunk: a new buffer, or that of the chunk which
// nobody has read for longest. It returns nil where all are in use.
func (c *cache) buffer() []byte {
	if last := len(c.free) - 1; last >= 0 {
		buffer := c.free[last]
		c.free = c.free[:last]
		return buffer
	}
	if c.buffers < cacheSize/chunkSize {
		c.buffers++
		return make([]byte, chunkSize)
	}
	for e := c.recent.Back(); e != nil; e = e.Prev() {
		if old := e.Value.(*chunk); old.pins == 0 {
			c.recent.Remove(e)
			delete(c.chunks, old.index)
			return old.data[:chunkSize]
		}
	}
	return nil
}

// load reads neighbouring chunks by one request. Where that fails, it tries
// them one by one.
func (c *cache) load(batch []*chunk) {
	off := batch[0].index * chunkSize
	if len(batch) == 1 {
		_, err := c.direct(batch[0].data, off)
		c.finish(batch[0], err)
		return
	}
	scratch := c.borrow()
	defer c.giveBack(scratch)
	length := 0
	for _, one := range batch {
		length += len(one.data)
	}
	if _, err := c.direct(scratch[:length], off); err != nil {
		for i := range batch {
			c.load(batch[i : i+1])
		}
		return
	}
	for i, one := range batch {
		copy(one.data, scratch[i*chunkSize:])
		c.finish(one, nil)
	}
}

// finish makes a chunk known as loaded, or forgets it.
func (c *cache) finish(one *chunk, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		one.failed = true
		delete(c.chunks, one.index)
		c.free = append(c.free, one.data[:chunkSize])
		one.data = nil
	} else {
		one.state = loaded
		one.recent = c.recent.PushFront(one)
	}
	close(one.done)
}

// borrow returns a buffer of batchSize. There are as many as there were loads
// at a time, so few.
func (c *cache) borrow() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := len(c.scratch) - 1; last >= 0 {
		buffer := c.scratch[last]
		c.scratch = c.scratch[:last]
		return buffer
	}
	return make([]byte, batchSize)
}

func (c *cache) giveBack(buffer []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.scratch) < loaders {
		c.scratch = append(c.scratch, buffer)
	}
}
