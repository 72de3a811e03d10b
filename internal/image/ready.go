package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

// Digest is the SHA-256 of an image that is ready, in lower case hex.
func Digest(ctx context.Context, path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, contextReader{ctx, file}); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// Reader decompresses an image of a filetype. When ctx is cancelled, it fails.
func Reader(ctx context.Context, filetype string, r io.Reader) (io.Reader, error) {
	r = contextReader{ctx, r}
	if ft := filetypes[filetype]; ft.codec != nil {
		return ft.codec.reader(r)
	}
	return r, nil
}

// IsTar says whether a filetype is a tar, or holds its disk in one.
func IsTar(filetype string) bool { return !filetypes[filetype].disk || filetypes[filetype].tar }

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context //nolint:containedctx // lives as long as one call
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
