package fstest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// digestPiece is the unit in which digests leave out zeros, so that holes cost
// nothing and it does not matter what is a hole.
const digestPiece = 4096

// wholeFileLimit is the size up to which a digest is of everything that is
// read, rather than of the segments.
const wholeFileLimit = 64 << 20

// digestFile reads a file: the whole of it if it is small, else its segments
// and a few places in its holes, which must be zeros.
func digestFile(f filesystem.File, size int64, segments []filesystem.Segment) (string, error) {
	if err := checkSegments(segments, size); err != nil {
		return "", err
	}
	if n, err := f.ReadAt(make([]byte, 1), size); n != 0 || !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read at the end: %d bytes, %w", n, err)
	}
	if size <= wholeFileLimit {
		return digestSegments(f, size, []filesystem.Segment{{Length: size}})
	}
	if err := checkHoles(f, size, segments); err != nil {
		return "", err
	}
	return digestSegments(f, size, segments)
}

// checkSegments verifies what filesystem.File promises of its segments.
func checkSegments(segments []filesystem.Segment, size int64) error {
	var end int64
	for i, s := range segments {
		if s.Length <= 0 || s.Offset < end || i > 0 && s.Offset == end || s.Offset+s.Length > size {
			return fmt.Errorf("segment %d of %d, %+v, is out of order or beyond %d", i, len(segments), s, size)
		}
		end = s.Offset + s.Length
	}
	return nil
}

// checkHoles reads the start, the middle and the end of every hole.
func checkHoles(f io.ReaderAt, size int64, segments []filesystem.Segment) error {
	var at int64
	for _, s := range append(slices.Clone(segments), filesystem.Segment{Offset: size}) {
		for _, off := range []int64{at, (at + s.Offset) / 2, s.Offset - 512} {
			if off < at || off >= s.Offset {
				continue
			}
			b := bytesOf(0xff, int(min(512, s.Offset-off)))
			if _, err := f.ReadAt(b, off); err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			if !isZero(b) {
				return fmt.Errorf("hole at %d is not zero", off)
			}
		}
		at = s.Offset + s.Length
	}
	return nil
}

// digestSegments hashes the pieces that the segments touch.
func digestSegments(f io.ReaderAt, size int64, segments []filesystem.Segment) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n", size)
	buffer := make([]byte, min(256*digestPiece, (size+digestPiece-1)&^(digestPiece-1)))
	var next int64 // pieces before it are done
	for _, s := range segments {
		end := s.Offset + s.Length
		for at := max(next, s.Offset&^(digestPiece-1)); at < end; {
			n := int(min(int64(len(buffer)), size-at, (end-at+digestPiece-1)&^(digestPiece-1)))
			b := buffer[:n]
			if got, err := f.ReadAt(b, at); got < n {
				return "", fmt.Errorf("read %d bytes at %d: %d: %w", n, at, got, err)
			}
			for i := 0; i < n; i += digestPiece {
				if piece := b[i:min(i+digestPiece, n)]; !isZero(piece) {
					fmt.Fprintf(h, "%d\n", at+int64(i))
					h.Write(piece)
				}
			}
			at += int64(n)
			next = (at + digestPiece - 1) &^ (digestPiece - 1)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// isZero says whether b is all zeros.
func isZero(b []byte) bool { return len(b) == 0 || b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1]) }

// bytesOf returns n bytes c.
func bytesOf(c byte, n int) []byte { return slices.Repeat([]byte{c}, n) }
