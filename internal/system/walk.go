package system

import (
	"context"
	"fmt"
	"path"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/tree"
)

// maxPath bounds a path's length in bytes: deeper trees can be made, but the tar
// that extracts the image passes whole paths to Linux, which takes PATH_MAX
// (4096) bytes with "./" in front and a NUL at the end.
const maxPath = 4096 - 3

// TreeOptions say what is changed in a system on its way into an image.
type TreeOptions struct {
	Layers       []Layer
	KeepIdentity []string  // names out of Identities
	Epoch        time.Time // the latest time of an added file; zero for no limit
}

// Tree is the system as it goes into an image: its volumes joined, its
// identity reset, the layers over it. All that can be known to fail does so
// here, before the first entry.
func (s *System) Tree(ctx context.Context, o TreeOptions) (tree.Entries, error) {
	reset, err := newReset(o.KeepIdentity)
	if err != nil {
		return nil, err
	}
	reset.follow(s.names)
	added, err := s.layers(o.Layers, o.Epoch)
	if err != nil {
		return nil, err
	}
	return func(yield func(*tree.Entry, error) bool) {
		w := walker{
			ctx: ctx, names: s.names, reset: reset, added: added, yield: yield,
			links: map[inodeKey]*link{}, folders: map[inodeKey]bool{},
		}
		root, err := s.names["."].root()
		if err != nil {
			yield(nil, err)
			return
		}
		if w.emit(".", root) {
			w.folder(".", root, label(root))
		}
	}, nil
}

type inodeKey struct {
	volume *Volume
	number uint64
}

// link is the first name of an inode with several, until all were seen.
type link struct {
	path string
	left uint32
}

// walker goes through the tree, depth first, each folder's names sorted.
type walker struct {
	ctx     context.Context //nolint:containedctx // lives as long as one call
	names   namespace
	reset   reset
	added   *additions
	yield   func(*tree.Entry, error) bool
	links   map[inodeKey]*link
	folders map[inodeKey]bool // seen; a second time is a damaged file system
}

// folder walks what is in a folder: the image's names and the layers',
// merged. A folder that only a layer has is the zero node. newLabel is the
// SELinux label that the kernel gives a new file in it.
func (w *walker) folder(dir string, n node, newLabel []filesystem.Xattr) bool {
	var entries []filesystem.DirEntry
	if n.Inode != nil {
		key := inodeKey{n.volume, n.Number}
		if w.folders[key] {
			return w.fail(dir, fmt.Errorf("%s: inode %d: the directory stands in the tree twice", n.volume.Name(), n.Number))
		}
		w.folders[key] = true
		var err error
		if entries, err = n.readDir(); err != nil {
			return w.fail(dir, err)
		}
	}
	added := w.added.names[dir]
	for len(entries) > 0 || len(added) > 0 {
		if err := w.ctx.Err(); err != nil {
			w.yield(nil, err)
			return false
		}
		var name string
		var number uint64
		if len(added) == 0 || len(entries) > 0 && entries[0].Name <= added[0] {
			name, number = entries[0].Name, entries[0].Inode
			entries = entries[1:]
		} else {
			name = added[0]
		}
		if len(added) > 0 && added[0] == name {
			added = added[1:]
		}
		at := path.Join(dir, name)
		var ok bool
		if a := w.added.at[at]; a != nil {
			ok = w.addition(at, a, n.volume, number, newLabel)
		} else {
			ok = w.child(n.volume, dir, name, number)
		}
		if !ok {
			return false
		}
	}
	return true
}

// child emits one name of the image and all below it.
func (w *walker) child(v *Volume, dir, name string, number uint64) bool {
	at := path.Join(dir, name)
	if len(at) > maxPath {
		return w.fail(dir, fmt.Errorf("a path below it is longer than the %d bytes that tar can extract", maxPath))
	}
	var n node
	var err error
	if mounted, ok := w.names[at]; ok {
		n, err = mounted.root()
	} else {
		n, err = v.node(number)
	}
	if err != nil {
		return w.fail(at, err)
	}
	switch w.reset.of(dir, name, n.Mode) {
	case remove:
		return true
	case empty:
		blank := *n.Inode
		blank.Size, blank.Links = 0, 1
		return w.yield(&tree.Entry{Path: at, Inode: blank, Data: hostFile{}}, nil)
	case leave:
	}
	if !w.emit(at, n) {
		return false
	}
	return !n.Mode.IsDir() || w.folder(at, n, label(n))
}

// emit yields an entry of the image.
func (w *walker) emit(at string, n node) bool {
	e := &tree.Entry{Path: at, Inode: *n.Inode}
	if first := w.firstName(at, n); first != "" {
		e.HardLink = first
		return w.yield(e, nil)
	}
	if n.Mode.IsRegular() {
		data, err := n.volume.FS.Open(n.Inode)
		if err != nil {
			return w.fail(at, fmt.Errorf("%s: %w", n.volume.Name(), err))
		}
		e.Data = data
	}
	return w.yield(e, nil)
}

// firstName returns the path under which the inode was emitted before, and
// remembers this one if it is the first of several.
func (w *walker) firstName(at string, n node) string {
	if n.Links < 2 || n.Mode.IsDir() {
		return ""
	}
	key := inodeKey{n.volume, n.Number}
	l := w.links[key]
	if l == nil {
		w.links[key] = &link{at, n.Links - 1}
		return ""
	}
	if l.left--; l.left == 0 {
		delete(w.links, key)
	}
	return l.path
}

// addition emits a layer's file or folder, with the SELinux label of the file
// it replaces (number is not 0) or else that of a new file.
func (w *walker) addition(at string, a *addition, v *Volume, number uint64, newLabel []filesystem.Xattr) bool {
	if number != 0 {
		replaced, err := v.node(number)
		if err != nil {
			return w.fail(at, err)
		}
		newLabel = label(replaced)
	}
	e := &tree.Entry{Path: at, Inode: a.inode}
	e.Xattrs, e.Sys = newLabel, nil
	if e.Mode.IsRegular() {
		e.Data = a.data
	}
	if !w.yield(e, nil) {
		return false
	}
	return !e.Mode.IsDir() || w.folder(at, node{}, newLabel)
}

// label is an inode's SELinux label, if it has one.
func label(n node) []filesystem.Xattr {
	for _, x := range n.Xattrs {
		if x.Name == "security.selinux" {
			return []filesystem.Xattr{x}
		}
	}
	return nil
}

func (w *walker) fail(at string, err error) bool {
	w.yield(nil, fmt.Errorf("%s: %w", short(printable(path.Join("/", at))), err))
	return false
}
