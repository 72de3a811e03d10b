package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/tree"
)

// nasty is a tree of all that a system may hold and a tar may lose.
func nasty() *builder {
	b := newBuilder()
	b.entries[0].Xattrs = []filesystem.Xattr{{Name: "security.selinux", Value: []byte("system_u:object_r:root_t:s0\x00")}}
	b.file("etc/fstab", solid(321), xattr("security.selinux", "system_u:object_r:etc_t:s0\x00"))
	b.file("etc/empty", solid(0))
	for _, n := range []int64{1, 511, 512, 513, 1024, 4095, 4096, 4097, 1 << 20, 3<<20 + 17} {
		b.file(fmt.Sprintf("sizes/%d", n), solid(n))
	}
	nastyNames(b)
	nastyNodes(b)
	nastyTimes(b)
	nastyXattrs(b)
	nastyHoles(b)
	return b
}

func nastyNames(b *builder) {
	for _, name := range []string{
		"x~", "#x#", ".#x", "new\nline", "tab\t", `back\slash`, "quote'\"", " space ", "-dash", "ü-ẞ-漢字-😀",
		"raw\xff\xfe", strings.Repeat("n", 100), strings.Repeat("n", 99), strings.Repeat("m", 255),
		strings.Repeat("ü", 127), "r\xff" + strings.Repeat("w", 200), "%41", "a=b",
	} {
		b.file("names/"+name, solid(10))
	}
	b.link("names/zz-link", b.file("names/"+strings.Repeat("ö", 90), solid(9)))
	deep := "deep" + strings.Repeat("/"+strings.Repeat("d", 130), 10)
	f := b.file(deep+"/file", solid(5000))
	b.link("deep/link", f)
	for i, to := range []string{
		"/etc/fstab", "../etc/fstab", "no/where", "x\xff\xfey", "a\nb", "größe", strings.Repeat("\xf0", 300),
		strings.Repeat("0123456789/", 90) + "x", strings.Repeat("h", 100), strings.Repeat("h", 101),
	} {
		l := b.add(fmt.Sprintf("symlinks/%d", i), filesystem.ModeSymlink|0o777, target(to), owner(7, 8), modified(1e9, 5))
		b.link(l.Path+"-hard", l)
	}
}

func nastyNodes(b *builder) {
	b.add("nodes/null", filesystem.ModeChar|0o666, device(1, 3))
	b.add("nodes/big", filesystem.ModeChar|0o600, device(511, 1048575), owner(3_000_000_000, 4294967294))
	b.add("nodes/block", filesystem.ModeBlock|0o660, device(259, 65537), owner(0, 6))
	b.add("nodes/white", filesystem.ModeChar, device(0, 0))
	b.link("nodes/fifo2", b.add("nodes/fifo", filesystem.ModeFIFO|0o640, modified(1, 2)))
	b.add("nodes/socket", filesystem.ModeSocket|0o755)
	set := func(m filesystem.Mode) func(*tree.Entry) {
		return func(e *tree.Entry) { e.Mode = filesystem.ModeRegular | m }
	}
	b.file("modes/suid", solid(5), set(0o4755))
	b.file("modes/sgid", solid(5), set(0o2755), owner(1000, 1000))
	b.file("modes/none", solid(5), set(0))
	b.file("modes/all", solid(5), set(0o7777), owner(2097151, 2097152))
	b.file("modes/huge", solid(5), owner(2097152, 2097151))
	b.add("modes/sticky", filesystem.ModeDir|0o1777)
	b.add("modes/closed", filesystem.ModeDir, modified(1234567890, 987654321))
	b.file("modes/closed/in", solid(3))
}

func nastyTimes(b *builder) {
	for i, m := range [][2]int64{
		{0, 0},
		{0, 1},
		{-1, 500_000_000},
		{-1, 0},
		{-47_000_000, 123_456_789},
		{-2_147_483_647, 0},
		{-2_147_483_647, 999_999_999},
		{2_208_988_800, 0},
		{7_258_118_400, 100},
		{8_589_934_591, 0},
		{8_589_934_592, 0},
		{15_032_385_500, 999_999_999},
		{1e9, 120_000_000},
	} {
		b.file(fmt.Sprintf("times/%02d", i), solid(1), modified(m[0], m[1]))
	}
}

