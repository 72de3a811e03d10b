package xfs

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// Offsets in an inode, from "On-disk Inode".
const (
	inodeMode       = 2
	inodeVersion    = 4
	inodeFormat     = 5
	inodeOldLinks   = 6
	inodeUID        = 8
	inodeGID        = 12
	inodeLinks      = 16
	inodeBigExtents = 24
	inodeMtime      = 40
	inodeSize       = 56
	inodeExtents    = 76
	inodeAttrExts   = 80
	inodeForkOffset = 82
	inodeAttrFormat = 83
	inodeFlags      = 90
	inodeV2Size     = 100
	inodeCRC        = 100
	inodeFlags2     = 120
	inodeNumber     = 152
	inodeUUID       = 160
	inodeV3Size     = 176
)

const (
	inodeMagic    = 0x494e // "IN"
	flagRealtime  = 0x1
	flags2BigTime = 0x8
	flags2BigExts = 0x10
	// bigTimeEpoch is where times of the newer form begin: in December 1901, as
	// those of the older do.
	bigTimeEpoch = -1 << 31
)

// Formats of a fork, which is what an inode has of its data or attributes.
const (
	formatDevice  = 0
	formatLocal   = 1
	formatExtents = 2
	formatBtree   = 3
)

// node is an inode as it is on disk.
type node struct {
	number uint64
	raw    []byte
}

// fork is the part of an inode that holds data, or says where it is.
type fork struct {
	name    string
	format  byte
	area    []byte
	extents uint64 // how many there are
	limit   uint64 // blocks: how far it can reach
}

// errorf returns an error about the inode.
func (n *node) errorf(format string, args ...any) error { return n.wrap(fmt.Errorf(format, args...)) }

// wrap says that err is about the inode.
func (n *node) wrap(err error) error { return fmt.Errorf("xfs: inode %d: %w", n.number, err) }

func (n *node) mode() filesystem.Mode { return filesystem.Mode(be.Uint16(n.raw[inodeMode:])) }
func (n *node) size() int64           { return int64(be.Uint64(n.raw[inodeSize:])) }

// flags2 are the flags of the newer inodes.
func (n *node) flags2() uint64 {
	if n.raw[inodeVersion] < 3 {
		return 0
	}
	return be.Uint64(n.raw[inodeFlags2:])
}

// forks returns the two parts after the inode's fields: of data and of
// attributes, empty if there are none.
func (n *node) forks() (data, attributes []byte) {
	area := n.raw[inodeV2Size:]
	if n.raw[inodeVersion] >= 3 {
		area = n.raw[inodeV3Size:]
	}
	offset := int(n.raw[inodeForkOffset]) * 8
	if offset == 0 {
		return area, nil
	}
	return area[:offset], area[offset:]
}

func (n *node) dataFork() fork {
	area, _ := n.forks()
	f := fork{name: "extents", format: n.raw[inodeFormat], area: area, limit: math.MaxUint64}
	f.extents = uint64(be.Uint32(n.raw[inodeExtents:]))
	if n.flags2()&flags2BigExts != 0 {
		f.extents = be.Uint64(n.raw[inodeBigExtents:])
	}
	return f
}

func (n *node) attrFork() fork {
	_, area := n.forks()
	f := fork{name: "attribute extents", format: n.raw[inodeAttrFormat], area: area, limit: 1 << 32}
	f.extents = uint64(be.Uint16(n.raw[inodeAttrExts:]))
	if n.flags2()&flags2BigExts != 0 {
		f.extents = uint64(be.Uint32(n.raw[inodeExtents:]))
	}
	return f
}

// Inode returns the inode of the given number: the root or any other that a
// directory can name. Free ones, and the file system's own, are errors.
func (fs *FS) Inode(number uint64) (*filesystem.Inode, error) {
	if number == 0 || slices.Contains(fs.sb.ownInodes, number) {
		return nil, fmt.Errorf("xfs: inode %d: reserved by the file system", number)
	}
	n, err := fs.readNode(number)
	if err != nil {
		return nil, fmt.Errorf("xfs: inode %d: %w", number, err)
	}
	inode, err := fs.convert(n)
	if err != nil {
		return nil, n.wrap(err)
	}
	return inode, nil
}

