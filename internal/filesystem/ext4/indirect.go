package ext4

import "fmt"

// directBlocks is how many block numbers of i_block point to data; the three
// after them point to blocks of numbers, one to three levels deep.
const directBlocks = 12

// indirectMap is a file's "Direct/Indirect Block Addressing" while it is read.
type indirectMap struct {
	fs    *FS
	runs  []run
	next  uint64              // the file's next block
	limit uint64              // the file's first block after its end
	seen  map[uint32]struct{} // blocks of numbers: one that comes twice is a loop
}

func (fs *FS) indirectBlocks(n *node) ([]run, error) {
	size, err := fs.size(n)
	if err != nil {
		return nil, err
	}
	m := indirectMap{fs: fs, limit: fs.blocksOf(size), seen: make(map[uint32]struct{})}
	for i := range directBlocks + 3 {
		if err := m.visit(le.Uint32(n.blockMap()[4*i:]), max(0, i-directBlocks+1)); err != nil {
			return nil, err
		}
	}
	return m.runs, nil
}

// blocksOf returns how many blocks size bytes take.
func (fs *FS) blocksOf(size int64) uint64 {
	return uint64((size + fs.sb.blockSize - 1) / fs.sb.blockSize)
}

// visit takes a block number: of data at level 0, of a block of numbers of the
// level below at others. Zero is a hole as large as all that it stands for.
func (m *indirectMap) visit(number uint32, level int) error {
	if m.next >= m.limit {
		return nil
	}
	if number == 0 {
		span := uint64(1)
		for range level {
			span *= uint64(m.fs.sb.blockSize / 4)
		}
		m.next += span
		return nil
	}
	if level > 0 {
		return m.descend(number, level)
	}
	if err := m.fs.sb.checkBlocks(uint64(number), 1); err != nil {
		return fmt.Errorf("block %d of the file: %w", m.next, err)
	}
	m.runs = appendRun(m.runs, run{logical: m.next, physical: uint64(number), length: 1})
	m.next++
	return nil
}

func (m *indirectMap) descend(number uint32, level int) error {
	if _, again := m.seen[number]; again {
		return fmt.Errorf("indirect block %d: used twice", number)
	}
	m.seen[number] = struct{}{}
	b, err := m.fs.block(uint64(number))
	if err != nil {
		return fmt.Errorf("indirect block %d: %w", number, err)
	}
	for ; len(b) > 0 && m.next < m.limit; b = b[4:] {
		if err := m.visit(le.Uint32(b), level-1); err != nil {
			return err
		}
	}
	return nil
}
