package btrfs

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// Offsets in an inode, from "INODE_ITEM".
const (
	inodeItemSize = 160
	inodeSize     = 16
	inodeLinks    = 40
	inodeUID      = 44
	inodeGID      = 48
	inodeMode     = 52
	inodeDevice   = 56
	inodeFlags    = 64
	inodeModified = 136
)

// flagNoSums says that an inode's data has no checksums.
const flagNoSums = 1

// maxTarget is what Linux allows a symlink.
const maxTarget = 4095

// node is an inode as it is on disk.
type node struct {
	subvolume *subvolume
	object    uint64
	raw       []byte
}

// errorf returns an error about the inode.
func (n *node) errorf(format string, args ...any) error { return n.wrap(fmt.Errorf(format, args...)) }

// wrap says that err is about the inode.
func (n *node) wrap(err error) error {
	return fmt.Errorf("btrfs: subvolume %d: inode %d: %w", n.subvolume.id, n.object, err)
}

func (n *node) mode() filesystem.Mode { return filesystem.Mode(le.Uint32(n.raw[inodeMode:])) }

// Inode returns the inode of the given number: the root or any other that a
// directory can name.
func (fs *FS) Inode(number uint64) (*filesystem.Inode, error) {
	if number&stubSubvolume != 0 {
		return fs.stub(number)
	}
	s := fs.subvolumes[number>>inodeBits]
	if s == nil {
		return nil, fmt.Errorf("btrfs: inode %d: no such subvolume", number)
	}
	n := &node{subvolume: s, object: number & maxInode}
	inode, err := fs.readInode(n)
	if err != nil {
		return nil, n.wrap(err)
	}
	return inode, nil
}

// readInode reads an inode and its attributes, which are side by side.
func (fs *FS) readInode(n *node) (*filesystem.Inode, error) {
	inode := &filesystem.Inode{Number: n.subvolume.number(n.object), Sys: n}
	for i, err := range fs.items(&n.subvolume.tree, key{n.object, typeInode, 0}, key{n.object, typeXattr, maxOffset}) {
		if err != nil {
			return nil, err
		}
		switch i.key.kind {
		case typeInode:
			if i.key.offset != 0 || len(i.data) < inodeItemSize {
				return nil, fmt.Errorf("item %v of %d bytes", i.key, len(i.data))
			}
			n.raw = i.data[:inodeItemSize:inodeItemSize]
		case typeXattr:
			if inode.Xattrs, err = appendXattrs(inode.Xattrs, i.data); err != nil {
				return nil, fmt.Errorf("attributes: %w", err)
			}
		}
	}
	if n.raw == nil {
		return nil, fmt.Errorf("not there, though a directory names it")
	}
	// The rest of a block must not be kept for an inode's sake.
	n.raw = append([]byte(nil), n.raw...)
	if err := sortXattrs(inode.Xattrs); err != nil {
		return nil, fmt.Errorf("attributes: %w", err)
	}
	return inode, fs.convert(n, inode)
}

// convert makes the form that all file systems share.
func (fs *FS) convert(n *node, inode *filesystem.Inode) error {
	size := le.Uint64(n.raw[inodeSize:])
	if size > math.MaxInt64 || le.Uint32(n.raw[inodeMode:]) > math.MaxUint16 {
		return fmt.Errorf("mode %#o, size %d", le.Uint32(n.raw[inodeMode:]), size)
	}
	inode.Mode = n.mode()
	inode.Links = le.Uint32(n.raw[inodeLinks:])
	inode.UID = le.Uint32(n.raw[inodeUID:])
	inode.GID = le.Uint32(n.raw[inodeGID:])
	inode.Size = int64(size)
	inode.Modified = time.Unix(int64(le.Uint64(n.raw[inodeModified:])), int64(le.Uint32(n.raw[inodeModified+8:]))).UTC()
	if inode.Links == 0 {
		return fmt.Errorf("not in use, though a directory names it")
	}
	switch inode.Mode.Type() {
	case filesystem.ModeRegular, filesystem.ModeDir, filesystem.ModeFIFO, filesystem.ModeSocket:
	case filesystem.ModeChar, filesystem.ModeBlock:
		dev := le.Uint64(n.raw[inodeDevice:])
		inode.Major, inode.Minor = uint32(dev)>>20, uint32(dev)&(1<<20-1)
	case filesystem.ModeSymlink:
		var err error
		inode.Target, err = fs.target(n, inode.Size)
		return err
	default:
		return fmt.Errorf("unknown file type in mode %#o", uint16(inode.Mode))
	}
	return nil
}

// target reads a symlink, which is stored as a file's data is.
func (fs *FS) target(n *node, size int64) (string, error) {
	if size == 0 || size > maxTarget {
		return "", fmt.Errorf("symlink of %d bytes", size)
	}
	f, err := fs.data(n)
	if err != nil {
		return "", fmt.Errorf("symlink: %w", err)
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil {
		return "", fmt.Errorf("symlink: %w", err)
	}
	if strings.IndexByte(string(b), 0) >= 0 {
		return "", fmt.Errorf("symlink holds a NUL byte")
	}
	return string(b), nil
}
