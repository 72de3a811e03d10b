package ext4

import (
	"fmt"
	"strings"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// goodOldInodeSize is the size of an inode's first part, which is all that an
// inode had before ext4.
const goodOldInodeSize = 128

// Inode flags.
const (
	flagCompressed = 0x4
	flagEncrypted  = 0x800
	flagIndex      = 0x1000
	flagExtents    = 0x80000
	flagEAInode    = 0x200000
	flagInlineData = 0x10000000
	flagCasefold   = 0x40000000
)

// Offsets in an inode, from "Index Nodes".
const (
	inodeMode       = 0x00
	inodeUID        = 0x02
	inodeSizeLo     = 0x04
	inodeAtime      = 0x08
	inodeMtime      = 0x10
	inodeGID        = 0x18
	inodeLinks      = 0x1a
	inodeFlags      = 0x20
	inodeBlock      = 0x28
	inodeGeneration = 0x64
	inodeFileACL    = 0x68
	inodeSizeHi     = 0x6c
	inodeFileACLHi  = 0x76
	inodeUIDHi      = 0x78
	inodeGIDHi      = 0x7a
	inodeChecksum   = 0x7c
	inodeExtraSize  = 0x80
	inodeChecksumHi = 0x82
	inodeMtimeExtra = 0x88
)

// inodeBlockSize is the length of i_block, which holds an inode's block map, a
// short symlink's target, a device's number or the start of inline data.
const inodeBlockSize = 60

// node is an inode as it is on disk.
type node struct {
	number uint32
	raw    []byte
	seed   uint32 // of the checksums of what belongs to the inode
	inline []byte // the rest of inline data, from the attribute system.data
}

// errorf returns an error about the inode.
func (n *node) errorf(format string, args ...any) error { return n.wrap(fmt.Errorf(format, args...)) }

// wrap says that err is about the inode.
func (n *node) wrap(err error) error { return fmt.Errorf("ext4: inode %d: %w", n.number, err) }

func (n *node) mode() filesystem.Mode { return filesystem.Mode(le.Uint16(n.raw[inodeMode:])) }
func (n *node) flags() uint32         { return le.Uint32(n.raw[inodeFlags:]) }
func (n *node) has(flag uint32) bool  { return n.flags()&flag != 0 }
func (n *node) generation() uint32    { return le.Uint32(n.raw[inodeGeneration:]) }
func (n *node) blockMap() []byte      { return n.raw[inodeBlock : inodeBlock+inodeBlockSize] }

// extra is the part of the inode after its first 128 bytes that holds fields;
// between it and the inode's end are attributes.
func (n *node) extra() int {
	if len(n.raw) == goodOldInodeSize {
		return 0
	}
	return int(le.Uint16(n.raw[inodeExtraSize:]))
}

// fits says whether the inode has the field of n bytes at offset at.
func (n *node) fits(at, size int) bool { return at+size <= goodOldInodeSize+n.extra() }

// Inode returns the inode of the given number: the root or any other that a
// directory can name. Free and reserved ones are errors.
func (fs *FS) Inode(number uint64) (*filesystem.Inode, error) {
	if number != rootInode && number < uint64(fs.sb.firstInode) {
		return nil, fmt.Errorf("ext4: inode %d: reserved by the file system", number)
	}
	n, err := fs.readNode(number)
	if err != nil {
		return nil, fmt.Errorf("ext4: inode %d: %w", number, err)
	}
	inode, err := fs.convert(n)
	if err != nil {
		return nil, n.wrap(err)
	}
	return inode, nil
}

// readNode reads an inode and verifies its checksum.
func (fs *FS) readNode(number uint64) (*node, error) {
	sb := fs.sb
	if number == 0 || number > uint64(sb.inodes) {
		return nil, fmt.Errorf("no such inode: the file system has %d", sb.inodes)
	}
	group, index := uint32(number-1)/sb.inodesPerGroup, uint32(number-1)%sb.inodesPerGroup
	table, err := fs.inodeTable(group)
	if err != nil {
		return nil, err
	}
	n := &node{number: uint32(number), raw: make([]byte, sb.inodeSize)}
	if err := fs.read(n.raw, int64(table)*sb.blockSize+int64(index)*sb.inodeSize); err != nil {
		return nil, err
	}
	if extra := n.extra(); extra%4 != 0 || goodOldInodeSize+extra > len(n.raw) {
		return nil, fmt.Errorf("%d bytes of extra fields in an inode of %d bytes", extra, len(n.raw))
	}
	n.seed = crc32cUint32(crc32cUint32(sb.seed, n.number), n.generation())
	if sb.roCompat&roMetadataCsum != 0 && !n.checksumValid() {
		return nil, fmt.Errorf("checksum mismatch")
	}
	return n, nil
}

// checksumValid verifies the checksum over the whole inode; small inodes have
// only its lower half.
func (n *node) checksumValid() bool {
	stored := uint32(le.Uint16(n.raw[inodeChecksum:]))
	crc := crc32cHole(n.seed, n.raw[:goodOldInodeSize], inodeChecksum, 2)
	rest := n.raw[goodOldInodeSize:]
	if !n.fits(inodeChecksumHi, 2) {
		return uint16(crc32c(crc, rest)) == uint16(stored)
	}
	stored |= uint32(le.Uint16(n.raw[inodeChecksumHi:])) << 16
	return crc32cHole(crc, rest, inodeChecksumHi-goodOldInodeSize, 2) == stored
}

// convert makes the form that all file systems share.
func (fs *FS) convert(n *node) (*filesystem.Inode, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	xattrs, err := fs.xattrs(n)
	if err != nil {
		return nil, err
	}
	inode := &filesystem.Inode{
		Number:   uint64(n.number),
		Mode:     n.mode(),
		Links:    uint32(le.Uint16(n.raw[inodeLinks:])),
		UID:      uint32(le.Uint16(n.raw[inodeUID:])) | uint32(le.Uint16(n.raw[inodeUIDHi:]))<<16,
		GID:      uint32(le.Uint16(n.raw[inodeGID:])) | uint32(le.Uint16(n.raw[inodeGIDHi:]))<<16,
		Modified: n.modified(),
		Xattrs:   xattrs,
		Sys:      n,
	}
	if inode.Size, err = fs.size(n); err != nil {
		return nil, err
	}
	switch n.mode().Type() {
	case filesystem.ModeChar, filesystem.ModeBlock:
		inode.Major, inode.Minor = n.device()
	case filesystem.ModeSymlink:
		inode.Target, err = fs.target(n, inode.Size)
	}
	return inode, err
}

// check refuses inodes that are not in use, and those that cannot be read.
func (n *node) check() error {
	if le.Uint16(n.raw[inodeLinks:]) == 0 {
		return fmt.Errorf("not in use, though a directory names it")
	}
	switch n.mode().Type() {
	case filesystem.ModeRegular, filesystem.ModeDir, filesystem.ModeSymlink,
		filesystem.ModeChar, filesystem.ModeBlock, filesystem.ModeFIFO, filesystem.ModeSocket:
	default:
		return fmt.Errorf("unknown file type in mode %#o", uint16(n.mode()))
	}
	switch {
	case n.has(flagEncrypted):
		return fmt.Errorf("encrypted (fscrypt): it cannot be read without the guest's key")
	case n.has(flagCasefold) && n.mode().IsDir():
		return fmt.Errorf("directory that ignores case (casefold): its names would not mean the same elsewhere")
	case n.has(flagCompressed) && !n.has(flagExtents):
		return fmt.Errorf("compressed (e2compr)")
	case n.has(flagEAInode):
		return fmt.Errorf("an extended attribute's value, not a file")
	}
	return nil
}

// size returns the file's length; only regular files have its upper half, and
// directories with the feature large_dir.
func (fs *FS) size(n *node) (int64, error) {
	size := uint64(le.Uint32(n.raw[inodeSizeLo:]))
	if n.mode().IsRegular() || fs.sb.incompat&incompatLargeDir != 0 {
		size |= uint64(le.Uint32(n.raw[inodeSizeHi:])) << 32
	}
	if limit := uint64(fs.sb.blockSize) << 32; size > limit {
		return 0, fmt.Errorf("size %d is over the format's limit of %d", size, limit)
	}
	return int64(size), nil
}

// modified returns the modification time: 32 bits of seconds with a sign and,
// where the inode has room, two more above them and nanoseconds.
func (n *node) modified() time.Time {
	seconds := int64(int32(le.Uint32(n.raw[inodeMtime:])))
	var nano int64
	if n.fits(inodeMtimeExtra, 4) {
		extra := le.Uint32(n.raw[inodeMtimeExtra:])
		seconds += int64(extra&3) << 32
		nano = int64(extra >> 2)
	}
	return time.Unix(seconds, nano).UTC()
}

// device returns a device's number, in the old 8:8 or the new 12:20 bit form.
func (n *node) device() (major, minor uint32) {
	if old := le.Uint32(n.blockMap()); old != 0 {
		return old >> 8 & 0xff, old & 0xff
	}
	dev := le.Uint32(n.blockMap()[4:])
	return dev >> 8 & 0xfff, dev&0xff | dev>>12&0xfff00
}

// target reads a symlink: in the inode if it is short, else its only block.
func (fs *FS) target(n *node, size int64) (string, error) {
	if size == 0 || size > fs.sb.blockSize {
		return "", fmt.Errorf("symlink of %d bytes", size)
	}
	b := make([]byte, size)
	if size < inodeBlockSize && !n.has(flagExtents|flagInlineData) {
		copy(b, n.blockMap())
	} else {
		f, err := fs.data(n)
		if err != nil {
			return "", err
		}
		if _, err := f.ReadAt(b, 0); err != nil {
			return "", fmt.Errorf("symlink: %w", err)
		}
	}
	if strings.IndexByte(string(b), 0) >= 0 {
		return "", fmt.Errorf("symlink holds a NUL byte")
	}
	return string(b), nil
}
