package btrfs

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// compression is how an extent is compressed, as extents say it.
type compression uint8

const (
	uncompressed compression = iota
	compressedZlib
	compressedLZO
	compressedZstd
)

var errCutShort = errors.New("cut short")

// decompress returns the size bytes that an extent holds; like Linux, it takes
// what is missing at the end for zeros.
func decompress(kind compression, b []byte, size int, sector int64) ([]byte, error) {
	var decoded []byte
	var err error
	switch kind {
	case uncompressed:
		return b, nil
	case compressedZlib:
		decoded, err = decompressZlib(b, size)
	case compressedLZO:
		decoded, err = decompressLZO(b, size, int(sector))
	case compressedZstd:
		decoded, err = decompressZstd(b, size)
	default:
		return nil, fmt.Errorf("compression %d cannot be read", kind)
	}
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	if len(decoded) < size {
		decoded = append(decoded, make([]byte, size-len(decoded))...)
	}
	return decoded[:size], nil
}

func decompressZlib(b []byte, size int) ([]byte, error) {
	r, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("zlib: %w", err)
	}
	decoded := make([]byte, size)
	n, err := io.ReadFull(r, decoded)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("zlib: %w", err)
	}
	return decoded[:n], nil
}

// zstdDecoder keeps no state between calls.
var zstdDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(2*maxDecoded))
})

// decompressZstd decompresses the one frame at the start of b.
func decompressZstd(b []byte, size int) ([]byte, error) {
	d, err := zstdDecoder()
	if err != nil {
		return nil, err
	}
	n, err := zstdFrame(b)
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	decoded, err := d.DecodeAll(b[:n], make([]byte, 0, size))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	return decoded, nil
}

// zstdFrame is the length of the frame at the start of b: its header, then
// blocks that say how long they are ("Zstandard Compression Format").
func zstdFrame(b []byte) (int, error) {
	var h zstd.Header
	if err := h.Decode(b); err != nil {
		return 0, err
	}
	at := h.HeaderSize
	for {
		if at+3 > len(b) {
			return 0, errCutShort
		}
		block := int(b[at]) | int(b[at+1])<<8 | int(b[at+2])<<16
		size := block >> 3
		if block>>1&3 == 1 { // one byte, repeated
			size = 1
		}
		at += 3 + size
		if block&1 != 0 {
			break
		}
	}
	if h.HasCheckSum {
		at += 4
	}
	if at > len(b) {
		return 0, errCutShort
	}
	return at, nil
}

// lzoLength is the length of the numbers that say how long things are.
const lzoLength = 4

// decompressLZO reads the pieces of an extent, each of which decompresses to
// one sector. The whole and each piece begin with their lengths, which do not
// cross from one sector into the next.
func decompressLZO(b []byte, size, sector int) ([]byte, error) {
	if len(b) < lzoLength {
		return nil, fmt.Errorf("lzo: %w", errCutShort)
	}
	total := uint64(le.Uint32(b))
	if total > uint64(len(b)) {
		return nil, fmt.Errorf("lzo: %d bytes in %d", total, len(b))
	}
	b = b[:total]
	decoded := make([]byte, 0, size+sector)
	for at := lzoLength; at < len(b) && len(decoded) < size; {
		if left := sector - at%sector; left < lzoLength {
			at += left
		}
		if at+lzoLength > len(b) {
			return nil, fmt.Errorf("lzo: %w", errCutShort)
		}
		length := uint64(le.Uint32(b[at:]))
		if at += lzoLength; length > uint64(len(b)-at) {
			return nil, fmt.Errorf("lzo: piece of %d bytes at %d", length, at)
		}
		before := len(decoded)
		var err error
		if decoded, err = lzo1x(decoded, b[at:at+int(length)], sector); err != nil {
			return nil, fmt.Errorf("lzo: piece at %d: %w", at, err)
		}
		if at += int(length); len(decoded) < min(before+sector, size) {
			break // only the last is shorter
		}
	}
	return decoded, nil
}
