package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// compressed are what files of each compression begin with, by the filetypes
// that have it. Plain tars and disks have no such sign at their start.
var compressed = []struct {
	name, magic string
	filetypes   []string
}{
	{"gzip", "\x1f\x8b", []string{"tgz", "ddtgz", "ddgz"}},
	{"bzip2", "BZh", []string{"tbz", "ddtbz", "ddbz2"}},
	{"xz", "\xfd7zXZ\x00", []string{"txz", "ddtxz", "ddxz"}},
}

// matchesFiletype says whether a file can be what its filetype says: MAAS
// takes any bytes, and fails at deployment.
func matchesFiletype(path, filetype string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	head := make([]byte, 6)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: %w", path, err)
	}
	for _, c := range compressed {
		for _, t := range c.filetypes {
			if t == filetype && !bytes.HasPrefix(head[:n], []byte(c.magic)) {
				return fmt.Errorf("image = %q is not compressed by %s, which filetype = %q is", path, c.name, filetype)
			}
		}
	}
	return nil
}
