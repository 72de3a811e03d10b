package image

import (
	"bytes"
	stdbzip2 "compress/bzip2"
	"fmt"
	"io"
	"time"

	"github.com/dsnet/compress/bzip2"
	"github.com/klauspost/compress/gzip"
	"github.com/ulikunitz/xz"
)

// codec is a compressed format of which several whole streams, one after the
// other, are a stream: members of gzip (RFC 1952, 2.2), streams of xz (The .xz
// File Format, 2) and of bzip2. That is how one is made on many cores, and of
// ready-made parts.
type codec struct {
	name string
	// unit is how many bytes go into one stream.
	unit func(level int) int
	// workers bounds how many are made at a time, and so the memory.
	workers int
	// encoder returns a function that makes one stream of data. It is for one
	// goroutine.
	encoder func(level int) (encoder, error)
	// zeroLevel is the level at which zeros become smallest.
	zeroLevel int
	// reader decompresses all streams of r.
	reader func(r io.Reader) (io.Reader, error)
}

// encoder writes one whole stream that holds data to out.
type encoder func(out *bytes.Buffer, data []byte) error

// streamWriter is what the libraries for gzip and bzip2 have in common.
type streamWriter interface {
	io.WriteCloser
	reset(w io.Writer) error
}

func encodeBy(w streamWriter) encoder {
	return func(out *bytes.Buffer, data []byte) error {
		if err := w.reset(out); err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
		return w.Close()
	}
}

type gzipWriter struct{ *gzip.Writer }

func (w gzipWriter) reset(to io.Writer) error {
	w.Reset(to)
	w.ModTime = time.Unix(0, 0) // which the header has for "none"
	return nil
}

type bzip2Writer struct{ *bzip2.Writer }

func (w bzip2Writer) reset(to io.Writer) error { return w.Reset(to) }

var bzip2Codec = codec{
	name: "bzip2",
	// A stream is one block: the level times 100 000 bytes without 19 that
	// the format's reference implementation keeps.
	unit:    func(level int) int { return level*100_000 - 19 },
	workers: maxWorkers,
	encoder: func(level int) (encoder, error) {
		w, err := bzip2.NewWriter(nil, &bzip2.WriterConfig{Level: level})
		if err != nil {
			return nil, err
		}
		return encodeBy(bzip2Writer{w}), nil
	},
	zeroLevel: bzip2.BestCompression,
	reader:    func(r io.Reader) (io.Reader, error) { return stdbzip2.NewReader(r), nil },
}

// xzUnit is what a stream of xz holds, and its dictionary: more would take too
// much memory on many cores.
const xzUnit = 2 << 20

var xzCodec = codec{
	name:    "xz",
	unit:    func(int) int { return xzUnit },
	workers: 3,
	encoder: func(int) (encoder, error) {
		return func(out *bytes.Buffer, data []byte) error {
			w, err := xz.WriterConfig{DictCap: xzUnit}.NewWriter(out)
			if err != nil {
				return err
			}
			if _, err := w.Write(data); err != nil {
				return err
			}
			return w.Close()
		}, nil
	},
	reader: func(r io.Reader) (io.Reader, error) { return xz.NewReader(r) },
}

// maxWorkers bounds the cores that compress, and so the memory: some 7 MB each.
const maxWorkers = 16

// checkLevel says whether a level is one of those of all codecs.
func checkLevel(level int) error {
	if level < gzip.BestSpeed || level > gzip.BestCompression {
		return fmt.Errorf("compression level %d is not between 1 and 9", level)
	}
	return nil
}
