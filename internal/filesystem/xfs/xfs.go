// Package xfs reads XFS file systems, versions 4 and 5.
//
// Nothing is kept but the superblock: inodes, directories and attributes are
// read when they are asked for. Every checksum that a version 5 file system
// carries is verified on the way, and so is that a block belongs where it is.
//
// A log that the guest left unfinished is not replayed but refused.
//
// The format is described by "XFS Algorithms & Data Structures", whose chapter
// names the comments of this package use.
package xfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// be is the byte order of everything but checksums.
var be = binary.BigEndian

// FS is an XFS file system opened for reading.
type FS struct {
	volume disk.Volume
	sb     *superblock
	info   filesystem.Info
}

var _ filesystem.FS = (*FS)(nil)

// Probe says whether v holds an XFS superblock. It says nothing of whether Open
// can read the rest.
func Probe(v disk.Volume) bool {
	var magic [4]byte
	n, _ := v.ReadAt(magic[:], 0)
	return n == len(magic) && be.Uint32(magic[:]) == superblockMagic
}

// Open opens the file system on v, which must have been unmounted cleanly or
// mounted read-only last; v is only read.
func Open(v disk.Volume) (*FS, error) {
	fs, err := open(v)
	if err != nil {
		return nil, fmt.Errorf("xfs: %w", err)
	}
	return fs, nil
}

func open(v disk.Volume) (*FS, error) {
	sb, err := readSuperblock(v)
	if err != nil {
		return nil, err
	}
	fs := &FS{volume: v, sb: sb, info: sb.info()}
	if err := fs.checkLog(); err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	return fs, nil
}

// Info says what the file system is.
func (fs *FS) Info() filesystem.Info { return fs.info }

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

// data gives access to what a regular file holds.
func (fs *FS) data(n *node) (*blockFile, error) {
	if be.Uint16(n.raw[inodeFlags:])&flagRealtime != 0 {
		return nil, fmt.Errorf("realtime file: its data is on another device")
	}
	runs, err := fs.runs(n, n.dataFork())
	if err != nil {
		return nil, err
	}
	return &blockFile{fs: fs, size: n.size(), runs: runs}, nil
}

// node returns the reader's own form of an inode that came from Inode.
func (fs *FS) node(inode *filesystem.Inode) (*node, error) {
	n, ok := inode.Sys.(*node)
	if !ok {
		return nil, fmt.Errorf("xfs: inode %d was not read from this file system", inode.Number)
	}
	return n, nil
}

// read fills p from the volume's byte off on.
func (fs *FS) read(p []byte, off int64) error { return readFull(fs.volume, p, off) }

// blocks reads count blocks from the one of the given number on.
func (fs *FS) blocks(number, count uint64) ([]byte, error) {
	b := make([]byte, int64(count)*fs.sb.blockSize)
	if err := fs.read(b, int64(number)*fs.sb.blockSize); err != nil {
		return nil, err
	}
	return b, nil
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
