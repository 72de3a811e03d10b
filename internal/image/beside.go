package image

import (
	"errors"
	"fmt"
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
