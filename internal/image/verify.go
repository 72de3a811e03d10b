package image

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"sync"
)

// verifier reads a file again while it is written, decompresses it, and takes
// the checksum of what comes out. A nil verifier does nothing.
//
// curtin's pipelines ignore a decompressor's failure, so that a damaged image
// would be deployed without a word: nothing after this would notice.
type verifier struct {
	file  *os.File
	input io.ReaderAt // file, or in tests what stands for it
	codec *codec
	got   *content
	done  chan struct{}
	// A decompressor ignores some bits, so a compressed file's own bytes are
	// compared as well.
	wrote, saw maphash.Hash
	err        error // what was wrong; set before done is closed

	mu      sync.Mutex
	grown   sync.Cond
	size    int64     // of the file so far
	zeros   []zerosAt // streams that are known, and not read yet
	ended   bool      // the file is complete
	stopped bool      // nobody wants to know any more

	at int64 // where it reads; its goroutine's own
}

// zerosAt is a ready-made stream of zeros, and where in the file it is.
type zerosAt struct {
	at     int64
	stream *zeroStream
}

// errStopped ends a verifier that was stopped.
var errStopped = errors.New("verification was stopped")

// newVerifier begins to read the file of that name.
func newVerifier(path string, codec *codec, wrap func(io.ReaderAt) io.ReaderAt) (*verifier, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("verify image: %w", cause(err))
	}
	v := &verifier{file: file, input: file, codec: codec, got: newContent(nowhere{}), done: make(chan struct{})}
	if wrap != nil {
		v.input = wrap(file)
	}
	v.wrote.SetSeed(seed)
	v.saw.SetSeed(seed)
	v.grown.L = &v.mu
	go func() {
		defer close(v.done)
		v.err = v.run()
	}()
	return v, nil
}

// written says that the file has size bytes by now, of which the last are p.
func (v *verifier) written(size int64, p []byte) {
	if v == nil {
		return
	}
	if v.codec != nil {
		_, _ = v.wrote.Write(p) // never fails
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.size = size
	v.grown.Signal()
}

// zerosAt says that a ready-made stream will be written at a place.
func (v *verifier) zerosAt(at int64, stream *zeroStream) {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.zeros = append(v.zeros, zerosAt{at, stream})
}

// finish waits for the end, and compares what was read with what went in.
func (v *verifier) finish(want checksum) error {
	if v == nil {
		return nil
	}
	v.mu.Lock()
	v.ended = true
	v.grown.Signal()
	v.mu.Unlock()
	<-v.done
	if v.err != nil {
		return fmt.Errorf("verify image: what was written cannot be read again: at byte %d: %w", v.at, v.err)
	}
	if v.saw.Sum64() != v.wrote.Sum64() {
		return errors.New("verify image: what was written is not what is in the file")
	}
	if got := v.got.sum(); got != want {
		return fmt.Errorf("verify image: what was written reads as other bytes than went in (%d of them, %d went in)", got.size, want.size)
	}
	return nil
}

// interrupt has the verifier end soon.
func (v *verifier) interrupt() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stopped = true
	v.grown.Signal()
}

// stop ends the verifier; after finish it only closes the file.
func (v *verifier) stop() error {
	if v == nil {
		return nil
	}
	v.interrupt()
	<-v.done
	if err := v.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// run reads the file to its end: streams of zeros that are known are compared,
// all else is decompressed.
func (v *verifier) run() error {
	for {
		zero, end, err := v.next()
		switch {
		case err != nil:
			return err
		case end:
			return v.got.finish()
		case zero != nil:
			err = v.compare(zero)
		default:
			err = v.decompress()
		}
		if err != nil {
			return err
		}
	}
}

// next waits until there is more, and says whether it is a stream of zeros.
func (v *verifier) next() (zero *zeroStream, end bool, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for v.size == v.at && !v.ended && !v.stopped {
		v.grown.Wait()
	}
	switch {
	case v.stopped:
		return nil, false, errStopped
	case v.size == v.at:
		return nil, true, nil
	case len(v.zeros) > 0 && v.zeros[0].at == v.at:
		zero = v.zeros[0].stream
	}
	return zero, false, nil
}

// compare reads a stream that was proven when it was made.
func (v *verifier) compare(zero *zeroStream) error {
	got := make([]byte, len(zero.bytes))
	if _, err := v.input.ReadAt(got, v.at); err != nil {
		return cause(err)
	}
	if !bytes.Equal(got, zero.bytes) {
		return errors.New("a run of zeros is not what was written")
	}
	v.mu.Lock()
	v.zeros = v.zeros[1:]
	v.mu.Unlock()
	_, _ = v.saw.Write(got)
	v.at += int64(len(got))
	return v.got.Zeros(zero.n)
}

// decompress reads up to the next known stream, or to the end.
func (v *verifier) decompress() error {
	var r io.Reader = section{v}
	if v.codec != nil {
		var err error
		if r, err = v.codec.reader(r); err != nil {
			return err
		}
	}
	_, err := io.CopyBuffer(v.got, struct{ io.Reader }{r}, make([]byte, bufferSize))
	return err
}

// section is the file from where the verifier is to the next known stream.
type section struct{ *verifier }

// Read waits until there is something to read.
func (s section) Read(p []byte) (int, error) {
	zero, end, err := s.next()
	switch {
	case err != nil:
		return 0, err
	case end || zero != nil:
		return 0, io.EOF
	}
	s.mu.Lock()
	limit := s.size
	if len(s.zeros) > 0 {
		limit = min(limit, s.zeros[0].at)
	}
	s.mu.Unlock()
	n, err := s.input.ReadAt(p[:min(int64(len(p)), limit-s.at)], s.at)
	if s.codec != nil {
		_, _ = s.saw.Write(p[:n])
	}
	s.at += int64(n)
	if n > 0 {
		err = nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // the file is longer
	}
	return n, err
}