// readNode reads an inode, whose number says where it is ("Inode Numbers"), and
// verifies that it is one.
func (fs *FS) readNode(number uint64) (*node, error) {
	sb := fs.sb
	perBlock := sb.blockLog - sb.inodeLog
	block, err := sb.physical(number>>perBlock, 1)
	if err != nil {
		return nil, fmt.Errorf("no such inode: %w", err)
	}
	n := &node{number: number, raw: make([]byte, sb.inodeSize)}
	index := int64(number & (1<<perBlock - 1))
	if err := fs.read(n.raw, int64(block)*sb.blockSize+index*int64(sb.inodeSize)); err != nil {
		return nil, err
	}
	if be.Uint16(n.raw) != inodeMagic {
		return nil, fmt.Errorf("no magic number")
	}
	fields := inodeV2Size
	if sb.v5() {
		fields = inodeV3Size
		switch {
		case !checksumValid(n.raw, inodeCRC):
			return nil, fmt.Errorf("checksum mismatch")
		case !bytes.Equal(n.raw[inodeUUID:inodeUUID+16], sb.metaUUID):
			return nil, fmt.Errorf("it belongs to another file system")
		case be.Uint64(n.raw[inodeNumber:]) != number:
			return nil, fmt.Errorf("it says that it is inode %d", be.Uint64(n.raw[inodeNumber:]))
		}
	}
	if v := n.raw[inodeVersion]; v < 1 || v > 3 || (v == 3) != sb.v5() {
		return nil, fmt.Errorf("version %d", v)
	}
	if offset := int(n.raw[inodeForkOffset]) * 8; fields+offset >= sb.inodeSize {
		return nil, fmt.Errorf("attributes at %d, outside the inode", offset)
	}
	return n, nil
}

// convert makes the form that all file systems share.
func (fs *FS) convert(n *node) (*filesystem.Inode, error) {
	links := be.Uint32(n.raw[inodeLinks:])
	if n.raw[inodeVersion] == 1 {
		links = uint32(be.Uint16(n.raw[inodeOldLinks:]))
	}
	if n.mode() == 0 || links == 0 {
		return nil, fmt.Errorf("not in use, though a directory names it")
	}
	if n.size() < 0 {
		return nil, fmt.Errorf("size %d is over the format's limit", uint64(n.size()))
	}
	xattrs, err := fs.xattrs(n)
	if err != nil {
		return nil, err
	}
	inode := &filesystem.Inode{
		Number:   n.number,
		Mode:     n.mode(),
		Links:    links,
		UID:      be.Uint32(n.raw[inodeUID:]),
		GID:      be.Uint32(n.raw[inodeGID:]),
		Size:     n.size(),
		Modified: n.modified(),
		Xattrs:   xattrs,
		Sys:      n,
	}
	switch n.mode().Type() {
	case filesystem.ModeChar, filesystem.ModeBlock:
		inode.Major, inode.Minor, err = n.device()
	case filesystem.ModeSymlink:
		inode.Target, err = fs.target(n)
	case filesystem.ModeRegular, filesystem.ModeDir, filesystem.ModeFIFO, filesystem.ModeSocket:
	default:
		err = fmt.Errorf("unknown file type in mode %#o", uint16(n.mode()))
	}
	return inode, err
}

// modified returns the modification time: 32 bits each of seconds with a sign
// and of nanoseconds or, with bigtime, 64 bits of nanoseconds.
func (n *node) modified() time.Time {
	b := n.raw[inodeMtime:]
	if n.flags2()&flags2BigTime != 0 {
		t := be.Uint64(b)
		return time.Unix(int64(t/1e9)+bigTimeEpoch, int64(t%1e9)).UTC()
	}
	return time.Unix(int64(int32(be.Uint32(b))), int64(int32(be.Uint32(b[4:])))).UTC()
}

// device returns a device's number: 14 bits of major, of which Linux uses
// nine, and 18 of minor number.
func (n *node) device() (major, minor uint32, err error) {
	f := n.dataFork()
	if f.format != formatDevice || len(f.area) < 4 {
		return 0, 0, fmt.Errorf("device in format %d", f.format)
	}
	dev := be.Uint32(f.area)
	return dev >> 18 & 0x1ff, dev & 0x3ffff, nil
}
