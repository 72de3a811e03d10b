package image

import (
	"context"
	"io"
)

// newSink returns what writes content to the file in the way of its type.
func newSink(out *checked, ft filetype, level int) (sink, error) {
	if ft.codec == nil {
		return plain{out}, nil
	}
	return newBlocks(out, ft.codec, level, 0)
}

// plain is a sink that does not compress. Runs of zeros are holes in the file.
type plain struct{ out *checked }

func (p plain) data(b []byte) error { _, err := p.out.Write(b); return err }
func (p plain) zeros(n int64) error { return p.out.hole(n) }
func (plain) Close() error          { return nil }

// holePart is how much of a hole is written before the context is asked again:
// its checksum takes as long as that of data.
const holePart = 64 << 20

// checked is the file, and who reads it again behind the writer. It fails when
// its context is done, for one run of zeros may take minutes to be written.
type checked struct {
	ctx    context.Context //nolint:containedctx // lives as long as one call
	out    *Output
	verify *verifier // nil for nobody
}

var _ io.Writer = (*checked)(nil)

func (c *checked) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.out.Write(p)
	c.verify.written(c.out.Size(), p[:n])
	return n, err
}

func (c *checked) stream(p []byte) error {
	_, err := c.Write(p)
	return err
}

func (c *checked) zeroStream(z *zeroStream) error {
	c.verify.zerosAt(c.out.Size(), z)
	return c.stream(z.bytes)
}

func (c *checked) hole(n int64) error {
	for n > 0 {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		part := min(n, holePart)
		err := c.out.Hole(part)
		c.verify.written(c.out.Size(), nil)
		if err != nil {
			return err
		}
		n -= part
	}
	return nil
}
