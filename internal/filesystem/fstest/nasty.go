package fstest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Limits say what a file system cannot hold. Its zero value is for one with all
// that ext4 has by default.
type Limits struct {
	// XattrBytes is the room for the attributes of one file: 3500 if it is 0.
	XattrBytes int
	// LargeXattrs says that there is room for values of 64 KiB, and for many.
	LargeXattrs bool
	// NoFallocate says that space cannot be allocated before it is written.
	NoFallocate bool
	// ShortSymlinks is the longest symlink, if that is less than 4095 bytes.
	ShortSymlinks int
	// ShortACLs says that an ACL has at most 25 entries.
	ShortACLs bool
	// Minors is the highest minor number of a device, if that is less than
	// 1048575.
	Minors uint32
}

// nasty fills a directory.
type nasty struct {
	t      testing.TB
	dir    string
	limits Limits
	random *rand.Rand
	times  map[string]unix.Timespec
}

// Nasty fills dir, in a file system that the kernel has mounted, with every
// kind of file that a reader can get wrong. It needs root, and about 40 MB.
func Nasty(t testing.TB, dir string, limits ...Limits) {
	t.Helper()
	RequireRoot(t)
	n := &nasty{t: t, dir: dir, random: rand.New(rand.NewSource(1)), times: make(map[string]unix.Timespec)}
	if len(limits) > 0 {
		n.limits = limits[0]
	}
	if n.limits.XattrBytes == 0 {
		n.limits.XattrBytes = 3500
	}
	if n.limits.ShortSymlinks == 0 {
		n.limits.ShortSymlinks = 4095
	}
	if n.limits.Minors == 0 {
		n.limits.Minors = 1<<20 - 1
	}
	old := unix.Umask(0)
	defer unix.Umask(old)
	n.sizes()
	n.sparse()
	n.fragmented()
	n.names()
	n.links()
	n.specials()
	n.owners()
	n.directories()
	n.attributes()
	n.acls()
	n.setTimes()
}

// must ends the test at the first error.
func (n *nasty) must(err error) {
	n.t.Helper()
	if errors.Is(err, unix.EIO) {
		n.t.Fatalf("nasty tree: %v: the image's own disk could not be written (full?); the kernel's log (dmesg) tells", err)
	}
	if err != nil {
		n.t.Fatalf("nasty tree: %v", err)
	}
}

func (n *nasty) path(name string) string { return n.dir + "/" + name }

func (n *nasty) mkdir(name string) { n.t.Helper(); n.must(os.MkdirAll(n.path(name), 0o755)) }

// bytes are random, but the same every time.
func (n *nasty) bytes(size int) []byte {
	b := make([]byte, size)
	n.random.Read(b)
	return b
}

func (n *nasty) file(name string, data []byte) {
	n.t.Helper()
	n.must(os.WriteFile(n.path(name), data, 0o644))
}

// with opens a new file for f.
func (n *nasty) with(name string, f func(*os.File) error) {
	n.t.Helper()
	file, err := os.Create(n.path(name))
	n.must(err)
	err = f(file)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		n.t.Fatalf("nasty tree: %s: %v", name, err)
	}
}

// sizes makes files around the limits of inline data, blocks and clusters.
func (n *nasty) sizes() {
	n.mkdir("sizes")
	for _, size := range []int{
		0, 1, 2, 59, 60, 61, 95, 96, 100, 155, 156, 160, 161, 511, 512, 1023, 1024, 1025,
		2048, 4095, 4096, 4097, 12 << 10, 12<<10 + 1, 65535, 65536, 65537, 300_000, 3 << 20,
	} {
		n.file(fmt.Sprintf("sizes/%d", size), n.bytes(size))
	}
	// Longer than what was ever written.
	n.file("sizes/grown", n.bytes(10))
	n.must(os.Truncate(n.path("sizes/grown"), 200))
	n.file("sizes/grown-much", n.bytes(10))
	n.must(os.Truncate(n.path("sizes/grown-much"), 1<<20))
	n.file("sizes/cut", n.bytes(20000))
	n.must(os.Truncate(n.path("sizes/cut"), 777))
	n.file("sizes/zeros", make([]byte, 10000))
	// The escape of journals: data that looks like a journal's block.
	n.file("sizes/magic", append(binary.BigEndian.AppendUint32(nil, 0xc03b3998), n.bytes(8192)...))
}

