package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxFileName is the longest file name of the file systems in use (NAME_MAX).
const maxFileName = 255

// CheckOutput says whether an image can be made at path, as far as that can be
// seen now: for asking before a long build. A folder that does not exist yet is
// no error if it can be made.
func CheckOutput(path string, force bool) error {
	if base := filepath.Base(path); len(base)+len(ChecksumEnding) > maxFileName {
		return fmt.Errorf("the name %q is too long: with %s behind it, it must fit in %d bytes", base, ChecksumEnding, maxFileName)
	}
	if err := checkFolder(filepath.Dir(path)); err != nil {
		return err
	}
	if err := replaceable(path, force); err != nil {
		return err
	}
	return replaceable(path+ChecksumEnding, true)
}

// checkFolder says whether files can be made in a folder, or the folder
// itself in the nearest one above that exists.
func checkFolder(folder string) error {
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist) && filepath.Dir(folder) != folder:
		if _, err := os.Lstat(folder); err == nil {
			return fmt.Errorf("%s is a symbolic link that leads nowhere", folder)
		}
		return checkFolder(filepath.Dir(folder))
	case errors.Is(err, unix.ENOTDIR):
		return checkFolder(filepath.Dir(folder))
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", folder)
	}
	if err := unix.Access(folder, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("nothing can be written into %s: %w", folder, err)
	}
	return nil
}
