package system

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/curtin"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// Layer is a folder of this machine whose content is laid over the system.
type Layer struct {
	Source string // the folder
	Target string // where it goes in the tree: "/", "/curtin"
	// Hooks makes the programs that curtin starts executable, for their run
	// bits get lost on the way through archives and other systems.
	Hooks bool
}

// addition is a file or folder of a layer at its place in the tree.
type addition struct {
	inode filesystem.Inode
	data  hostFile // of a regular file
}

// additions are all layers' files by their path in the tree, with an index of
// the names in each folder.
type additions struct {
	at    map[string]*addition
	names map[string][]string
}

// layers reads what the layers hold and finds its place in the tree. Later
// layers replace earlier ones' files. epoch, if not zero, is the latest time
// that an added file may have.
func (s *System) layers(layers []Layer, epoch time.Time) (*additions, error) {
	a := &additions{at: map[string]*addition{}, names: map[string][]string{}}
	for _, l := range layers {
		if err := s.layer(a, l, epoch); err != nil {
			return nil, fmt.Errorf("lay %s over %s: %w", l.Source, l.Target, err)
		}
	}
	return a, nil
}

func (s *System) layer(a *additions, l Layer, epoch time.Time) error {
	// A symbolic link to a folder in the image (/lib to usr/lib) leads the
	// layer's files to where they would go if they were copied there.
	places := map[string]string{}
	return l.walk(epoch, func(relative string, inode filesystem.Inode) error {
		at := path.Join(".", l.Target)
		if relative != "." {
			at = path.Join(places[filepath.Dir(relative)], filepath.Base(relative))
		}
		at, err := s.place(a, at, inode)
		if err != nil {
			return fmt.Errorf("%s: %w", relative, err)
		}
		places[relative] = at
		return nil
	})
}

// Check says whether all that is in the layer can be read and go into an image:
// for asking before a long build.
func (l Layer) Check() error {
	return l.walk(time.Time{}, func(string, filesystem.Inode) error { return nil })
}

// walk calls do for the layer's folder, ".", and for all that is in it.
func (l Layer) walk(epoch time.Time, do func(relative string, inode filesystem.Inode) error) error {
	source, err := folder(l.Source)
	if err != nil {
		return err
	}
	return filepath.WalkDir(source, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(source, file)
		if err != nil {
			return err
		}
		info, err := d.Info()
		hook := l.Hooks && curtin.IsHook(filepath.ToSlash(relative))
		if hook {
			info, err = os.Stat(file) // a link could lead to what the image has not
		}
		if err != nil {
			return err
		}
		inode, err := hostInode(file, info, epoch)
		if err != nil {
			return err
		}
		if hook {
			inode.Mode |= 0o111
		}
		return do(relative, inode)
	})
}

// folder is where a folder is that may be named by a symbolic link, which a
// walk would not follow.
func folder(name string) (string, error) {
	dir, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = errors.New("it is not a folder")
	}
	return dir, err
}

// place puts an addition into the tree and returns where it ended up.
func (s *System) place(a *additions, at string, inode filesystem.Inode) (string, error) {
	at = path.Join(".", path.Clean("/" + at)[1:])
	if at == "." {
		return at, nil
	}
	if known := a.at[at]; known != nil && known.inode.Mode.IsDir() != inode.Mode.IsDir() {
		return "", fmt.Errorf("another layer has /%s as a folder where this one has a file, or the other way round", at)
	}
	if inode.Mode.IsDir() {
		return s.placeDir(a, at, inode)
	}
	if n, err := s.names.at(at); err == nil && n.Mode.IsDir() {
		return "", fmt.Errorf("the image has a folder at /%s", at)
	} else if ignoreMissing(err) != nil {
		return "", err
	}
	a.put(at, inode)
	return at, nil
}

func (s *System) placeDir(a *additions, at string, inode filesystem.Inode) (string, error) {
	n, resolved, err := s.names.lookup(at)
	switch {
	case err == nil && n.Mode.IsDir():
		return resolved, nil // the image's folder keeps its owner and mode
	case err == nil:
		return "", fmt.Errorf("the image has something else than a folder at /%s", at)
	case ignoreMissing(err) != nil:
		return "", err
	}
	if _, err := s.names.at(at); err == nil {
		return "", fmt.Errorf("the image has a symbolic link at /%s that leads nowhere", at)
	}
	if parent := path.Dir(at); a.at[parent] == nil {
		if _, err := s.names.at(parent); err != nil {
			return "", fmt.Errorf("the image has no folder /%s", parent)
		}
	}
	a.put(at, inode)
	return at, nil
}

func (a *additions) put(at string, inode filesystem.Inode) {
	if _, known := a.at[at]; !known {
		dir := path.Dir(at)
		i, _ := slices.BinarySearch(a.names[dir], path.Base(at))
		a.names[dir] = slices.Insert(a.names[dir], i, path.Base(at))
	}
	data, _ := inode.Sys.(hostFile)
	a.at[at] = &addition{inode, data}
}