// sparse makes files with holes and with space that was never written.
func (n *nasty) sparse() {
	n.mkdir("sparse")
	n.with("sparse/10G", func(f *os.File) error {
		for _, at := range []int64{0, 5 << 20, 3 << 30, 10<<30 - 100} {
			if _, err := f.WriteAt(n.bytes(100), at); err != nil {
				return err
			}
		}
		return nil
	})
	n.with("sparse/all", func(f *os.File) error { return f.Truncate(8<<30 + 12345) })
	n.with("sparse/leading", func(f *os.File) error { _, err := f.WriteAt([]byte("end"), 1<<20); return err })
	n.with("sparse/trailing", func(f *os.File) error {
		_, err := f.Write(n.bytes(5000))
		n.must(err)
		return f.Truncate(2 << 20)
	})
	if n.limits.NoFallocate {
		return
	}
	n.with("sparse/unwritten", func(f *os.File) error {
		n.must(unix.Fallocate(int(f.Fd()), 0, 0, 1<<20))
		_, err := f.WriteAt(n.bytes(10000), 300_000)
		return err
	})
	n.with("sparse/keep-size", func(f *os.File) error {
		_, err := f.Write(n.bytes(70000))
		n.must(err)
		return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, 2<<20)
	})
	n.with("sparse/keep-size-empty", func(f *os.File) error {
		return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, 1<<20)
	})
	n.with("sparse/punched", func(f *os.File) error {
		_, err := f.Write(n.bytes(1 << 20))
		n.must(err)
		for at := int64(0); at < 1<<20; at += 100_000 {
			n.must(unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, at, 50_000))
		}
		return nil
	})
}

// fragmented makes files of many extents.
func (n *nasty) fragmented() {
	n.mkdir("fragmented")
	n.with("fragmented/holes", func(f *os.File) error {
		for i := range int64(1500) {
			if _, err := f.WriteAt(n.bytes(100), i*8192); err != nil {
				return err
			}
		}
		return nil
	})
	// Written in turns, so that they lie between each other.
	var files []*os.File
	for i := range 3 {
		f, err := os.Create(n.path(fmt.Sprintf("fragmented/turns%d", i)))
		n.must(err)
		defer f.Close()
		files = append(files, f)
	}
	for range 60 {
		for _, f := range files {
			_, err := f.Write(n.bytes(4096))
			n.must(err)
			n.must(unix.Fdatasync(int(f.Fd())))
		}
	}
}

// names makes files whose names are hard to pass on.
func (n *nasty) names() {
	n.mkdir("names")
	for i, name := range []string{
		strings.Repeat("n", 255), "new\nline", "tab\there", `quote"'back\slash`, " space ", "-dash", "*?[a]",
		"\xff\xfe\x80", "caf\xe9", "über", "~", "backup~", ".hidden", "...", "a=b", "%s", "\x01\x7f", "CON", "case", "CASE",
	} {
		n.file("names/"+name, fmt.Appendf(nil, "%d", i))
	}
	deep := "names" + strings.Repeat("/d", 100)
	n.mkdir(deep)
	n.file(deep+"/bottom", []byte("bottom"))
}

// links makes hard links and symlinks.
func (n *nasty) links() {
	n.mkdir("links/a/b")
	n.file("links/a/file", n.bytes(5000))
	n.must(os.Link(n.path("links/a/file"), n.path("links/a/b/other")))
	n.must(os.Link(n.path("links/a/file"), n.path("links/zz")))
	n.file("links/many", []byte("many"))
	n.mkdir("links/1000")
	for i := range 1000 {
		n.must(os.Link(n.path("links/many"), n.path(fmt.Sprintf("links/1000/%d", i))))
	}
	n.mkdir("symlinks")
	for _, length := range []int{1, 2, 58, 59, 60, 61, 62, 95, 96, 155, 156, 300, 500, 1000, 1022, 2000, 4094, 4095} {
		if length <= n.limits.ShortSymlinks {
			target := strings.Repeat("t/", length)[:length]
			n.must(os.Symlink(target, n.path(fmt.Sprintf("symlinks/%d", length))))
		}
	}
	n.must(os.Symlink("\xff\xfe\n\x80", n.path("symlinks/bytes")))
	n.must(os.Symlink("/etc/../absolute", n.path("symlinks/absolute")))
	n.must(os.Link(n.path("symlinks/absolute"), n.path("symlinks/hard-linked")))
}

