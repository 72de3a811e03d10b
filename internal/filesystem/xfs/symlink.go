package xfs

import (
	"fmt"
	"strings"
)

const (
	maxSymlink   = 1024
	symlinkMagic = 0x58534c4d // "XSLM"
	// remoteHeader is the size of the header that version 5 puts before a
	// symlink's target or an attribute's value in blocks; both have the same.
	remoteHeader = 56
)

// target reads a symlink: in the inode if it is short, else from its blocks.
func (fs *FS) target(n *node) (string, error) {
	size := n.size()
	if size == 0 || size > maxSymlink {
		return "", fmt.Errorf("symlink of %d bytes", size)
	}
	f := n.dataFork()
	var b []byte
	if f.format == formatLocal {
		if size > int64(len(f.area)) {
			return "", fmt.Errorf("symlink of %d bytes in %d", size, len(f.area))
		}
		b = f.area[:size]
	} else {
		var err error
		if b, err = fs.remoteTarget(n, f, int(size)); err != nil {
			return "", fmt.Errorf("symlink: %w", err)
		}
	}
	if strings.IndexByte(string(b), 0) >= 0 {
		return "", fmt.Errorf("symlink holds a NUL byte")
	}
	return string(b), nil
}

// remoteTarget reads a target from blocks ("Extent Symbolic Links"). All blocks
// that lie one after the other have one header.
func (fs *FS) remoteTarget(n *node, f fork, size int) ([]byte, error) {
	runs, err := fs.runs(n, f)
	if err != nil {
		return nil, err
	}
	var target []byte
	var next uint64
	for _, r := range runs {
		if left := size - len(target); left <= 0 || r.logical != next {
			break
		}
		next = r.end()
		if int64(r.length) > (maxSymlink+remoteHeader)/fs.sb.blockSize+1 {
			return nil, fmt.Errorf("%d blocks", r.length)
		}
		b, err := fs.blocks(r.physical, r.length)
		if err != nil {
			return nil, err
		}
		if fs.sb.v5() {
			if be.Uint32(b) != symlinkMagic {
				return nil, fmt.Errorf("block %d: no magic number", r.physical)
			}
			if b, err = fs.remote(n, b, r.physical, len(target)); err != nil {
				return nil, fmt.Errorf("block %d: %w", r.physical, err)
			}
		}
		target = append(target, b[:min(len(b), size-len(target))]...)
	}
	if len(target) < size {
		return nil, fmt.Errorf("%d of %d bytes", len(target), size)
	}
	return target, nil
}

// remote verifies blocks that hold what is at an offset of a symlink's target
// or an attribute's value, and returns it.
func (fs *FS) remote(n *node, b []byte, physical uint64, off int) ([]byte, error) {
	if err := fs.verify(n, b, remoteForm, physical); err != nil {
		return nil, err
	}
	at, length := be.Uint32(b[4:]), be.Uint32(b[8:])
	if uint64(at) != uint64(off) || length == 0 || uint64(length) > uint64(len(b)-remoteHeader) {
		return nil, fmt.Errorf("%d bytes at %d, where %d comes", length, at, off)
	}
	return b[remoteHeader:][:length], nil
}
