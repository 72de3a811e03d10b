package image

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// blocks is a sink that compresses, on all cores, into streams of a fixed
// length of data, and runs of zeros into ready-made ones.
type blocks struct {
	to    compressedSink
	unit  int
	level int
	zero  zeroMaker

	current *block
	free    chan *block  // as many as may be in work
	work    chan *block  // to be compressed
	order   chan *block  // to be written
	err     atomic.Value // the first error, as a failure
	running sync.WaitGroup
}

// waiting is how many blocks are filled or written while all workers work. With
// fewer a worker would stand still whenever one block took longer than others.
const waiting = 6

// compressedSink takes streams as they go into the file.
type compressedSink interface {
	stream(p []byte) error
	zeroStream(z *zeroStream) error
}

// block is data that becomes a stream, or a ready-made one.
type block struct {
	data []byte
	out  bytes.Buffer
	err  error
	done chan struct{}

	zero  *zeroStream
	count int64 // how often
}

type failure struct{ error }

func newBlocks(to compressedSink, codec *codec, level, workers int) (*blocks, error) {
	if err := checkLevel(level); err != nil {
		return nil, err
	}
	if workers == 0 {
		workers = min(runtime.GOMAXPROCS(0), codec.workers)
	}
	n := workers + waiting
	b := &blocks{
		to: to, unit: codec.unit(level), level: level, zero: zeroMaker{codec: codec},
		free: make(chan *block, n), work: make(chan *block, n), order: make(chan *block, n),
	}
	encoders := make([]encoder, workers)
	for i := range encoders {
		var err error
		if encoders[i], err = codec.encoder(level); err != nil {
			return nil, err
		}
	}
	for range n {
		b.free <- &block{}
	}
	for _, encode := range encoders {
		b.running.Go(func() { b.compress(encode) })
	}
	b.running.Go(b.write)
	return b, nil
}

func (b *blocks) fail(err error) { b.err.CompareAndSwap(nil, failure{err}) }

func (b *blocks) failed() error {
	if f, ok := b.err.Load().(failure); ok {
		return f.error
	}
	return nil
}

// compress is a worker.
func (b *blocks) compress(encode encoder) {
	for one := range b.work {
		one.out.Reset()
		if b.failed() == nil {
			one.err = encode(&one.out, one.data)
		}
		close(one.done)
	}
}

// write writes what was compressed, in order.
func (b *blocks) write() {
	for one := range b.order {
		if one.zero == nil {
			<-one.done
		}
		if b.failed() == nil {
			if err := b.writeOne(one); err != nil {
				b.fail(err)
			}
		}
		*one = block{data: one.data[:0], out: one.out}
		b.free <- one
	}
}

func (b *blocks) writeOne(one *block) error {
	switch {
	case one.err != nil:
		return fmt.Errorf("compress: %w", one.err)
	case one.zero == nil:
		return b.to.stream(one.out.Bytes())
	}
	for range one.count {
		if err := b.to.zeroStream(one.zero); err != nil {
			return err
		}
	}
	return nil
}

func (b *blocks) data(p []byte) error {
	for len(p) > 0 {
		if err := b.failed(); err != nil {
			return err
		}
		if b.current == nil {
			b.current = <-b.free
		}
		n := min(b.unit-len(b.current.data), len(p))
		b.current.data = append(b.current.data, p[:n]...)
		if p = p[n:]; len(b.current.data) == b.unit {
			b.send()
		}
	}
	return nil
}

// send has the current block compressed.
func (b *blocks) send() {
	if b.current == nil {
		return
	}
	b.current.done = make(chan struct{})
	b.work <- b.current
	b.order <- b.current
	b.current = nil
}

func (b *blocks) zeros(n int64) error {
	b.send()
	for _, size := range zeroSizes {
		if n < size {
			continue
		}
		if err := b.failed(); err != nil {
			return err
		}
		zero, err := b.zero.stream(size)
		if err != nil {
			return err
		}
		one := <-b.free
		one.zero, one.count = zero, n/size
		b.order <- one
		n %= size
	}
	return writeZeros(b, n)
}

// Close writes what is left, and ends the goroutines.
func (b *blocks) Close() error {
	b.send()
	close(b.work)
	close(b.order)
	b.running.Wait()
	return b.failed()
}