func nastyXattrs(b *builder) {
	acl := "\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x07\x00\xe8\x03\x00\x00\x04\x00\x04\x00\xff\xff\xff\xff\x10\x00\x07\x00\xff\xff\xff\xff\x20\x00\x04\x00\xff\xff\xff\xff"
	caps := "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	b.file("xattrs/ping", solid(5), xattr("security.capability", caps), owner(0, 0))
	b.file("xattrs/acl", solid(5), xattr("system.posix_acl_access", acl), func(e *tree.Entry) { e.Mode = filesystem.ModeRegular | 0o674 })
	b.add("xattrs/dacl", filesystem.ModeDir|0o750, xattr("system.posix_acl_default", acl), xattr("user.d", "x"))
	keys := b.file("xattrs/keys", solid(5),
		xattr("trusted.t", "1"), xattr("user.%41", "percent"), xattr("user.empty", ""), xattr("user.k=eq", "a=b"),
		xattr("user.nul", "a\x00b\nc"), xattr("user.newline\nkey", "v"), xattr("user.ü", "\xff\xfe"), xattr("user.z", strings.Repeat("z", 3000)))
	b.link("xattrs/keys2", keys)
	b.file("xattrs/sparse", holed(1<<20, 512<<10, 4096), xattr("user.s", "sparse"), xattr("security.selinux", "s"))
	b.add("xattrs/symlink", filesystem.ModeSymlink|0o777, target("keys"), xattr("security.selinux", "link_t\x00"), xattr("trusted.s", "v"))
}

func nastyHoles(b *builder) {
	b.file("holes/all", holed(1<<20))
	b.file("holes/all-odd", holed(1<<20+77))
	b.file("holes/small", holed(5000))
	b.file("holes/8G", holed(8<<30, 4<<30, 8192))
	b.file("holes/12G", holed(12<<30, 0, 4096, 9<<30, 4096, 12<<30-4096, 4096))
	b.file("holes/trailing", holed(10<<20, 0, 12288))
	b.file("holes/leading", holed(10<<20, 10<<20-4096, 4096))
	b.file("holes/odd-end", holed(1<<20+100, 0, 4096, 1<<20, 100))
	b.file("holes/beyond", holed(100_000, 65536, 1<<20))
	runs := &memFile{size: 2000 * 16384}
	for i := range int64(2000) {
		runs.segments = append(runs.segments, filesystem.Segment{Offset: i * 16384, Length: 4096})
	}
	b.file("holes/runs", runs)
	b.file("holes/ü-"+strings.Repeat("l", 200), holed(1<<20, 0, 4096))
	b.file("holes/raw\xff", holed(1<<20, 0, 4096))
	zero := solid(1 << 20)
	zero.zero = true
	b.file("holes/written-zeros", zero)
}

// TestExtract extracts the nasty tree with curtin's flags and compares every
// file with what went in.
func TestExtract(t *testing.T) {
	fstest.RequireRoot(t)
	fstest.RequireTool(t, "tar")
	for _, tc := range []struct {
		name   string
		locale string
	}{{"C", "C"}, {"UTF-8", "C.UTF-8"}} {
		t.Run(tc.name, func(t *testing.T) {
			b := nasty()
			data, sum := tarBytes(t, b.seq())
			if sum.SkippedSockets != 1 || sum.Entries() != len(b.entries)-1 {
				t.Errorf("%d entries, %d sockets skipped, of %d", sum.Entries(), sum.SkippedSockets, len(b.entries))
			}
			dir := t.TempDir()
			out := curtinExtract(t, dir, data, tc.locale)
			if out != "" {
				t.Errorf("tar says: %s", out)
			}
			compare(t, dir, b.entries)
		})
	}
}

// curtinExtract extracts a tar as curtin does.
func curtinExtract(t *testing.T, dir string, data []byte, locale string) string {
	t.Helper()
	cmd := exec.Command("tar", "-C", dir, "--xattrs", "--xattrs-include=*", "-Sxpf", "-", "--numeric-owner")
	cmd.Env = append(os.Environ(), "LC_ALL="+locale)
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
	// Years that are far away are worth a warning to tar.
	return string(regexp.MustCompile(`(?m)^tar: .* time stamp .*\n`).ReplaceAll(out, nil))
}

