package image

import (
	"bytes"
	"io"

	"github.com/klauspost/compress"
	"github.com/klauspost/compress/gzip"
)

const (
	// gzipUnit is the bytes of one member. They begin without what was before,
	// so longer ones are smaller, but take memory on every core.
	gzipUnit = 2 << 20

	// DefaultLevel of the library finds little in data that is nearly random,
	// compressed files between others: there the next level makes up for most
	// of what it loses against gzip's own level 6, in a fraction of the time
	// that it would take for all.
	denseLevel = DefaultLevel + 1
	// dense is the entropy, in bits a byte, above which data is nearly random.
	// Above random it is so altogether, and no level makes it smaller: the next
	// one would only look for eight times as long.
	dense, random = 6.4, 7.98
)

var gzipCodec = codec{
	name:      "gzip",
	unit:      func(int) int { return gzipUnit },
	workers:   maxWorkers,
	encoder:   gzipEncoder,
	zeroLevel: gzip.BestCompression,
	reader:    func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
}

func gzipEncoder(level int) (encoder, error) {
	w, err := gzip.NewWriterLevel(nil, level)
	if err != nil || level != DefaultLevel {
		return encodeBy(gzipWriter{w}), err
	}
	deep, err := gzip.NewWriterLevel(nil, denseLevel)
	if err != nil {
		return nil, err
	}
	usual, better := encodeBy(gzipWriter{w}), encodeBy(gzipWriter{deep})
	return func(out *bytes.Buffer, data []byte) error {
		if e := entropy(data); e > dense && e <= random {
			return better(out, data)
		}
		return usual(out, data)
	}, nil
}

// entropy estimates Shannon's entropy of single bytes, in bits a byte, from a
// sixteenth of them.
func entropy(data []byte) float64 {
	const piece = 1 << 10
	sample := make([]byte, 0, len(data)/16+piece)
	for at := 0; at < len(data); at += 16 * piece {
		sample = append(sample, data[at:min(at+piece, len(data))]...)
	}
	if len(sample) == 0 {
		return 0
	}
	return float64(compress.ShannonEntropyBits(sample)) / float64(len(sample))
}

// Gzip compresses to members of gzip (RFC 1952) on all cores, as a tgz is
// compressed. The result depends on the data and the level only. It has to be
// closed, also after an error: its goroutines end then.
type Gzip struct{ *blocks }

// NewGzip starts compressing to w at level 1 to 9.
func NewGzip(w io.Writer, level int) (Gzip, error) { return newGzip(w, level, 0) }

func newGzip(w io.Writer, level, workers int) (Gzip, error) {
	b, err := newBlocks(bare{w}, &gzipCodec, level, workers)
	return Gzip{b}, err
}

// Write compresses p. An error may belong to an earlier call.
func (g Gzip) Write(p []byte) (int, error) {
	if err := g.data(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// bare takes streams for a writer.
type bare struct{ w io.Writer }

func (b bare) stream(p []byte) error          { _, err := b.w.Write(p); return err }
func (b bare) zeroStream(z *zeroStream) error { return b.stream(z.bytes) }
