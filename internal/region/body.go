package region

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// localError is a fault of the image's file, not of the region.
type localError struct{ err error }

func (e *localError) Error() string { return e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

// body is a chunk on its way. The connection's own goroutine reads it, perhaps
// still after the reply.
type body struct {
	content io.Reader

	mu   sync.Mutex
	left int64
	err  *localError
}

// Read hands bytes to the connection.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.content.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left -= int64(n)
	switch {
	case errors.Is(err, io.EOF) && b.left > 0:
		b.err = &localError{fmt.Errorf("read image: it ends %d bytes early: the file was cut since it was made", b.left)}
	case err != nil && !errors.Is(err, io.EOF):
		b.err = &localError{fmt.Errorf("read image: %w", err)}
	default:
		return n, err
	}
	return n, b.err
}

// failed is the error of the image's file, if it had one.
func (b *body) failed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		return nil
	}
	return b.err
}

// done says whether the connection has taken all bytes.
func (b *body) done() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left == 0
}
