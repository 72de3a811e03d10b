package image

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// WriteBeside puts a small file beside an image, whole or not at all. One that
// is there is replaced.
func WriteBeside(path string, content []byte) (err error) {
	if err := replaceable(path, true); err != nil {
		return err
	}
	file, err := createPartial(path)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, discard(file))
		}
	}()
	if _, err := file.Write(content); err != nil {
		return fmt.Errorf("write %s: %w", path, cause(err))
	}
	if err := finish(file, path); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return fmt.Errorf("name %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

// Reader decompresses an image of a filetype.
func Reader(filetype string, r io.Reader) (io.Reader, error) {
	if ft := filetypes[filetype]; ft.codec != nil {
		return ft.codec.reader(r)
	}
	return r, nil
}

// IsTar says whether a filetype is a tar, or holds its disk in one.
func IsTar(filetype string) bool { return !filetypes[filetype].disk || filetypes[filetype].tar }
