package ext4

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

const (
	xattrMagic       = 0xea020000
	xattrBlockHeader = 32
	xattrEntrySize   = 16 // and the name
	xattrChecksum    = 16 // offset in a block's header
	// xattrMaxValue is XATTR_SIZE_MAX, the longest value that Linux can set.
	xattrMaxValue = 64 << 10
	// xattrMaxTotal bounds the values of one inode.
	xattrMaxTotal = 16 << 20
)

// Name indices, from "Extended Attributes".
const (
	xattrIndexACLAccess  = 2
	xattrIndexACLDefault = 3
	xattrIndexSystem     = 7
)

// xattrPrefixes are what the name indices stand for. Others, such as
// encryption contexts (9), are the file system's own and shown to nobody.
var xattrPrefixes = map[byte]string{
	1:                    "user.",
	xattrIndexACLAccess:  "system.posix_acl_access",
	xattrIndexACLDefault: "system.posix_acl_default",
	4:                    "trusted.",
	6:                    "security.",
	xattrIndexSystem:     "system.",
	8:                    "system.richacl",
}

// xattrInlineData is the name, after "system.", of the attribute that holds the
// rest of inline data. It is not an attribute to anybody else.
const xattrInlineData = "data"

// xattrEntry is an attribute as it is stored.
type xattrEntry struct {
	index byte
	name  string
	value []byte
	inode uint32 // the inode that holds the value, or 0
	size  uint32
}

// xattrs returns the attributes in the inode and in its attribute block, and
// sets the rest of the inode's inline data.
func (fs *FS) xattrs(n *node) ([]filesystem.Xattr, error) {
	entries, err := n.bodyXattrs()
	if err != nil {
		return nil, fmt.Errorf("attributes: %w", err)
	}
	inBlock, err := fs.blockXattrs(n)
	if err != nil {
		return nil, err
	}
	var list []filesystem.Xattr
	total := 0
	for _, e := range append(entries, inBlock...) {
		if e.index == xattrIndexSystem && e.name == xattrInlineData {
			n.inline = e.value
			continue
		}
		x, ok, err := fs.xattr(n, e)
		if err != nil {
			return nil, fmt.Errorf("attribute %q: %w", xattrPrefixes[e.index]+e.name, err)
		}
		if total += len(x.Value); total > xattrMaxTotal {
			return nil, fmt.Errorf("attributes of over %d bytes", xattrMaxTotal)
		}
		if ok {
			list = append(list, x)
		}
	}
	slices.SortFunc(list, func(a, b filesystem.Xattr) int { return cmp.Compare(a.Name, b.Name) })
	for i := 1; i < len(list); i++ {
		if list[i].Name == list[i-1].Name {
			return nil, fmt.Errorf("attribute %q: set twice", list[i].Name)
		}
	}
	return list, nil
}

// bodyXattrs reads the attributes in the inode itself, after its fields.
func (n *node) bodyXattrs() ([]xattrEntry, error) {
	b := n.raw[goodOldInodeSize+n.extra():]
	if n.extra() == 0 || len(b) < 4 || le.Uint32(b) != xattrMagic {
		return nil, nil
	}
	return parseXattrs(b[4:], 0)
}

// blockXattrs reads the attributes in the inode's attribute block, which it may
// share with others.
func (fs *FS) blockXattrs(n *node) ([]xattrEntry, error) {
	number := uint64(le.Uint32(n.raw[inodeFileACL:]))
	if fs.sb.creatorOS != creatorHurd {
		number |= uint64(le.Uint16(n.raw[inodeFileACLHi:])) << 32
	}
	if number == 0 {
		return nil, nil
	}
	b, err := fs.block(number)
	if err != nil {
		return nil, fmt.Errorf("attribute block %d: %w", number, err)
	}
	if le.Uint32(b) != xattrMagic || le.Uint32(b[8:]) != 1 {
		return nil, fmt.Errorf("attribute block %d: no magic number", number)
	}
	if fs.sb.roCompat&roMetadataCsum != 0 {
		crc := crc32c(fs.sb.seed, le.AppendUint64(nil, number))
		if crc32cHole(crc, b, xattrChecksum, 4) != le.Uint32(b[xattrChecksum:]) {
			return nil, fmt.Errorf("attribute block %d: checksum mismatch", number)
		}
	}
	entries, err := parseXattrs(b, xattrBlockHeader)
	if err != nil {
		return nil, fmt.Errorf("attribute block %d: %w", number, err)
	}
	return entries, nil
}

