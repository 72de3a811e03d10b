package btrfs

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

const (
	refHeader = 10 // of a reference from an inode to its name
	// maxDepth bounds how deep a subvolume can be, in names.
	maxDepth = 4096
)

// Subvolumes lists the subvolumes that have a path.
func (fs *FS) Subvolumes() ([]filesystem.Subvolume, error) {
	var list []filesystem.Subvolume
	for id, s := range fs.subvolumes {
		at, ok, err := fs.path(s)
		if err != nil {
			return nil, fmt.Errorf("btrfs: subvolume %d: %w", id, err)
		}
		if ok {
			list = append(list, filesystem.Subvolume{ID: id, Path: at})
		}
	}
	slices.SortFunc(list, func(a, b filesystem.Subvolume) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

// Subvolume opens the subvolume of the given ID.
func (fs *FS) Subvolume(id uint64) (filesystem.FS, error) {
	s := fs.subvolumes[id]
	if s == nil {
		return nil, fmt.Errorf("btrfs: there is no subvolume %d", id)
	}
	return &FS{fs.device, s}, nil
}

// path returns a subvolume's path; ok is false if it has none.
func (d *device) path(s *subvolume) (at string, ok bool, err error) {
	for depth := 0; s.id != topSubvolume; {
		parent := d.subvolumes[s.parent]
		if parent == nil {
			return "", false, nil
		}
		at = path.Join(s.name, at)
		for dir := s.dir; dir != parent.rootDir; {
			var name string
			if dir, name, err = d.parent(parent, dir); err != nil {
				return "", false, err
			}
			at = path.Join(name, at)
			if depth++; depth > maxDepth {
				return "", false, fmt.Errorf("it is below itself")
			}
		}
		if depth++; depth > maxDepth {
			return "", false, fmt.Errorf("it is below itself")
		}
		s = parent
	}
	return at, true, nil
}

// parent returns the directory in which another one has its name ("INODE_REF").
func (d *device) parent(s *subvolume, dir uint64) (parent uint64, name string, err error) {
	for i, err := range d.items(&s.tree, key{dir, typeInodeRef, 0}, key{dir, typeInodeRef, maxOffset}) {
		if err != nil {
			return 0, "", err
		}
		if len(i.data) < refHeader || len(i.data) < refHeader+int(le.Uint16(i.data[8:])) {
			return 0, "", fmt.Errorf("reference of directory %d: %w", dir, errCutShort)
		}
		return i.key.offset, string(i.data[refHeader:][:le.Uint16(i.data[8:])]), nil
	}
	return 0, "", fmt.Errorf("directory %d in subvolume %d has no name", dir, s.id)
}
