// Package btrfs reads btrfs file systems that are on one device.
//
// What is kept are the superblock, where chunks are, the list of subvolumes,
// and the blocks of trees and compressed extents that were read last: inodes,
// directories and attributes are read when they are asked for. Every checksum
// is verified on the way, those of data too; where there are two copies, the
// second serves if the first is damaged.
//
// A log tree that the guest left unfinished is not replayed but refused.
//
// The format is described by the btrfs documentation, "On-disk Format".
package btrfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// le is the byte order of everything.
var le = binary.LittleEndian

// FS is a btrfs file system opened for reading, as it looks from the root of
// one of its subvolumes.
type FS struct {
	*device
	root *subvolume
}

var _ filesystem.Subvolumes = (*FS)(nil)

// device is what all subvolumes of a file system share.
type device struct {
	volume     disk.Volume
	sb         *superblock
	chunks     chunks
	subvolumes map[uint64]*subvolume
	sums       *treeRoot // of the checksums of data
	warnings   []string

	nodes   *cache[*treeNode]
	decoded *cache[[]byte] // compressed extents

	mu    sync.Mutex
	stubs map[uint64]*filesystem.Inode // that ReadDir met
}

// Probe says whether v holds a btrfs superblock. It says nothing of whether
// Open can read the rest.
func Probe(v disk.Volume) bool {
	var magic [8]byte
	n, _ := v.ReadAt(magic[:], superblockOffsets[0]+superMagic)
	return n == len(magic) && string(magic[:]) == superblockMagic
}

// Open opens the file system on v, whose root is then that of the subvolume
// that is mounted where none is named. The guest must have unmounted it
// cleanly; v is only read.
func Open(v disk.Volume) (*FS, error) {
	fs, err := open(v)
	if err != nil {
		return nil, fmt.Errorf("btrfs: %w", err)
	}
	return fs, nil
}

func open(v disk.Volume) (*FS, error) {
	sb, warnings, err := readSuperblock(v)
	if err != nil {
		return nil, err
	}
	d := &device{
		volume: v, sb: sb, warnings: warnings,
		nodes:   newCache[*treeNode](nodeCacheSize / int(sb.nodeSize)),
		decoded: newCache[[]byte](decodedCacheSize / maxDecoded),
		stubs:   make(map[uint64]*filesystem.Inode),
	}
	if err := d.readChunks(); err != nil {
		return nil, fmt.Errorf("chunks: %w", err)
	}
	id, err := d.readRoots()
	if err != nil {
		return nil, fmt.Errorf("tree of roots: %w", err)
	}
	root := d.subvolumes[id]
	if root == nil {
		return nil, fmt.Errorf("tree of roots: the default subvolume %d is missing", id)
	}
	return &FS{d, root}, nil
}

// Info says what the file system is.
func (fs *FS) Info() filesystem.Info {
	info := fs.sb.info()
	info.Root = fs.root.rootInode()
	info.Warnings = fs.warnings
	return info
}

// Open gives access to a regular file's data.
func (fs *FS) Open(file *filesystem.Inode) (filesystem.File, error) {
	n, err := fs.node(file)
	if err != nil {
		return nil, err
	}
	if !n.mode().IsRegular() {
		return nil, n.errorf("not a regular file")
	}
	f, err := fs.data(n)
	if err != nil {
		return nil, n.wrap(err)
	}
	return f, nil
}

// node returns the reader's own form of an inode that came from Inode.
func (fs *FS) node(inode *filesystem.Inode) (*node, error) {
	n, ok := inode.Sys.(*node)
	if !ok {
		return nil, fmt.Errorf("btrfs: inode %d was not read from this file system", inode.Number)
	}
	return n, nil
}

// readFull fills p from v's byte off on.
func readFull(v disk.Volume, p []byte, off int64) error {
	n, err := v.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %d bytes at %d: %w", len(p), off, err)
}
