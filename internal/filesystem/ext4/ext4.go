// Package ext4 reads ext2, ext3 and ext4 file systems.
//
// Nothing is kept but the superblock and, after a guest that was not shut down,
// where in the journal the newest copies of blocks are: inodes, directories
// and attributes are read when they are asked for. Every checksum that the
// file system carries is verified on the way.
//
// The format is described by the kernel's documentation, "ext4 Data Structures
// and Algorithms", whose chapter names the comments of this package use.
package ext4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// le is the byte order of everything but the journal.
var le = binary.LittleEndian

// FS is an ext2, ext3 or ext4 file system opened for reading.
type FS struct {
	volume disk.Volume // with the journal's blocks laid over it
	sb     *superblock
	info   filesystem.Info

	replayed bool // the journal was not empty
}

var _ filesystem.FS = (*FS)(nil)

// Probe says whether v holds an ext2, ext3 or ext4 superblock. It says nothing
// of whether Open can read the rest.
func Probe(v disk.Volume) bool {
	var magic [2]byte
	n, _ := v.ReadAt(magic[:], superblockOffset+0x38)
	return n == len(magic) && le.Uint16(magic[:]) == superblockMagic
}

// Open opens the file system on v. A journal that the guest left unfinished is
// replayed in memory; v itself is only read.
func Open(v disk.Volume) (*FS, error) {
	fs, err := open(v)
	if err != nil {
		return nil, fmt.Errorf("ext4: %w", err)
	}
	return fs, nil
}

func open(v disk.Volume) (*FS, error) {
	sb, err := readSuperblock(v)
	if err != nil {
		return nil, err
	}
	fs := &FS{volume: v, sb: sb}
	var warnings []string
	if sb.incompat&incompatRecover != 0 {
		replayed, transactions, err := fs.replay()
		if err != nil {
			return nil, fmt.Errorf("journal: %w", err)
		}
		fs.volume, fs.replayed = replayed, true
		if fs.sb, err = readSuperblock(replayed); err != nil {
			return nil, fmt.Errorf("after replaying the journal: %w", err)
		}
		if transactions > 0 {
			warnings = append(warnings, fmt.Sprintf(
				"the file system was not unmounted cleanly: %d transactions of its journal were replayed in memory", transactions))
		}
	}
	fs.info = fs.sb.info()
	fs.info.Warnings = append(warnings, fs.info.Warnings...)
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

// node returns the reader's own form of an inode that came from Inode.
func (fs *FS) node(inode *filesystem.Inode) (*node, error) {
	n, ok := inode.Sys.(*node)
	if !ok {
		return nil, fmt.Errorf("ext4: inode %d was not read from this file system", inode.Number)
	}
	return n, nil
}

// read fills p from the volume's byte off on.
func (fs *FS) read(p []byte, off int64) error { return readFull(fs.volume, p, off) }

// block reads a block of the file system.
func (fs *FS) block(number uint64) ([]byte, error) {
	if err := fs.sb.checkBlocks(number, 1); err != nil {
		return nil, err
	}
	b := make([]byte, fs.sb.blockSize)
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
