package btrfs

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"math"
	"sort"
)

const (
	nodeHeader  = 101
	itemSize    = 25 // in a leaf: a key, and where its data is
	pointerSize = 33 // in an inner node: a key, an address, a generation
	keySize     = 17
	maxLevel    = 7
	maxOffset   = math.MaxUint64
	// readAhead is how many blocks after one that is needed are announced.
	readAhead = 16
)

// Types of items, from "Items".
const (
	typeInode     = 1
	typeInodeRef  = 12
	typeXattr     = 24
	typeDirItem   = 84
	typeDirIndex  = 96
	typeExtent    = 108
	typeChecksums = 128
	typeRoot      = 132
	typeBackref   = 144
	typeChunk     = 228
)

// key is what items are sorted by.
type key struct {
	object uint64
	kind   uint8
	offset uint64
}

func parseKey(b []byte) key { return key{le.Uint64(b), b[8], le.Uint64(b[9:])} }

func (k key) String() string { return fmt.Sprintf("(%d %d %d)", k.object, k.kind, k.offset) }

func compareKeys(a, b key) int {
	return cmp.Or(cmp.Compare(a.object, b.object), cmp.Compare(a.kind, b.kind), cmp.Compare(a.offset, b.offset))
}

// item is an entry of a tree. Its data belongs to the cache.
type item struct {
	key  key
	data []byte
}

// treeRoot points to a tree.
type treeRoot struct {
	block, generation uint64
	level             uint8
}

// treeNode is a block of a tree whose form was verified.
type treeNode struct {
	raw   []byte
	count int
	level uint8
}

func (n *treeNode) generation() uint64 { return le.Uint64(n.raw[80:]) }

// entry is item or pointer number i.
func (n *treeNode) entry(i int) []byte {
	if n.level > 0 {
		return n.raw[nodeHeader+i*pointerSize:][:pointerSize]
	}
	return n.raw[nodeHeader+i*itemSize:][:itemSize]
}

func (n *treeNode) key(i int) key { return parseKey(n.entry(i)) }

// data is what item number i of a leaf holds.
func (n *treeNode) data(i int) []byte {
	e := n.entry(i)
	return n.raw[nodeHeader+int(le.Uint32(e[keySize:])):][:le.Uint32(e[keySize+4:])]
}

// first is the number of the first entry whose key is k or greater.
func (n *treeNode) first(k key) int {
	return sort.Search(n.count, func(i int) bool { return compareKeys(n.key(i), k) >= 0 })
}

// last is the number of the last entry whose key is k or less; -1 if there is
// none.
func (n *treeNode) last(k key) int {
	return sort.Search(n.count, func(i int) bool { return compareKeys(n.key(i), k) > 0 }) - 1
}

// check verifies the form of a block: keys in rising order, data within it.
func (n *treeNode) check() error {
	size := itemSize
	if n.level > 0 {
		size = pointerSize
	}
	if n.level > maxLevel || nodeHeader+n.count*size > len(n.raw) || n.count < 0 || n.count == 0 && n.level > 0 {
		return fmt.Errorf("%d entries at level %d", n.count, n.level)
	}
	for i := range n.count {
		if i > 0 && compareKeys(n.key(i-1), n.key(i)) >= 0 {
			return fmt.Errorf("key %v is out of order", n.key(i))
		}
		if n.level > 0 {
			continue
		}
		e := n.entry(i)
		at, length := uint64(le.Uint32(e[keySize:])), uint64(le.Uint32(e[keySize+4:]))
		if at < uint64(n.count*size) || nodeHeader+at+length > uint64(len(n.raw)) {
			return fmt.Errorf("item %v: %d bytes at %d are out of bounds", n.key(i), length, at)
		}
	}
	return nil
}

// block returns the block of a tree that a pointer or a root points to.
func (d *device) block(p treeRoot) (*treeNode, error) {
	n, ok := d.nodes.get(p.block)
	if !ok {
		var err error
		if n, err = d.readBlock(p.block); err != nil {
			return nil, err
		}
		d.nodes.put(p.block, n)
	}
	if n.level != p.level || n.generation() != p.generation {
		return nil, fmt.Errorf("level %d of generation %d where %d of %d must be", n.level, n.generation(), p.level, p.generation)
	}
	return n, nil
}

