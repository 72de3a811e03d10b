package xfs

import "fmt"

const (
	leafMagic       = 0xfbee
	leafMagicV5     = 0x3bee
	nodeMagic       = 0xfebe
	nodeMagicV5     = 0x3ebe
	remoteMagic     = 0x5841524d // "XARM"
	daHeader        = 12         // of leaves and nodes: neighbours, magic number
	daHeaderV5      = 56
	daMagic         = 8
	daMaxLevels     = 5
	attrEntrySize   = 8
	leafHeaderRest  = 20 // and 4 of padding in version 5
	nodeHeaderRest  = 4  // likewise
	headerPaddingV5 = 4
)

// attrTree is an inode's attributes in blocks, while they are read ("Leaf
// Attributes", "Node Attributes").
type attrTree struct {
	fs   *FS
	node *node
	file *blockFile
	seen map[uint32]bool // blocks of the tree
	list *xattrList
}

// attrBlocks adds the attributes of a fork that has blocks.
func (fs *FS) attrBlocks(n *node, f fork, list *xattrList) error {
	if f.format == formatExtents && f.extents == 0 {
		return nil
	}
	runs, err := fs.runs(n, f)
	if err != nil {
		return err
	}
	t := attrTree{fs: fs, node: n, file: &blockFile{fs: fs, runs: runs}, seen: make(map[uint32]bool), list: list}
	return t.visit(0, -1)
}

// read reads a block of the fork and says where it was.
func (t *attrTree) read(logical uint32) (b []byte, physical uint64, err error) {
	physical, ok := t.file.block(uint64(logical))
	if !ok {
		return nil, 0, fmt.Errorf("in a hole")
	}
	b, err = t.fs.blocks(physical, 1)
	return b, physical, err
}

// visit reads a block of the tree: of the given level, where leaves are at 0,
// or any if it is negative.
func (t *attrTree) visit(logical uint32, level int) error {
	err := t.visitBlock(logical, level)
	if err != nil {
		return fmt.Errorf("block %d: %w", logical, err)
	}
	return nil
}

func (t *attrTree) visitBlock(logical uint32, level int) error {
	if t.seen[logical] {
		return fmt.Errorf("used twice")
	}
	t.seen[logical] = true
	b, physical, err := t.read(logical)
	if err == nil {
		err = t.fs.verify(t.node, b, daBlockForm, physical)
	}
	if err != nil {
		return err
	}
	leaf, inner, header, padding := uint16(leafMagic), uint16(nodeMagic), daHeader, 0
	if t.fs.sb.v5() {
		leaf, inner, header, padding = leafMagicV5, nodeMagicV5, daHeaderV5, headerPaddingV5
	}
	count := int(be.Uint16(b[header:]))
	switch magic := be.Uint16(b[daMagic:]); {
	case magic == leaf && level <= 0:
		return t.leaf(b, header+leafHeaderRest+padding, count)
	case magic == inner && level != 0:
		at := int(be.Uint16(b[header+2:]))
		if at < 1 || at > daMaxLevels || level > 0 && at != level {
			return fmt.Errorf("level %d", at)
		}
		return t.inner(b, header+nodeHeaderRest+padding, count, at-1)
	}
	return fmt.Errorf("no magic number")
}

// inner visits the blocks that an inner block names.
func (t *attrTree) inner(b []byte, first, count, level int) error {
	if first+count*attrEntrySize > len(b) {
		return fmt.Errorf("%d entries", count)
	}
	for i := range count {
		if err := t.visit(be.Uint32(b[first+i*attrEntrySize+4:]), level); err != nil {
			return err
		}
	}
	return nil
}

// leaf adds the attributes of a leaf.
func (t *attrTree) leaf(b []byte, first, count int) error {
	end := first + count*attrEntrySize
	if end > len(b) {
		return fmt.Errorf("%d entries", count)
	}
	for i := range count {
		e := b[first+i*attrEntrySize:]
		at, flags := int(be.Uint16(e[4:])), e[6]
		fixed := 9 // of a remote value: its block, its length, and that of the name
		if flags&xattrLocal != 0 {
			fixed = 3
		}
		if at < end || at+fixed > len(b) || at+fixed+int(b[at+fixed-1]) > len(b) {
			return fmt.Errorf("entry %d at offset %d is out of bounds", i, at)
		}
		name := b[at+fixed:][:b[at+fixed-1]]
		if err := t.add(b[at:], fixed, flags, name); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
	}
	return nil
}

// add adds the attribute at the start of b, whose name is after fixed bytes.
func (t *attrTree) add(b []byte, fixed int, flags byte, name []byte) error {
	if flags&xattrIncomplete != 0 {
		return nil
	}
	var value []byte
	if flags&xattrLocal != 0 {
		value = b[fixed+len(name):]
		length := int(be.Uint16(b))
		if length > len(value) {
			return fmt.Errorf("value of %d bytes is out of bounds", length)
		}
		value = value[:length]
	} else {
		var err error
		if value, err = t.remoteValue(be.Uint32(b), be.Uint32(b[4:])); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
	}
	return t.list.add(flags, name, value)
}

// remoteValue reads a value from blocks of its own ("Remote Attribute Values").
// In version 5 each has a header.
func (t *attrTree) remoteValue(first, length uint32) ([]byte, error) {
	if length > xattrMaxValue {
		return nil, fmt.Errorf("value of %d bytes", length)
	}
	var value []byte
	for logical := first; len(value) < int(length); logical++ {
		b, physical, err := t.read(logical)
		if err == nil && t.fs.sb.v5() {
			if be.Uint32(b) != remoteMagic {
				err = fmt.Errorf("no magic number")
			} else {
				b, err = t.fs.remote(t.node, b, physical, len(value))
			}
		}
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", logical, err)
		}
		value = append(value, b[:min(len(b), int(length)-len(value))]...)
	}
	return value, nil
}