// specials makes what is neither file, directory nor symlink.
func (n *nasty) specials() {
	n.mkdir("specials")
	for _, s := range []struct {
		name         string
		kind         uint32
		major, minor uint32
	}{
		{"null", unix.S_IFCHR, 1, 3},
		{"whiteout", unix.S_IFCHR, 0, 0},
		{"old-limit", unix.S_IFCHR, 255, 255},
		{"minor", unix.S_IFCHR, 4, 256},
		{"big", unix.S_IFCHR, 511, n.limits.Minors},
		{"sda1", unix.S_IFBLK, 8, 1},
		{"dm", unix.S_IFBLK, 253, 70000},
		{"fifo", unix.S_IFIFO, 0, 0},
		{"socket", unix.S_IFSOCK, 0, 0},
	} {
		n.must(unix.Mknod(n.path("specials/"+s.name), s.kind|0o660, int(unix.Mkdev(s.major, s.minor))))
	}
	n.must(os.Link(n.path("specials/fifo"), n.path("specials/fifo-again")))
}

// owners makes files with all kinds of permissions and owners.
func (n *nasty) owners() {
	n.mkdir("owners")
	for _, mode := range []uint32{0, 0o111, 0o444, 0o600, 0o777, 0o1777, 0o2755, 0o4755, 0o6711, 0o7777} {
		name := fmt.Sprintf("owners/%04o", mode)
		n.file(name, []byte("x"))
		n.must(unix.Chmod(n.path(name), mode))
		n.mkdir(name + ".d")
		n.must(unix.Chmod(n.path(name+".d"), mode))
	}
	for i, id := range []uint32{1, 1000, 65534, 65535, 65536, 1 << 31, 4294967294} {
		name := fmt.Sprintf("owners/%d", id)
		n.file(name, []byte("x"))
		n.must(unix.Lchown(n.path(name), int(id), int(id-uint32(i%2))))
		n.must(os.Symlink("x", n.path(name+".link")))
		n.must(unix.Lchown(n.path(name+".link"), int(id), 7))
	}
}

// directories makes directories of all forms: within the inode, of one block,
// with an index, and with gaps.
func (n *nasty) directories() {
	for _, count := range []int{0, 1, 2, 3, 10, 40, 100, 300, 3000} {
		dir := fmt.Sprintf("directories/%d", count)
		n.mkdir(dir)
		for i := range count {
			n.file(fmt.Sprintf("%s/entry-%d", dir, i), nil)
		}
		for i := 0; i < count && count > 3; i += 7 {
			n.must(os.Remove(n.path(fmt.Sprintf("%s/entry-%d", dir, i))))
		}
	}
	n.mkdir("directories/emptied")
	for i := range 500 {
		n.file(fmt.Sprintf("directories/emptied/%0200d", i), nil)
	}
	for i := range 500 {
		n.must(os.Remove(n.path(fmt.Sprintf("directories/emptied/%0200d", i))))
	}
}

// setTimes gives files times from before 1970 to after 2106, directories last.
func (n *nasty) setTimes() {
	n.mkdir("times")
	for _, s := range []int64{-2147483648, -5_000_000, -1, 0, 1, 2147483647, 2147483648, 4294967295, 4294967296, 7_000_000_000, 15_032_385_535} {
		name := fmt.Sprintf("times/%d", s)
		n.file(name, nil)
		n.times[name] = unix.Timespec{Sec: s, Nsec: 123456789}
		n.must(os.Symlink("x", n.path(name+".link")))
		n.times[name+".link"] = unix.Timespec{Sec: s, Nsec: 999999999}
	}
	base := time.Date(2024, 2, 29, 12, 0, 0, 1, time.UTC)
	err := filepath.WalkDir(n.dir, func(path string, d os.DirEntry, err error) error {
		if name, _ := filepath.Rel(n.dir, path); err == nil && d.IsDir() && name != "lost+found" {
			n.times[name] = unix.Timespec{Sec: base.Unix() + int64(len(n.times)), Nsec: int64(len(n.times))}
		}
		return err
	})
	n.must(err)
	for name, ts := range n.times {
		n.must(unix.UtimesNanoAt(unix.AT_FDCWD, n.path(name), []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW))
	}
}
