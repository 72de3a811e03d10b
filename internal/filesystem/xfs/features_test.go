package xfs_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/xfs"
)

// TestUnmountable reads formats that this machine's kernel may not mount, made
// by mkfs.xfs from a directory and by xfs_db.
func TestUnmountable(t *testing.T) {
	fstest.RequireRoot(t) // for the owner of the source
	fstest.RequireTool(t, "xfs_db")
	source := sourceTree(t)
	prototype := filepath.Join(t.TempDir(), "prototype")
	if err := os.WriteFile(prototype, []byte("boot\n0 0\n"+prototypeOf(t, source, "d--755 0 0")+"$\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, options := range map[string]string{
		"v4":                     "-m crc=0",
		"v4, no ftype":           "-m crc=0 -n ftype=0",
		"v4, 512-byte blocks":    "-m crc=0 -b size=512 -n size=8192",
		"v4, 256-byte inodes":    "-m crc=0 -i size=256,attr=1 -b size=1024",
		"v4, log of version 1":   "-m crc=0 -l version=1",
		"v4, 16-bit project ids": "-m crc=0 -i projid32bit=0 -b size=65536",
		"v5, 64k blocks":         "-b size=65536",
		"v5, 16k blocks":         "-b size=16384 -n size=65536 -i nrext64=1",
	} {
		t.Run(name, func(t *testing.T) {
			image := fstest.Image(t, 600<<20, append(mkfs(options), "-p", prototype)...)
			fs := open(t, image)
			got, want := fstest.FromFS(t, fs), fstest.FromDir(t, source)
			o := fstest.Options{IgnoreTimes: true, IgnoreSegments: true}
			fstest.Check(t, got, want, o)
			if !strings.Contains(options, "crc=0") { // of which xfs_db crashes
				setAttributes(t, image, want)
				fstest.Check(t, fstest.FromFS(t, fs), want, o)
			}
		})
	}
}

// sourceTree is a directory for mkfs.xfs -p, which knows no hard links and, in
// version 5, writes no header for long symlinks.
func sourceTree(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Chmod(dir, 0o755))
	for name, count := range map[string]int{"short": 3, "block": 10, "leaf": 100, "node": 3000} {
		must(os.MkdirAll(filepath.Join(dir, name, "sub"), 0o755))
		for i := range count {
			must(os.WriteFile(filepath.Join(dir, name, fmt.Sprintf("%d-%s", i, strings.Repeat("n", i%200))), nil, 0o644))
		}
	}
	must(os.WriteFile(filepath.Join(dir, "small"), []byte("small"), 0o644))
	must(os.WriteFile(filepath.Join(dir, "big"), []byte(strings.Repeat("0123456789abcde\n", 200_000)), 0o644))
	for _, length := range []int{1, 60, 155, 156, 336} {
		must(os.Symlink(strings.Repeat("t", length), filepath.Join(dir, fmt.Sprintf("link%d", length))))
	}
	return dir
}

// prototypeOf describes a directory as mkfs.xfs -p wants it; mode is its own.
func prototypeOf(t testing.TB, dir, mode string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	list.WriteString(mode + "\n")
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch e.Type() {
		case os.ModeDir:
			list.WriteString(e.Name() + " " + prototypeOf(t, path, "d--755 0 0") + "$\n")
		case os.ModeSymlink:
			target, _ := os.Readlink(path)
			list.WriteString(e.Name() + " l--777 0 0 " + target + "\n")
		default:
			list.WriteString(e.Name() + " ---644 0 0 " + path + "\n")
		}
	}
	return list.String()
}

// setAttributes gives files of an image attributes of all forms, and says so in
// the manifest.
func setAttributes(t *testing.T, image string, m fstest.Manifest) {
	t.Helper()
	args := []string{"-x"}
	set := func(file, namespace, name string, length int) {
		args = append(args, "-c", fmt.Sprintf("attr_set -%c -v %d %s", namespace[0], length, name))
		m[file].Xattrs[map[string]string{"u": "user.", "r": "trusted.", "s": "security."}[namespace]+name] = strings.Repeat("v", length)
	}
	for file, c := range map[string]struct{ count, length int }{
		"small": {2, 10}, "big": {20, 100}, "leaf": {300, 40}, "short": {3, 5000}, "link156": {4, 30}, "node": {1, 65536},
	} {
		args = append(args, "-c", "path /"+file)
		for i := range c.count {
			set(file, []string{"u", "r", "s"}[i%3], fmt.Sprintf("attribute%d", i), c.length)
		}
	}
	if out := fstest.Run(t, "xfs_db", append(args, image)...); out != "" {
		t.Log(out)
	}
}

