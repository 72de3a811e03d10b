package xfs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

const (
	// xattrMaxValue is XATTR_SIZE_MAX, the longest value that Linux can set.
	xattrMaxValue = 64 << 10
	// xattrMaxTotal bounds the names and values of one inode.
	xattrMaxTotal = 16 << 20
)

// Flags of attributes.
const (
	xattrLocal      = 0x1
	xattrRoot       = 0x2
	xattrSecure     = 0x4
	xattrParent     = 0x8
	xattrIncomplete = 0x80
)

// xattrPrefixes are the name spaces.
var xattrPrefixes = map[byte]string{0: "user.", xattrRoot: "trusted.", xattrSecure: "security."}

// xattrACLs are the attributes, of the name space trusted, that hold ACLs; they
// are shown in their own form and in no other.
var xattrACLs = map[string]string{
	"trusted.SGI_ACL_FILE":    "system.posix_acl_access",
	"trusted.SGI_ACL_DEFAULT": "system.posix_acl_default",
}

// xattrList collects attributes.
type xattrList struct {
	list  []filesystem.Xattr
	total int
}

// xattrs returns an inode's attributes.
func (fs *FS) xattrs(n *node) ([]filesystem.Xattr, error) {
	f := n.attrFork()
	if len(f.area) == 0 {
		return nil, nil
	}
	var l xattrList
	var err error
	if f.format == formatLocal {
		err = l.addShort(f.area)
	} else {
		err = fs.attrBlocks(n, f, &l)
	}
	if err != nil {
		return nil, fmt.Errorf("attributes: %w", err)
	}
	slices.SortFunc(l.list, func(a, b filesystem.Xattr) int { return cmp.Compare(a.Name, b.Name) })
	for i := 1; i < len(l.list); i++ {
		if l.list[i].Name == l.list[i-1].Name {
			return nil, fmt.Errorf("attributes: %q is set twice", l.list[i].Name)
		}
	}
	return l.list, nil
}

// addShort adds attributes that are in the inode ("Shortform Attributes").
func (l *xattrList) addShort(b []byte) error {
	if len(b) < 4 || int(be.Uint16(b)) > len(b) || be.Uint16(b) < 4 {
		return fmt.Errorf("their size is out of bounds")
	}
	count := int(b[2])
	b = b[4:be.Uint16(b)]
	for range count {
		if len(b) < 3 || len(b) < 3+int(b[0])+int(b[1]) {
			return fmt.Errorf("the last is cut short")
		}
		name, value, flags := b[3:][:b[0]], b[3+int(b[0]):][:b[1]], b[2]
		if err := l.add(flags, name, value); err != nil {
			return err
		}
		b = b[3+len(name)+len(value):]
	}
	return nil
}

// add adds an attribute in the form in which getxattr(2) returns it.
func (l *xattrList) add(flags byte, name, value []byte) error {
	if flags&(xattrParent|xattrIncomplete) != 0 {
		return nil
	}
	prefix, ok := xattrPrefixes[flags&^xattrLocal]
	if !ok || len(name) == 0 || strings.IndexByte(string(name), 0) >= 0 {
		return fmt.Errorf("%q with flags %#x", name, flags)
	}
	x := filesystem.Xattr{Name: prefix + string(name), Value: slices.Clone(value)}
	if acl, ok := xattrACLs[x.Name]; ok {
		var err error
		if x.Value, err = convertACL(value); err != nil {
			return fmt.Errorf("%q: %w", x.Name, err)
		}
		if x.Value == nil {
			return nil
		}
		x.Name = acl
	}
	if l.total += len(x.Name) + len(x.Value); l.total > xattrMaxTotal {
		return fmt.Errorf("over %d bytes", xattrMaxTotal)
	}
	l.list = append(l.list, x)
	return nil
}
