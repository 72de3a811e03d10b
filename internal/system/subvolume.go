package system

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// chosen returns the part of the volume that an entry of fstab mounts: all of
// it or, of a file system with subvolumes, the one that the options name.
func (v *Volume) chosen(e fstabEntry) (*Volume, error) {
	name, byName := e.option("subvol")
	id, byID := e.option("subvolid")
	if !byName && !byID {
		return v, nil
	}
	trees, err := v.subvolumes()
	if err != nil {
		return nil, err
	}
	for _, t := range trees {
		if byName && t.Path == clean(name) || !byName && strconv.FormatUint(t.ID, 10) == id {
			return v.subvolume(t)
		}
	}
	return nil, fmt.Errorf("%s has no subvolume %s; it has %s", v.Name(),
		short(printable(cmp.Or(name, id))), short(printable(paths(trees))))
}

// subvolumes lists the subvolumes of v, which must have some.
func (v *Volume) subvolumes() ([]filesystem.Subvolume, error) {
	fs, ok := v.FS.(filesystem.Subvolumes)
	if !ok {
		return nil, fmt.Errorf("%s is %s, which has no subvolumes", v.Name(), v.Type)
	}
	trees, err := fs.Subvolumes()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.Name(), err)
	}
	return trees, nil
}

// subvolume opens a subvolume: the same Volume each time.
func (v *Volume) subvolume(t filesystem.Subvolume) (*Volume, error) {
	if opened := v.trees[t.ID]; opened != nil {
		return opened, nil
	}
	opened := *v
	opened.whole, opened.tree, opened.trees = v, t, nil
	var err error
	if opened.FS, err = v.FS.(filesystem.Subvolumes).Subvolume(t.ID); err != nil {
		return nil, fmt.Errorf("%s: %w", opened.Name(), err)
	}
	if v.trees == nil {
		v.trees = map[uint64]*Volume{}
	}
	v.trees[t.ID] = &opened
	return &opened, nil
}

// rootSubvolumes are the subvolumes of v that hold a system. A snapshot of a
// system holds one as well, but its fstab does not mount the snapshot at /:
// where any is mounted there, only those are meant.
func (v *Volume) rootSubvolumes() ([]*Volume, error) {
	if _, ok := v.FS.(filesystem.Subvolumes); !ok {
		return nil, nil
	}
	trees, err := v.subvolumes()
	if err != nil {
		return nil, err
	}
	var holding, meant []*Volume
	for _, t := range trees {
		opened, err := v.subvolume(t)
		if err != nil {
			return nil, err
		}
		if is, err := holdsRoot(opened); err != nil {
			return nil, err
		} else if !is {
			continue
		}
		holding = append(holding, opened)
		if opened.mountsItself() {
			meant = append(meant, opened)
		}
	}
	if len(meant) > 0 {
		return meant, nil
	}
	return holding, nil
}

// mountsItself says whether the fstab on a subvolume mounts it at /.
func (v *Volume) mountsItself() bool {
	text, err := namespace{".": v}.readFile("etc/fstab")
	if err != nil {
		return false
	}
	return slices.ContainsFunc(parseFstab(string(text)), func(e fstabEntry) bool {
		if e.file != "/" {
			return false
		}
		if name, ok := e.option("subvol"); ok {
			return clean(name) == v.tree.Path
		}
		id, ok := e.option("subvolid")
		return ok && id == strconv.FormatUint(v.tree.ID, 10)
	})
}

// clean is a subvolume's path as filesystem.Subvolume has it.
func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

func paths(trees []filesystem.Subvolume) string {
	var names []string
	for _, t := range trees {
		names = append(names, cmp.Or(t.Path, "/"))
	}
	return strings.Join(names, ", ")
}

// all is the volume that v is a subvolume of, or v itself.
func (v *Volume) all() *Volume { return cmp.Or(v.whole, v) }
