package btrfs

import (
	"container/list"
	"sync"
)

const (
	nodeCacheSize    = 8 << 20 // bytes
	decodedCacheSize = 2 << 20
)

// cache keeps what was used last, by its address. It is safe for concurrent
// use.
type cache[T any] struct {
	mu     sync.Mutex
	room   int
	recent *list.List // of cached[T], the one used last first
	at     map[uint64]*list.Element
}

type cached[T any] struct {
	address uint64
	value   T
}

func newCache[T any](room int) *cache[T] {
	return &cache[T]{room: room, recent: list.New(), at: make(map[uint64]*list.Element)}
}

func (c *cache[T]) get(address uint64) (value T, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.at[address]
	if e == nil {
		return value, false
	}
	c.recent.MoveToFront(e)
	return e.Value.(cached[T]).value, true
}

func (c *cache[T]) put(address uint64, value T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at[address] != nil {
		return // another reader was faster
	}
	if c.recent.Len() >= c.room {
		old := c.recent.Remove(c.recent.Back()).(cached[T])
		delete(c.at, old.address)
	}
	c.at[address] = c.recent.PushFront(cached[T]{address, value})
}
