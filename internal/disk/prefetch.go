package disk

// Prefetch queues what is missing of [off, off+n) to be loaded, as far as the
// queue has room.
func (c *cache) Prefetch(off, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return
	}
	before := len(c.queue)
	c.enqueue(off, n)
	switch added := len(c.queue) - before; {
	case added == 1:
		c.wake.Signal()
	case added > 1:
		c.wake.Broadcast()
	}
}

func (c *cache) enqueue(off, n int64) {
	looked := 0
	for run := range c.extents.Runs(off, n) {
		if run.Hole {
			continue
		}
		for index := run.Offset / chunkSize; index*chunkSize < run.Offset+run.Length; index++ {
			// What is loaded already counts as well: a long hint must not
			// hold the lock for long.
			if looked++; len(c.queue) >= maxQueue || looked > 2*cacheSize/chunkSize {
				return
			}
			if c.chunks[index] == nil {
				next := &chunk{index: index, state: queued}
				c.chunks[index] = next
				c.queue = append(c.queue, next)
			}
		}
	}
}

// work loads queued chunks until the cache stops.
func (c *cache) work() {
	for {
		batch := c.next()
		if batch == nil {
			return
		}
		c.load(batch)
	}
}

// next waits for a queued chunk and claims it with those queued behind it that
// follow on the disk. It returns nil when the cache stops.
func (c *cache) next() []*chunk {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for len(c.queue) == 0 && !c.stopped {
			c.wake.Wait()
		}
		if c.stopped {
			return nil
		}
		first := c.queue[0]
		if first.state != queued { // a reader was faster
			c.queue = append(c.queue[:0], c.queue[1:]...)
			continue
		}
		length := 1
		for length < len(c.queue) && c.queue[length].state == queued &&
			c.queue[length].index == first.index+int64(length) {
			length++
		}
		length = min(length, batchSize/chunkSize)
		c.queue = append(c.queue[:0], c.queue[length:]...)
		batch := c.claim(first.index, first.index+int64(length)-1)
		for _, left := range c.unclaimed(first.index, int64(length)) {
			delete(c.chunks, left.index)
		}
		if len(batch) > 0 {
			return batch
		}
	}
}

// unclaimed returns those of the chunks from index that are still queued
// though they were taken from the queue: there was no room for them.
func (c *cache) unclaimed(index, n int64) (left []*chunk) {
	for i := index; i < index+n; i++ {
		if one := c.chunks[i]; one != nil && one.state == queued {
			left = append(left, one)
		}
	}
	return left
}