// parseXattrs reads the entries from first on; their values are at offsets from
// the start of b, after the last entry.
func parseXattrs(b []byte, first int) ([]xattrEntry, error) {
	var entries []xattrEntry
	at := first
	for ; at+4 <= len(b) && le.Uint32(b[at:]) != 0; at += xattrEntryLength(b[at]) {
		if at+xattrEntryLength(b[at]) > len(b) {
			return nil, fmt.Errorf("entry at offset %d has no end", at)
		}
		name := string(b[at+xattrEntrySize:][:b[at]])
		if strings.IndexByte(name, 0) >= 0 {
			return nil, fmt.Errorf("the name of the entry at offset %d holds a NUL byte", at)
		}
		entries = append(entries, xattrEntry{index: b[at+1], name: name, inode: le.Uint32(b[at+4:]), size: le.Uint32(b[at+8:])})
	}
	if at+4 > len(b) && at != len(b) {
		return nil, fmt.Errorf("list of entries has no end")
	}
	end := at
	at = first
	for i := range entries {
		e := &entries[i]
		if e.inode == 0 && e.size > 0 {
			value := uint64(le.Uint16(b[at+2:]))
			if value < uint64(end) || value+uint64(e.size) > uint64(len(b)) {
				return nil, fmt.Errorf("value of the entry at offset %d is out of bounds", at)
			}
			e.value = b[value : value+uint64(e.size)]
		}
		at += xattrEntryLength(b[at])
	}
	return entries, nil
}

// xattrEntryLength is the length of an entry with a name of n bytes.
func xattrEntryLength(n byte) int { return (xattrEntrySize + int(n) + 3) &^ 3 }

// xattr converts an attribute to what getxattr(2) returns; ok says whether
// there is one to show.
func (fs *FS) xattr(n *node, e xattrEntry) (x filesystem.Xattr, ok bool, err error) {
	prefix, ok := xattrPrefixes[e.index]
	if !ok {
		return x, false, nil
	}
	value := e.value
	if e.inode != 0 {
		if value, err = fs.xattrInode(n, e); err != nil {
			return x, false, fmt.Errorf("value in inode %d: %w", e.inode, err)
		}
	}
	if e.index == xattrIndexACLAccess || e.index == xattrIndexACLDefault {
		if value, err = convertACL(value); err != nil || value == nil {
			return x, false, err
		}
	}
	return filesystem.Xattr{Name: prefix + e.name, Value: value}, true, nil
}

// xattrInode reads a value that is an inode's data (feature ea_inode).
func (fs *FS) xattrInode(n *node, e xattrEntry) ([]byte, error) {
	if fs.sb.incompat&incompatEAInode == 0 {
		return nil, fmt.Errorf("the file system has no feature ea_inode")
	}
	holder, err := fs.readNode(uint64(e.inode))
	if err != nil {
		return nil, err
	}
	size, err := fs.size(holder)
	switch {
	case err != nil:
		return nil, err
	case !holder.has(flagEAInode) || holder.has(flagInlineData|flagEncrypted):
		return nil, fmt.Errorf("not an attribute's value")
	case size != int64(e.size) || size > xattrMaxValue:
		return nil, fmt.Errorf("%d bytes where %d must be, and at most %d", size, e.size, xattrMaxValue)
	}
	f, err := fs.data(holder)
	if err != nil {
		return nil, err
	}
	value := make([]byte, size)
	if _, err := f.ReadAt(value, 0); err != nil {
		return nil, err
	}
	// The access time is the value's hash. Values that Lustre wrote have none,
	// but the time of modification names the file that they belong to.
	lustre := le.Uint32(holder.raw[inodeMtime:]) == n.number && holder.generation() == n.generation()
	if crc32c(fs.sb.seed, value) != le.Uint32(holder.raw[inodeAtime:]) && !lustre {
		return nil, fmt.Errorf("hash mismatch")
	}
	return value, nil
}