// readBlock reads a block and verifies that it is whole and in its place.
func (d *device) readBlock(logical uint64) (*treeNode, error) {
	n := &treeNode{raw: make([]byte, d.sb.nodeSize)}
	err := d.readVerified(n.raw, logical, func() error {
		switch {
		case !d.sb.sum.validBlock(n.raw):
			return errChecksum
		case !bytes.Equal(n.raw[32:48], d.sb.metaUUID):
			return fmt.Errorf("it belongs to another file system")
		case le.Uint64(n.raw[48:]) != logical:
			return fmt.Errorf("it belongs to address %d", le.Uint64(n.raw[48:]))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	n.count, n.level = int(int32(le.Uint32(n.raw[96:]))), n.raw[100]
	return n, n.check()
}

// child returns the block that pointer number i of an inner block points to.
// Its first key must be the pointer's, and all of its keys before the next
// pointer's, for which end is given where there is none: so no block can be
// visited twice in one pass, and no pass takes longer than the tree is large.
func (d *device) child(n *treeNode, i int, end *key) (*treeNode, *key, error) {
	e := n.entry(i)
	p := treeRoot{le.Uint64(e[keySize:]), le.Uint64(e[keySize+8:]), n.level - 1}
	if i+1 < n.count {
		next := n.key(i + 1)
		end = &next
	}
	c, err := d.block(p)
	switch {
	case err != nil:
	case c.count == 0 || c.key(0) != n.key(i):
		err = fmt.Errorf("it does not begin with key %v", n.key(i))
	case end != nil && compareKeys(c.key(c.count-1), *end) >= 0:
		err = fmt.Errorf("key %v is beyond its end", c.key(c.count-1))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("tree block %d: %w", p.block, err)
	}
	return c, end, nil
}

// top returns the first block of a tree.
func (d *device) top(t *treeRoot) (*treeNode, error) {
	n, err := d.block(*t)
	if err != nil {
		return nil, fmt.Errorf("tree block %d: %w", t.block, err)
	}
	return n, nil
}

// items yields the items of a tree whose keys are from one to another, in order.
func (d *device) items(t *treeRoot, from, to key) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		n, err := d.top(t)
		if err != nil {
			yield(item{}, err)
			return
		}
		d.visit(n, nil, from, to, yield)
	}
}

// visit yields the items below a block; it returns whether to go on.
func (d *device) visit(n *treeNode, end *key, from, to key, yield func(item, error) bool) bool {
	if n.level == 0 {
		for i := n.first(from); i < n.count && compareKeys(n.key(i), to) <= 0; i++ {
			if !yield(item{n.key(i), n.data(i)}, nil) {
				return false
			}
		}
		return true
	}
	announced := 0
	for i := max(0, n.last(from)); i < n.count && compareKeys(n.key(i), to) <= 0; i++ {
		if n.level == 1 && i >= announced {
			announced = d.announce(n, i+1, to)
		}
		c, end, err := d.child(n, i, end)
		if err != nil {
			yield(item{}, err)
			return false
		}
		if !d.visit(c, end, from, to, yield) {
			return false
		}
	}
	return true
}

// announce says that the leaves from number i on will be read soon, as far as
// they are wanted; it returns the number of the first that was not announced.
func (d *device) announce(n *treeNode, i int, to key) int {
	end := min(i+readAhead, n.count)
	for ; i < end && compareKeys(n.key(i), to) <= 0; i++ {
		d.prefetch(le.Uint64(n.entry(i)[keySize:]), d.sb.nodeSize)
	}
	return end
}

// floor returns the last key of a tree that is k or less.
func (d *device) floor(t *treeRoot, k key) (found key, ok bool, err error) {
	n, err := d.top(t)
	var end *key
	for err == nil {
		i := n.last(k)
		if i < 0 {
			return key{}, false, nil
		}
		if n.level == 0 {
			return n.key(i), true, nil
		}
		n, end, err = d.child(n, i, end)
	}
	return key{}, false, err
}