// compare checks each entry against the file system below dir.
func compare(t *testing.T, dir string, entries []*tree.Entry) {
	t.Helper()
	count := 0
	if err := filepath.WalkDir(dir, func(string, os.DirEntry, error) error { count++; return nil }); err != nil {
		t.Fatal(err)
	}
	inodes := map[uint64]uint64{}
	want := 0
	for _, e := range entries {
		if e.Mode.Type() == filesystem.ModeSocket {
			continue
		}
		want++
		p := filepath.Join(dir, e.Path)
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			t.Errorf("%q: %v", e.Path, err)
			continue
		}
		got := fmt.Sprintf("mode %o owner %d:%d mtime %d.%09d", st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec)
		exp := fmt.Sprintf("mode %o owner %d:%d mtime %d.%09d", e.Mode, e.UID, e.GID, e.Modified.Unix(), e.Modified.Nanosecond())
		if got != exp {
			t.Errorf("%q: got %s, want %s", e.Path, got, exp)
		}
		if ino, ok := inodes[e.Number]; ok != (e.HardLink != "") || ok && ino != st.Ino {
			t.Errorf("%q: inode %d, want that of %q", e.Path, st.Ino, e.HardLink)
		}
		inodes[e.Number] = st.Ino
		switch e.Mode.Type() {
		case filesystem.ModeSymlink:
			if got, _ := os.Readlink(p); got != e.Target {
				t.Errorf("%q: target %q, want %q", e.Path, got, e.Target)
			}
		case filesystem.ModeChar, filesystem.ModeBlock:
			if major, minor := unix.Major(st.Rdev), unix.Minor(st.Rdev); major != e.Major || minor != e.Minor {
				t.Errorf("%q: device %d:%d, want %d:%d", e.Path, major, minor, e.Major, e.Minor)
			}
		case filesystem.ModeRegular:
			if e.Data != nil {
				compareData(t, p, e, st.Size)
			}
		}
		compareXattrs(t, p, e)
	}
	if count != want {
		t.Errorf("%d files extracted, want %d", count, want)
	}
}

func compareXattrs(t *testing.T, path string, e *tree.Entry) {
	t.Helper()
	got, want := map[string]string{}, map[string]string{}
	for _, x := range e.Xattrs {
		want[x.Name] = string(x.Value)
	}
	buf := make([]byte, 1<<16)
	n, err := unix.Llistxattr(path, buf)
	if err != nil {
		t.Errorf("%q: %v", path, err)
		return
	}
	val := make([]byte, 1<<16)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00") {
		if name == "" {
			continue
		}
		n, err := unix.Lgetxattr(path, name, val)
		if err != nil {
			t.Errorf("%q: %s: %v", path, name, err)
		}
		got[name] = string(val[:max(n, 0)])
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%q: xattrs (-want +got):\n%s", e.Path, d)
	}
}

// compareData compares the data, and the holes with those of the plan: file
// systems keep holes of whole blocks.
func compareData(t *testing.T, path string, e *tree.Entry, size int64) {
	t.Helper()
	if size != e.Size {
		t.Errorf("%q: size %d, want %d", e.Path, size, e.Size)
		return
	}
	f, err := os.Open(path)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = f.Close() }()
	p, err := plan(e)
	if err != nil {
		t.Error(err)
		return
	}
	var got []filesystem.Segment
	for off := int64(0); ; {
		start, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
		if err != nil {
			break
		}
		if off, err = unix.Seek(int(f.Fd()), start, unix.SEEK_HOLE); err != nil {
			t.Error(err)
			return
		}
		got = append(got, filesystem.Segment{Offset: start, Length: off - start})
	}
	if d := cmp.Diff(p.regions, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%q: data (-want +got):\n%s", e.Path, d)
	}
	for _, s := range p.regions {
		a, b := make([]byte, s.Length), make([]byte, s.Length)
		if _, err := e.Data.ReadAt(a, s.Offset); err != nil && !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		if _, err := f.ReadAt(b, s.Offset); err != nil {
			t.Error(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%q: data at %d differs", e.Path, s.Offset)
		}
	}
}

// TestExtractManyXattrs has a pax header of more than 1 MiB.
func TestExtractManyXattrs(t *testing.T) {
	fstest.RequireRoot(t)
	fstest.RequireTool(t, "tar", "python3")
	b := newBuilder()
	e := b.file("many", solid(10))
	for i := range 300 {
		v := bytes.Repeat(binary.BigEndian.AppendUint32(nil, uint32(i)), 1000)
		e.Xattrs = append(e.Xattrs, filesystem.Xattr{Name: fmt.Sprintf("user.%03d", i), Value: v})
	}
	b.file("next", solid(10))
	data, _ := tarBytes(t, b.seq())
	if len(data) < 1<<20 {
		t.Fatalf("tar has only %d bytes", len(data))
	}
	dir := t.TempDir()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	out := curtinExtract(t, dir, data, "C.UTF-8")
	if st.Type == unix.EXT4_SUPER_MAGIC { // which has room for 4 KiB of attributes
		if !strings.Contains(out, "No space left") {
			t.Errorf("tar says %q", out)
		}
		e.Xattrs = nil
		if err := os.Remove(filepath.Join(dir, "many")); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "next")); err != nil {
			t.Error(err)
		}
		return
	}
	compare(t, dir, b.entries)
}
