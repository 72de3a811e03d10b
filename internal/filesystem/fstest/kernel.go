package fstest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// FromDir reads a manifest of a directory that the kernel has mounted, or that
// an archive was extracted to.
func FromDir(t testing.TB, dir string) Manifest {
	t.Helper()
	m := make(Manifest)
	if err := m.addDir(dir, "."); err != nil {
		t.Fatal(err)
	}
	m.setNames()
	return m
}

// addDir adds what is at root/path.
func (m Manifest) addDir(root, path string) error {
	r, err := fromKernel(root + "/" + path)
	if err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	m[path] = r
	if !r.Mode.IsDir() {
		return nil
	}
	entries, err := os.ReadDir(root + "/" + path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := m.addDir(root, join(path, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func fromKernel(path string) (*Record, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return nil, err
	}
	r := &Record{
		Mode: filesystem.Mode(st.Mode), UID: st.Uid, GID: st.Gid, Links: uint32(st.Nlink), Size: st.Size,
		Modified: time.Unix(st.Mtim.Sec, st.Mtim.Nsec).UTC(), device: st.Dev, inode: st.Ino,
	}
	var err error
	if r.Xattrs, err = kernelXattrs(path); err != nil {
		return nil, err
	}
	switch r.Mode.Type() {
	case filesystem.ModeChar, filesystem.ModeBlock:
		r.Major, r.Minor = unix.Major(st.Rdev), unix.Minor(st.Rdev)
	case filesystem.ModeSymlink:
		r.Target, err = os.Readlink(path)
	case filesystem.ModeRegular:
		err = r.readKernelData(path)
	}
	r.normalise()
	return r, err
}

// readKernelData takes a file's data and where the kernel says it is.
func (r *Record) readKernelData(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if r.Segments, err = kernelSegments(f, r.Size); err != nil {
		return err
	}
	r.Digest, err = digestSegments(f, r.Size, r.Segments)
	return err
}

// kernelSegments asks the kernel for the runs of data in a file.
func kernelSegments(f *os.File, size int64) ([]filesystem.Segment, error) {
	var segments []filesystem.Segment
	for at := int64(0); at < size; {
		start, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break
		}
		if err != nil {
			return nil, err
		}
		if at, err = unix.Seek(int(f.Fd()), start, unix.SEEK_HOLE); err != nil {
			return nil, err
		}
		segments = append(segments, filesystem.Segment{Offset: start, Length: min(at, size) - start})
	}
	return segments, nil
}

// kernelXattrs reads all attributes of a file, not following symlinks, but for
// those that a file system shows for what is stored in another way.
func kernelXattrs(path string) (map[string]string, error) {
	n, err := unix.Llistxattr(path, nil)
	if errors.Is(err, unix.ENOTSUP) || err == nil && n == 0 {
		return map[string]string{}, nil
	}
	list := make([]byte, n)
	if err == nil {
		n, err = unix.Llistxattr(path, list)
	}
	if err != nil {
		return nil, fmt.Errorf("llistxattr: %w", err)
	}
	xattrs := make(map[string]string)
	value := make([]byte, 64<<10)
	for name := range bytes.SplitSeq(list[:n], []byte{0}) {
		if len(name) == 0 || strings.HasPrefix(string(name), "trusted.SGI_ACL_") {
			continue
		}
		n, err := unix.Lgetxattr(path, string(name), value)
		if err != nil {
			return nil, fmt.Errorf("lgetxattr %s: %w", name, err)
		}
		xattrs[string(name)] = string(value[:n])
	}
	return xattrs, nil
}