// TestRefused expects errors that name what is wrong with a whole file system.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name, mkfs string
		patch      map[int]byte
		torn       bool // the checksum is left as it was
		want       string
	}{
		{name: "needsrepair", patch: map[int]byte{219: 0x1b}, want: "needs repair (needsrepair): run xfs_repair"},
		{name: "metadir", patch: map[int]byte{218: 1}, want: "features that cannot be read: metadir"},
		{name: "unknown features", patch: map[int]byte{217: 0x81}, want: "incompat bit 16, incompat bit 23"},
		{name: "checksum", patch: map[int]byte{110: 'X'}, torn: true, want: "superblock: checksum mismatch"},
		{name: "checksum of a large sector", mkfs: "-s size=4096", patch: map[int]byte{4000: 'X'}, torn: true, want: "superblock: checksum mismatch"},
		{name: "magic", patch: map[int]byte{0: 'Y'}, want: "superblock: no XFS magic number"},
		{name: "version", patch: map[int]byte{101: 0xa6}, want: "superblock: version 6"},
		{name: "old directories", patch: map[int]byte{100: 0x94}, want: "directories of version 1"},
		{name: "ascii-ci", mkfs: "-m crc=0 -n version=ci", want: "ascii-ci"},
		{name: "in progress", patch: map[int]byte{126: 1}, want: "the file system is not complete"},
		{name: "sector size", patch: map[int]byte{102: 0x80, 103: 1}, want: "sectors of"},
		{name: "block size", patch: map[int]byte{120: 17}, want: "blocks of"},
		{name: "inode size", patch: map[int]byte{122: 12}, want: "inodes of"},
		{name: "inodes in a block", patch: map[int]byte{123: 4}, want: "inodes in a block"},
		{name: "directory block size", patch: map[int]byte{192: 5}, want: "directory blocks"},
		{name: "groups", patch: map[int]byte{91: 9}, want: "blocks in 9 groups of"},
		{name: "group size", patch: map[int]byte{124: 3}, want: "groups of"},
		{name: "log outside", patch: map[int]byte{50: 1}, want: "log of"},
		{name: "external log", mkfs: "", patch: map[int]byte{48: 0, 49: 0, 50: 0, 51: 0, 52: 0, 53: 0, 54: 0, 55: 0}, want: "external log"},
	} {
		t.Run(c.name, func(t *testing.T) {
			image := fstest.Image(t, 300<<20, mkfs(c.mkfs)...)
			patchSuperblock(t, image, c.patch, !c.torn)
			_, err := xfs.Open(fstest.Volume(t, image))
			if err == nil || !strings.HasPrefix(err.Error(), "xfs: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, not about %q", err, c.want)
			}
		})
	}
}

// patchSuperblock changes an image's superblock and, if seal is set, makes its
// checksum right again.
func patchSuperblock(t *testing.T, image string, patch map[int]byte, seal bool) {
	t.Helper()
	f, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 4096)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	b = b[:binary.BigEndian.Uint16(b[102:])]
	for at, value := range patch {
		b[at] = value
	}
	if seal && b[101]&0xf == 5 {
		binary.LittleEndian.PutUint32(b[224:], 0)
		binary.LittleEndian.PutUint32(b[224:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
}

func TestCutShort(t *testing.T) {
	image := fstest.Image(t, 300<<20, mkfs("")...)
	if err := os.Truncate(image, 200<<20); err != nil {
		t.Fatal(err)
	}
	const want = "xfs: file system is 314572800 bytes but its partition has only 209715200: the disk is cut short or was shrunk"
	if _, err := xfs.Open(fstest.Volume(t, image)); err == nil || err.Error() != want {
		t.Errorf("error is %v", err)
	}
}

// TestAccepted expects file systems to be read that newer tools make, and what
// does not hinder reading.
func TestAccepted(t *testing.T) {
	image := fstest.Image(t, 300<<20, mkfs("")...)
	patchSuperblock(t, image, map[int]byte{219: 0xeb, 214: 2}, true) // exchange-range, parent pointers; unknown
	info := open(t, image).Info()
	if len(info.Warnings) != 1 || !strings.Contains(info.Warnings[0], "harmless for reading: ro_compat bit 9") {
		t.Errorf("warnings are %q", info.Warnings)
	}
}

// TestMetaUUID reads a file system whose UUID was changed.
func TestMetaUUID(t *testing.T) {
	fstest.RequireTool(t, "xfs_admin")
	image := fstest.Image(t, 300<<20, mkfs("")...)
	fstest.Run(t, "xfs_admin", "-U", "01234567-89ab-cdef-0123-456789abcdef", image)
	fs := open(t, image)
	if fs.Info().UUID != "01234567-89ab-cdef-0123-456789abcdef" {
		t.Errorf("%+v", fs.Info())
	}
	if m := fstest.FromFS(t, fs); len(m) != 1 {
		t.Errorf("%d files", len(m))
	}
}

// TestRefusedInodes expects errors for inodes that no directory may name.
func TestRefusedInodes(t *testing.T) {
	fs := open(t, fstest.Image(t, 300<<20, mkfs("")...))
	for number, what := range map[uint64]string{
		0: "reserved", 1: "no such inode", 129: "reserved", 130: "reserved", 131: "not in use", 8: "no magic number", 1 << 40: "no such inode", 1<<64 - 1: "no such inode",
	} {
		if _, err := fs.Inode(number); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("inode %d: error is %v", number, err)
		}
	}
	root, err := fs.Inode(fs.Info().Root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.Open(root); err == nil {
		t.Error("the root opens as a file")
	}
	root.Sys = nil
	if _, err := fs.ReadDir(root); err == nil {
		t.Error("an inode of elsewhere is a directory")
	}
}

// The kernel that mounts a file system is known by its features.
func TestLinux(t *testing.T) {
	fstest.RequireTool(t, "mkfs.xfs")
	for options, want := range map[string][2]int{
		"-m crc=0":                               {},
		"-m bigtime=0,inobtcount=0 -i nrext64=0": {},
		"-m bigtime=1,inobtcount=0 -i nrext64=0": {5, 10},
		"-m bigtime=0,inobtcount=1 -i nrext64=0": {5, 10},
		"-i nrext64=1":                           {5, 19},
	} {
		if got := open(t, fstest.Image(t, 300<<20, mkfs(options)...)).Info().Linux; got != want {
			t.Errorf("%s: Linux %v, want %v", options, got, want)
		}
	}
}
