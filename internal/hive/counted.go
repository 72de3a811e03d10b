package hive

import (
	"errors"
	"io"
)

const (
	blockSize = 64 << 10
	maxBlocks = 256
)

// counted is a file that is read in blocks, kept for the many small reads of
// regparser, and only so often.
type counted struct {
	of     io.ReaderAt
	size   int64
	blocks map[int64][]byte
	reads  int
	failed error // the first failure, for regparser forgets it
}

// ReadAt implements io.ReaderAt. Whatever cannot be read is the end of the file:
// regparser tries again after any other error.
func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	if c.reads++; c.reads > maxReads {
		panic("its references lead too far")
	}
	done := 0
	for done < len(p) {
		at := off + int64(done)
		if at < 0 || at >= c.size {
			return done, io.EOF
		}
		block, err := c.block(at / blockSize)
		if err != nil {
			return done, io.EOF
		}
		done += copy(p[done:], block[at%blockSize:])
	}
	return done, nil
}

func (c *counted) block(number int64) ([]byte, error) {
	if b, ok := c.blocks[number]; ok {
		return b, nil
	}
	b := make([]byte, min(blockSize, c.size-number*blockSize))
	if n, err := c.of.ReadAt(b, number*blockSize); n < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if c.failed == nil {
			c.failed = err
		}
		return nil, err
	}
	if len(c.blocks) >= maxBlocks {
		clear(c.blocks)
	}
	c.blocks[number] = b
	return b, nil
}
