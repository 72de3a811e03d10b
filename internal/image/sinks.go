package image

import "io"

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

// checked is the file, and who reads it again behind the writer.
type checked struct {
	out    *Output
	verify *verifier // nil for nobody
}

var _ io.Writer = (*checked)(nil)

func (c *checked) Write(p []byte) (int, error) {
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
	err := c.out.Hole(n)
	c.verify.written(c.out.Size(), nil)
	return err
}
