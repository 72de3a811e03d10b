package native

import (
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
	"github.com/lima-vm/go-qcow2reader/image/qcow2"
	qcow2log "github.com/lima-vm/go-qcow2reader/log"
)

// The library's own decompressor ends a read of a cluster smaller than
// deflate's window in io.EOF, it makes a new one for each cluster, and it has
// none for zstd.
func init() {
	qcow2.SetDecompressor(qcow2.CompressionTypeZlib, inflate)
	qcow2.SetDecompressor(qcow2.CompressionTypeZstd, unzstd)
	qcow2log.SetWarnFunc(nil) // what it warns of is checked by package qcow2
}

var inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}

// inflate reads a cluster compressed by deflate.
func inflate(r io.Reader) (io.ReadCloser, error) {
	inflater := inflaters.Get().(io.ReadCloser)
	if err := inflater.(flate.Resetter).Reset(r, nil); err != nil {
		return nil, err
	}
	return &cluster{inflater, func() { inflaters.Put(inflater) }}, nil
}

// zstds holds decoders that never start goroutines and so need no closing.
var zstds = sync.Pool{New: func() any {
	decoder, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(16<<20))
	return decoder
}}

// unzstd reads a cluster compressed by zstd.
func unzstd(r io.Reader) (io.ReadCloser, error) {
	decoder := zstds.Get().(*zstd.Decoder)
	if err := decoder.Reset(r); err != nil {
		return nil, err
	}
	return &cluster{decoder, func() { zstds.Put(decoder) }}, nil
}

// cluster is a compressed cluster; after it, a file holds other things.
type cluster struct {
	io.Reader
	release func()
}

// Read fills p; the end of the cluster is an error only before that.
func (c *cluster) Read(p []byte) (int, error) {
	n, err := io.ReadFull(c.Reader, p)
	if n == len(p) {
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Close makes the decompressor free for another cluster.
func (c *cluster) Close() error {
	c.release()
	return nil
}
