package image

import (
	"bytes"
	"fmt"
	"io"
)

// zeroSizes are the lengths of the ready-made streams of zeros, of which all
// longer runs are put together.
var zeroSizes = []int64{16 << 20, 1 << 20, grain}

// zeroStream is a ready-made stream of n zeros.
type zeroStream struct {
	n     int64
	bytes []byte
}

// zeroMaker makes each stream of zeros once.
type zeroMaker struct {
	codec *codec
	made  map[int64]*zeroStream
}

// stream returns the stream of n zeros, which was read back once.
func (m *zeroMaker) stream(n int64) (*zeroStream, error) {
	if z := m.made[n]; z != nil {
		return z, nil
	}
	encode, err := m.codec.encoder(m.codec.zeroLevel)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := encode(&out, make([]byte, n)); err != nil {
		return nil, fmt.Errorf("compress zeros: %w", err)
	}
	z := &zeroStream{n, out.Bytes()}
	if err := z.check(m.codec); err != nil {
		return nil, err
	}
	if m.made == nil {
		m.made = map[int64]*zeroStream{}
	}
	m.made[n] = z
	return z, nil
}

// check reads the stream back.
func (z *zeroStream) check(codec *codec) error {
	r, err := codec.reader(bytes.NewReader(z.bytes))
	if err == nil {
		got := newContent(nowhere{})
		if _, err = io.Copy(got, r); err == nil {
			err = got.finish()
		}
		if err == nil && (got.size != z.n || got.stored != 0) {
			err = fmt.Errorf("they come back as %d bytes, %d of them in data", got.size, got.stored)
		}
	}
	if err != nil {
		return fmt.Errorf("read back %d compressed zeros: %w", z.n, err)
	}
	return nil
}
