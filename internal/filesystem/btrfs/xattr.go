package btrfs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// propertyPrefix is that of names which say how btrfs stores a file; no other
// file system takes them.
const propertyPrefix = "btrfs."

// appendXattrs adds the attributes of an item. ACLs are stored as getxattr(2)
// gives them.
func appendXattrs(list []filesystem.Xattr, b []byte) ([]filesystem.Xattr, error) {
	err := eachEntry(b, func(e dirEntry) error {
		name := string(e.name)
		if name == "" || strings.IndexByte(name, 0) >= 0 {
			return fmt.Errorf("name %q", name)
		}
		if !strings.HasPrefix(name, propertyPrefix) {
			list = append(list, filesystem.Xattr{Name: name, Value: slices.Clone(e.data)})
		}
		return nil
	})
	return list, err
}

// sortXattrs sorts by name, of which there must be no two.
func sortXattrs(list []filesystem.Xattr) error {
	slices.SortFunc(list, func(a, b filesystem.Xattr) int { return cmp.Compare(a.Name, b.Name) })
	for i := 1; i < len(list); i++ {
		if list[i].Name == list[i-1].Name {
			return fmt.Errorf("two are named %q", list[i].Name)
		}
	}
	return nil
}
