package system

import (
	"fmt"
	"path"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/probe"
)

// HooksVolume picks the volume that curtin's hooks belong on: the one that is
// named as in Options.Root; else that which has the hooks' folder already; else
// the system's root; else Windows's, which is the largest NTFS volume; else the
// first FAT volume, which ESXi boots from.
func HooksVolume(volumes []*Volume, folder, want string) (*Volume, error) {
	if want != "" {
		found := named(volumes, want)
		if len(found) != 1 {
			return nil, seen(volumes, "root = %q names %d volumes of this disk", want, len(found))
		}
		return found[0], nil
	}
	var have, roots []*Volume
	var ntfs, fat, other *Volume
	for _, v := range volumes {
		switch v.Type {
		case "ntfs":
			if ntfs == nil || v.Size() > ntfs.Size() {
				ntfs = v
			}
		case "vfat":
			if fat == nil {
				fat = v
			}
		case "VMFS", probe.Empty:
		default:
			other = v
		}
		if v.FS == nil {
			continue
		}
		if is, err := v.hasTopFolder(folder); err != nil {
			v.Err = err
		} else if is {
			have = append(have, v)
		}
		if is, err := holdsRoot(v); err == nil && is {
			roots = append(roots, v)
		}
	}
	if other != nil && len(have) == 0 && len(roots) == 0 {
		return nil, seen(volumes, "the system could be on %s, where its files are not found here: have the build make /curtin, and leave out curtin_hooks and overlay; or name a volume with the option root", other.Name())
	}
	for _, found := range [][]*Volume{have, roots, one(ntfs), one(fat)} {
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return nil, seen(volumes, "curtin's hooks could belong on any of %s; name one with the option root", volumeNames(found))
		}
	}
	return nil, seen(volumes, "there is no volume that curtin's hooks could belong on; name one with the option root")
}

func one(v *Volume) []*Volume {
	if v == nil {
		return nil
	}
	return []*Volume{v}
}

// named are the volumes that a person names by the option root.
func named(volumes []*Volume, want string) []*Volume {
	switch {
	case !strings.ContainsAny(want, "=/"):
		want = "NUMBER=" + want
	case !strings.ContainsRune(want, '='):
		want = path.Join("/dev", strings.TrimPrefix(want, "/dev"))
	}
	return match(volumes, want)
}

// hasTopFolder says whether there is a folder of that name at the top, in any
// case where the file system does not tell cases apart.
func (v *Volume) hasTopFolder(name string) (bool, error) {
	top, err := v.root()
	if err != nil {
		return false, err
	}
	entries, err := top.readDir()
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if e.Name != name && (v.Type != "vfat" || !strings.EqualFold(e.Name, name)) {
			continue
		}
		n, err := v.node(e.Inode)
		if err != nil {
			return false, fmt.Errorf("/%s: %w", name, err)
		}
		return n.Mode.IsDir(), nil
	}
	return false, nil
}
