package system

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// hostInode is the inode that a file of this machine gets in the image: its
// own mode and time, root's for the owner.
func hostInode(source string, info fs.FileInfo, epoch time.Time) (filesystem.Inode, error) {
	inode := filesystem.Inode{Links: 1, Size: info.Size(), Modified: info.ModTime(), Sys: hostFile{source, info.Size(), info.ModTime()}}
	if !epoch.IsZero() && inode.Modified.After(epoch) {
		inode.Modified = epoch
	}
	switch info.Mode().Type() {
	case 0:
		inode.Mode = filesystem.ModeRegular
		file, err := os.Open(source) // better now than after an hour's build
		if err != nil {
			return inode, err
		}
		if err := file.Close(); err != nil {
			return inode, err
		}
	case fs.ModeDir:
		inode.Mode, inode.Size = filesystem.ModeDir, 0
	case fs.ModeSymlink:
		target, err := os.Readlink(source)
		if err != nil {
			return inode, err
		}
		inode.Mode, inode.Target, inode.Size = filesystem.ModeSymlink, target, int64(len(target))
	default:
		return inode, fmt.Errorf("%s: neither a file, a folder nor a symbolic link", source)
	}
	inode.Mode |= unixPerm(info.Mode())
	return inode, nil
}

func unixPerm(m fs.FileMode) filesystem.Mode {
	perm := filesystem.Mode(m.Perm())
	if m&fs.ModeSetuid != 0 {
		perm |= unix.S_ISUID
	}
	if m&fs.ModeSetgid != 0 {
		perm |= unix.S_ISGID
	}
	if m&fs.ModeSticky != 0 {
		perm |= unix.S_ISVTX
	}
	return perm
}

// hostFile is the data of a layer's file as it was when the layer was read. It
// holds no descriptor between reads, for a layer may have more files than a
// process may open.
type hostFile struct {
	path     string
	size     int64
	modified time.Time
}

func (f hostFile) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.size {
		return 0, io.EOF
	}
	file, err := os.Open(f.path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	n, err := file.ReadAt(p[:min(int64(len(p)), f.size-off)], off)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, err
	}
	info, statErr := file.Stat()
	if statErr != nil {
		return n, statErr
	}
	if info.Size() != f.size || !info.ModTime().Equal(f.modified) {
		return 0, fmt.Errorf("%s was changed while it was packed", f.path)
	}
	return n, err
}

func (f hostFile) Segments() []filesystem.Segment {
	if f.size == 0 {
		return nil
	}
	return []filesystem.Segment{{Offset: 0, Length: f.size}}
}

func (f hostFile) Prefetch(int64, int64) {}
