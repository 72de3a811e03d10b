package facts

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// Bounds of what is read of an initial RAM disk.
const (
	maxRamdisk  = 2 << 30 // bytes, unpacked
	maxRAMNames = 1 << 20 // files in it
	maxRAMName  = 4096    // bytes of a name
)

// packings are the compressions of initial RAM disks that Linux knows, by what
// they begin with (lib/decompress.c), but for lzo, which no distribution uses.
var packings = []struct {
	magic string
	open  func(io.Reader) (io.Reader, error)
}{
	{"\x1f\x8b", func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
	{"\x28\xb5\x2f\xfd", openZstd},
	{"\xfd7zXZ\x00", func(r io.Reader) (io.Reader, error) { return xz.ReaderConfig{SingleStream: true}.NewReader(r) }},
	{"\x02\x21\x4c\x18", func(r io.Reader) (io.Reader, error) { return lz4.NewReader(r), nil }},
	{"BZh", func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil }},
	{"\x5d\x00\x00", func(r io.Reader) (io.Reader, error) { return lzma.NewReader(r) }},
}

func openZstd(r io.Reader) (io.Reader, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
	if err != nil {
		return nil, err
	}
	return z.IOReadCloser(), nil
}

// ramdiskDrivers lists the drivers in an initial RAM disk: cpio archives one
// after the other, as they are or compressed, with zeros between them
// (Documentation/driver-api/early-userspace/buffer-format.rst).
func ramdiskDrivers(ctx context.Context, r io.Reader) (map[string]bool, error) {
	d := ramReader{ctx: ctx, left: maxRamdisk, drivers: map[string]bool{}}
	return d.drivers, d.archives(r, true)
}

// ramReader reads an initial RAM disk; what is left of its bounds goes down.
type ramReader struct {
	ctx     context.Context //nolint:containedctx // lives as long as one call
	left    int64
	names   int
	drivers map[string]bool
}

// archives reads all archives of a stream. Inside a compressed one there is no
// further compressed one.
func (d *ramReader) archives(stream io.Reader, packed bool) error {
	r := bufio.NewReaderSize(stream, 1<<16)
	for {
		switch err := skipZeros(r); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		start, err := r.Peek(6)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if bytes.HasPrefix(start, []byte("07070")) {
			if err := d.archive(r); err != nil {
				return err
			}
			continue
		}
		if !packed {
			return fmt.Errorf("%q begins no cpio archive", start)
		}
		return d.unpack(r, start)
	}
}

// unpack reads what is compressed, which is the last part.
func (d *ramReader) unpack(r io.Reader, start []byte) error {
	for _, p := range packings {
		if !bytes.HasPrefix(start, []byte(p.magic)) {
			continue
		}
		unpacked, err := p.open(r)
		if err != nil {
			return err
		}
		if c, ok := unpacked.(io.Closer); ok {
			defer c.Close()
		}
		return d.archives(unpacked, false)
	}
	return fmt.Errorf("a compression that begins with %q is not known", start)
}

func skipZeros(r *bufio.Reader) error {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return err
		}
		if b != 0 {
			return r.UnreadByte()
		}
	}
}

// archive reads one cpio archive in the form "newc" (cpio(5)).
func (d *ramReader) archive(r *bufio.Reader) error {
	header := make([]byte, 110)
	for {
		if err := d.ctx.Err(); err != nil {
			return err
		}
		if _, err := io.ReadFull(r, header); err != nil {
			return fmt.Errorf("cpio header: %w", err)
		}
		size, err := hexField(header, 54)
		if err != nil {
			return err
		}
		length, err := hexField(header, 94)
		if err != nil {
			return err
		}
		if length == 0 || length > maxRAMName {
			return fmt.Errorf("cpio name of %d bytes", length)
		}
		name := make([]byte, length+pad4(110+length))
		if _, err := io.ReadFull(r, name); err != nil {
			return fmt.Errorf("cpio name: %w", err)
		}
		at := string(name[:length-1])
		if at == "TRAILER!!!" {
			return nil
		}
		if m := moduleName(at); m != "" {
			d.drivers[m] = true
		}
		d.left -= 110 + length + size
		if d.names++; d.left < 0 || d.names > maxRAMNames {
			return errors.New("it is unreasonably large")
		}
		if _, err := r.Discard(int(size + pad4(size))); err != nil {
			return fmt.Errorf("cpio data of %s: %w", strconv.Quote(at), err)
		}
	}
}

func pad4(n int64) int64 { return -n & 3 }

// hexField is one of the eight-digit numbers of a cpio header.
func hexField(header []byte, at int) (int64, error) {
	if !bytes.HasPrefix(header, []byte("07070")) {
		return 0, fmt.Errorf("cpio header begins with %q", header[:6])
	}
	n, err := strconv.ParseUint(string(header[at:at+8]), 16, 32)
	if err != nil {
		return 0, fmt.Errorf("cpio header: %w", err)
	}
	return int64(n), nil
}
