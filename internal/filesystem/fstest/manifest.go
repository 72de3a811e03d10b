package fstest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// Record is all there is to know of a name in a tree.
type Record struct {
	Mode         filesystem.Mode
	UID, GID     uint32
	Links        uint32 // as the file system counts them; of directories 0
	Size         int64  // of regular files and symlinks
	Modified     time.Time
	Major, Minor uint32
	Target       string
	Names        string // all names of the inode, sorted, if there are several
	Digest       string // of a regular file's data
	Segments     []filesystem.Segment
	Xattrs       map[string]string

	device, inode uint64 // for Names
}

// Manifest maps the paths of a tree, "." being its root, to their records.
type Manifest map[string]*Record

// setNames fills Names from inode numbers.
func (m Manifest) setNames() {
	type file struct{ device, inode uint64 } // subvolumes of btrfs are devices
	names := make(map[file][]string)
	for path, r := range m {
		if !r.Mode.IsDir() {
			key := file{r.device, r.inode}
			names[key] = append(names[key], path)
		}
	}
	for _, list := range names {
		if len(list) < 2 {
			continue
		}
		slices.Sort(list)
		joined := strings.Join(list, "\n")
		for _, path := range list {
			m[path].Names = joined
		}
	}
}

// FromFS reads a manifest through a reader.
func FromFS(t testing.TB, fs filesystem.FS) Manifest {
	t.Helper()
	m, err := ReadFS(fs)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// ReadFS is FromFS with an error: for file systems that may be damaged. A
// directory that contains itself is an error too.
func ReadFS(fs filesystem.FS) (Manifest, error) {
	w := fsWalk{fs: fs, m: make(Manifest), digests: make(map[uint64]*Record), dirs: make(map[uint64]bool)}
	if err := w.visit(".", fs.Info().Root); err != nil {
		return nil, err
	}
	w.m.setNames()
	return w.m, nil
}

type fsWalk struct {
	fs      filesystem.FS
	m       Manifest
	digests map[uint64]*Record // of files with several names
	dirs    map[uint64]bool
}

func (w *fsWalk) visit(path string, number uint64) error {
	inode, err := w.fs.Inode(number)
	if err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	r := newRecord(inode)
	w.m[path] = r
	switch {
	case inode.Mode.IsRegular():
		return w.file(path, inode, r)
	case inode.Mode.IsDir():
		return w.dir(path, inode)
	}
	return nil
}

func (w *fsWalk) file(path string, inode *filesystem.Inode, r *Record) error {
	if known, ok := w.digests[inode.Number]; ok {
		r.Digest, r.Segments = known.Digest, known.Segments
		return nil
	}
	f, err := w.fs.Open(inode)
	if err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	r.Segments = f.Segments()
	if r.Digest, err = digestFile(f, inode.Size, r.Segments); err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	if inode.Links > 1 {
		w.digests[inode.Number] = r
	}
	return nil
}

func (w *fsWalk) dir(path string, inode *filesystem.Inode) error {
	if w.dirs[inode.Number] {
		return fmt.Errorf("%q: directory %d has several names", path, inode.Number)
	}
	w.dirs[inode.Number] = true
	entries, err := w.fs.ReadDir(inode)
	if err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	for _, e := range entries {
		if err := w.visit(join(path, e.Name), e.Inode); err != nil {
			return err
		}
	}
	return nil
}

// join adds a name to a path in the form of tree.Entry.
func join(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}

func newRecord(inode *filesystem.Inode) *Record {
	r := &Record{
		Mode: inode.Mode, UID: inode.UID, GID: inode.GID, Links: inode.Links, Size: inode.Size,
		Modified: inode.Modified.UTC(), Major: inode.Major, Minor: inode.Minor, Target: inode.Target,
		Xattrs: make(map[string]string), inode: inode.Number,
	}
	for _, x := range inode.Xattrs {
		r.Xattrs[x.Name] = string(x.Value)
	}
	r.normalise()
	return r
}

// normalise clears what differs between file systems without meaning anything.
func (r *Record) normalise() {
	if r.Mode.IsDir() {
		r.Links = 0
	}
	if !r.Mode.IsRegular() && r.Mode.Type() != filesystem.ModeSymlink {
		r.Size = 0
	}
}

// paths returns the manifest's paths in order.
func (m Manifest) paths() []string {
	paths := make([]string, 0, len(m))
	for path := range m {
		paths = append(paths, path)
	}
	slices.SortFunc(paths, cmp.Compare[string])
	return paths
}
