package btrfs

import "errors"

var errLZO = errors.New("damaged")

// lzoReader is an LZO1X stream while it is decompressed, as Linux's "LZO stream
// format as understood by Linux' LZO decompressor" describes it.
type lzoReader struct {
	in    []byte
	out   []byte
	start int // of what the stream decompressed to, in out
	limit int // of the length of out
	bad   bool
}

// lzo1x appends to out what a stream decompresses to, at most limit bytes.
func lzo1x(out, in []byte, limit int) ([]byte, error) {
	r := &lzoReader{in: in, out: out, start: len(out), limit: len(out) + limit}
	// What an instruction below 16 means depends on how many literals came
	// before it; 4 stands for a long run of them.
	literals := 0
	if len(in) > 0 && in[0] > 17 {
		n := int(r.byte()) - 17
		r.literals(n)
		literals = min(n, 4)
	}
	for !r.bad {
		t := int(r.byte())
		if t < 16 && literals == 0 {
			r.literals(r.length(t, 15) + 3)
			literals = 4
			continue
		}
		length, distance, trailing := r.match(t, literals)
		if distance == lzoEnd && !r.bad {
			return r.out, nil
		}
		r.copy(length, distance)
		r.literals(trailing)
		literals = trailing
	}
	return nil, errLZO
}

// lzoEnd is the distance that ends a stream.
const lzoEnd = 16384

// match reads the rest of an instruction that copies what was there before, and
// says how many literals follow it.
func (r *lzoReader) match(t, literals int) (length, distance, trailing int) {
	switch {
	case t >= 128:
		return t>>5&3 + 5, int(r.byte())<<3 + t>>2&7 + 1, t & 3
	case t >= 64:
		return t>>5&1 + 3, int(r.byte())<<3 + t>>2&7 + 1, t & 3
	case t >= 32:
		length = r.length(t&31, 31) + 2
		d := r.uint16()
		return length, d>>2 + 1, d & 3
	case t >= 16:
		length = r.length(t&7, 7) + 2
		d := r.uint16()
		return length, lzoEnd + t&8<<11 + d>>2, d & 3
	case literals == 4:
		return 3, int(r.byte())<<2 + t>>2 + 2049, t & 3
	}
	return 2, int(r.byte())<<2 + t>>2 + 1, t & 3
}

// length is a length of which the instruction holds a part: zero says that it
// goes on after most, in bytes of which all but the last are zeros for 255.
func (r *lzoReader) length(part, most int) int {
	if part != 0 {
		return part
	}
	n := most
	for !r.bad && n <= r.limit {
		b := r.byte()
		if b != 0 {
			return n + int(b)
		}
		n += 255
	}
	r.bad = true
	return 0
}

func (r *lzoReader) byte() byte {
	if len(r.in) == 0 {
		r.bad = true
		return 0
	}
	b := r.in[0]
	r.in = r.in[1:]
	return b
}

func (r *lzoReader) uint16() int { return int(r.byte()) | int(r.byte())<<8 }

// literals copies n bytes of the stream.
func (r *lzoReader) literals(n int) {
	if n > len(r.in) || n > r.limit-len(r.out) {
		r.bad = true
		return
	}
	r.out = append(r.out, r.in[:n]...)
	r.in = r.in[n:]
}

// copy repeats n bytes from a distance before the end on, which may go on into
// what it adds.
func (r *lzoReader) copy(n, distance int) {
	if distance > len(r.out)-r.start || n > r.limit-len(r.out) {
		r.bad = true
		return
	}
	for ; n > 0; n-- {
		r.out = append(r.out, r.out[len(r.out)-distance])
	}
}
