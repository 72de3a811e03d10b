// Package seed makes volumes with answers for installers, without any tool of
// the host: ISO 9660 for a CD, or one FAT partition for a disk.
package seed

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Volume is what goes into a volume.
type Volume struct {
	Label   string
	CDROM   bool              // ISO 9660 instead of a partition with FAT
	Files   map[string]string // names in the volume, and files or folders here
	Content map[string]string // names in the volume, and their text
}

const (
	isoLabelLimit = 32
	fatLabelLimit = 11
)

// CheckLabel says whether a volume can have a label.
func CheckLabel(label string, cdrom bool) error {
	limit, kind := fatLabelLimit, "FAT"
	if cdrom {
		limit, kind = isoLabelLimit, "ISO 9660"
	}
	switch {
	case label == "":
		return errors.New("it has no label, by which installers find it")
	case len(label) > limit:
		return fmt.Errorf("the label is longer than the %d characters of %s", limit, kind)
	case strings.ContainsFunc(label, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`"*+,./:;<=>?[\]|`, r) }):
		return errors.New("the label has a character that not all file systems allow; use letters, digits, - and _")
	}
	return nil
}

// Write makes the volume at a path, which must not exist. What it needs
// meanwhile is beside it, and gone afterwards.
func (v Volume) Write(target string) (err error) {
	tree := target + ".tree"
	if err := os.Mkdir(tree, 0o700); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, os.RemoveAll(tree))
		if err != nil {
			_ = os.Remove(target)
		}
	}()
	if err := v.gather(tree); err != nil {
		return fmt.Errorf("seed volume %s: %w", v.Label, err)
	}
	write := writeFAT
	if v.CDROM {
		write = writeISO
	}
	if err := write(target, tree, v.Label); err != nil {
		return fmt.Errorf("seed volume %s: %w", v.Label, err)
	}
	return nil
}

// gather lays the volume's files out as they are to be in it.
func (v Volume) gather(tree string) error {
	for _, name := range slices.Sorted(maps.Keys(v.Files)) {
		if err := add(tree, name, v.Files[name]); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.Content)) {
		if err := put(tree, name, strings.NewReader(v.Content[name])); err != nil {
			return err
		}
	}
	return nil
}

// add copies a file, or all that is in a folder.
func add(tree, name, source string) error {
	return filepath.WalkDir(source, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(source, at)
		if err != nil {
			return err
		}
		info, err := os.Stat(at) // of a link, what it leads to
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir():
			return nil
		case !info.Mode().IsRegular():
			return fmt.Errorf("%s is neither a file nor a folder", at)
		}
		file, err := os.Open(at) //nolint:gosec // the user names the folder, and links in it are followed on purpose
		if err != nil {
			return err
		}
		defer file.Close()
		return put(tree, path.Join(name, filepath.ToSlash(below)), file)
	})
}

// put writes one file. Whatever the name says, it stays in the tree.
func put(tree, name string, content io.Reader) error {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if name == "" {
		return errors.New("a file has no name")
	}
	target := filepath.Join(tree, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there twice", name)
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}
