package system

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// maxLinks is how many symbolic links the kernel follows in one path
// (path_resolution(7)).
const maxLinks = 40

// node is an inode on one of the system's volumes.
type node struct {
	volume *Volume
	*filesystem.Inode
}

func (v *Volume) node(number uint64) (node, error) {
	inode, err := v.FS.Inode(number)
	if err != nil {
		return node{}, fmt.Errorf("%s: %w", v.Name(), err)
	}
	return node{v, inode}, nil
}

func (v *Volume) root() (node, error) { return v.node(v.FS.Info().Root) }

func (n node) readDir() ([]filesystem.DirEntry, error) {
	entries, err := n.volume.FS.ReadDir(n.Inode)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.volume.Name(), err)
	}
	return entries, nil
}

// child returns the inode of a name in directory n; fs.ErrNotExist if there is
// none.
func (n node) child(name string) (node, error) {
	entries, err := n.readDir()
	if err != nil {
		return node{}, err
	}
	i, ok := slices.BinarySearchFunc(entries, name, func(e filesystem.DirEntry, name string) int {
		return strings.Compare(e.Name, name)
	})
	if !ok {
		return node{}, fs.ErrNotExist
	}
	return n.volume.node(entries[i].Inode)
}

// namespace is a tree of joined volumes; the key is the mount point's path
// without a leading slash, "." for the root.
type namespace map[string]*Volume

// lookup finds what a path names, following all symbolic links, and the path
// without them.
func (ns namespace) lookup(name string) (node, string, error) {
	links := 0
	at, err := ns["."].root()
	if err != nil {
		return node{}, "", err
	}
	resolved, rest := ".", split(name)
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		if !at.Mode.IsDir() {
			return node{}, "", fmt.Errorf("/%s is not a directory", short(printable(resolved)))
		}
		if part == ".." {
			resolved = path.Dir(resolved)
			if at, err = ns.at(resolved); err != nil {
				return node{}, "", err
			}
			continue
		}
		here := path.Join(resolved, part)
		next, err := ns.step(at, here, part)
		if err != nil {
			return node{}, "", err
		}
		if next.Mode.Type() != filesystem.ModeSymlink {
			at, resolved = next, here
			continue
		}
		if links++; links > maxLinks {
			return node{}, "", fmt.Errorf("/%s: more than %d symbolic links", short(printable(name)), maxLinks)
		}
		if strings.HasPrefix(next.Target, "/") {
			if at, err = ns["."].root(); err != nil {
				return node{}, "", err
			}
			resolved = "."
		}
		rest = append(split(next.Target), rest...)
	}
	return at, resolved, nil
}

// step is one component of a path: what is mounted there, or the directory's
// entry.
func (ns namespace) step(dir node, here, name string) (node, error) {
	if v, ok := ns[here]; ok {
		return v.root()
	}
	n, err := dir.child(name)
	if err != nil {
		return node{}, fmt.Errorf("/%s: %w", short(printable(here)), err)
	}
	return n, nil
}

// at finds a path that has no symbolic links in it.
func (ns namespace) at(name string) (node, error) {
	n, err := ns["."].root()
	if err != nil {
		return node{}, err
	}
	here := "."
	for _, part := range split(name) {
		here = path.Join(here, part)
		if n, err = ns.step(n, here, part); err != nil {
			return node{}, err
		}
	}
	return n, nil
}

// split gives the components of a path, ".." kept, for a link's ".." is
// relative to where the link leads, not to how it is written.
func split(name string) []string {
	return slices.DeleteFunc(strings.Split(name, "/"), func(part string) bool {
		return part == "" || part == "."
	})
}

// readFile reads a small regular file of the tree.
func (ns namespace) readFile(name string) ([]byte, error) {
	n, _, err := ns.lookup(name)
	if err != nil {
		return nil, err
	}
	if !n.Mode.IsRegular() {
		return nil, fmt.Errorf("/%s is not a regular file", name)
	}
	if n.Size > maxConfig {
		return nil, fmt.Errorf("/%s has %d bytes; at most %d are read", name, n.Size, maxConfig)
	}
	file, err := n.volume.FS.Open(n.Inode)
	if err != nil {
		return nil, fmt.Errorf("%s: /%s: %w", n.volume.Name(), name, err)
	}
	data := make([]byte, n.Size)
	if _, err := file.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: /%s: %w", n.volume.Name(), name, err)
	}
	return data, nil
}
