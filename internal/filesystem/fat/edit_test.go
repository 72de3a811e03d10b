package fat

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// storage is a volume in memory that can be written.
type storage struct{ b []byte }

func (s *storage) Size() int64           { return int64(len(s.b)) }
func (s *storage) Prefetch(int64, int64) {}
func (s *storage) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(s.b).ReadAt(p, off)
}

func (s *storage) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off > int64(len(s.b))-int64(len(p)) {
		return 0, fmt.Errorf("write of %d bytes at %d", len(p), off)
	}
	return copy(s.b[off:], p), nil
}

// formats are file systems of all kinds, by mkfs.vfat's options.
var formats = map[string]struct {
	size int64
	args []string
}{
	"fat12":            {4 << 20, []string{"-F", "12"}},
	"fat16":            {64 << 20, []string{"-F", "16", "-n", "EFI SYS"}},
	"fat16 one table":  {64 << 20, []string{"-F", "16", "-f", "1"}},
	"fat16 64k":        {4000 << 20, []string{"-F", "16", "-s", "128"}},
	"fat32":            {64 << 20, []string{"-F", "32", "-n", "ESP"}},
	"fat32 few":        {40 << 20, []string{"-F", "32", "-s", "1"}},
	"fat32 4k sectors": {512 << 20, []string{"-F", "32", "-S", "4096", "-s", "1"}},
}

// filled makes a file system with files in it, and says what they are.
func filled(t *testing.T, format string) (img string, files map[string]node) {
	t.Helper()
	fstest.RequireTool(t, "mkfs.vfat", "mcopy", "mdel", "fsck.vfat")
	dir, files := source(t)
	img = fstest.Image(t, formats[format].size, append([]string{"mkfs.vfat"}, formats[format].args...)...)
	fragment(t, img)
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	command(t, "mcopy", append(append([]string{"-m", "-s", "-i", img}, all...), "::/")...)
	return img, files
}

// edit has a function change the file system in a file.
func edit(t *testing.T, img string, do func(*Editor) error) error {
	t.Helper()
	f, err := os.OpenFile(img, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	e, err := Edit(&fileStorage{f, fstest.Volume(t, img).Size()})
	if err != nil {
		return err
	}
	if err := do(e); err != nil {
		return err
	}
	return e.Close()
}

type fileStorage struct {
	*os.File
	size int64
}

func (s *fileStorage) Size() int64           { return s.size }
func (s *fileStorage) Prefetch(int64, int64) {}

// added are files of all sizes and names; folders come before what is in them.
func added() (names []string, files map[string]node) {
	files = map[string]node{}
	put := func(name string, size int) {
		names = append(names, name)
		at := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC).Add(time.Duration(len(names)) * time.Hour)
		data := strings.Repeat("#!/bin/sh of "+name+"\n", size/10+1)[:size]
		files[name] = node{filesystem.ModeRegular | 0o755, at.Unix(), data}
	}
	folder := func(name string) {
		names = append(names, name)
		files[name] = node{Mode: filesystem.ModeDir | 0o755}
	}
	folder("curtin")
	put("curtin/curtin-hooks", 4999)
	put("curtin/finalize", 512)
	put("curtin/FINALIZE.PY", 1<<20)
	put("curtin/.hidden", 3)
	put("curtin/a+b;c.d.e", 3)
	put("curtin/"+strings.Repeat("n", 255), 0)
	put("curtin/größe 😀.txt", 70_000)
	folder("curtin/deep")
	folder("curtin/deep/deeper")
	put("curtin/deep/deeper/file", 1)
	for i := range 200 {
		put(fmt.Sprintf("curtin/deep/a file with a long name %03d.txt", i), 10*i)
	}
	put("EFI/BOOT/BOOTX64.EFI", 90_000) // it is longer now
	put("many/"+strings.Repeat("d", 100)+"/deep/er/file", 2)
	put("EFI/debian/grub.cfg", 0)
	return names, files
}

// TestEdit adds and replaces files, and has all who read FAT look at them.
func TestEdit(t *testing.T) {
	for format := range formats {
		t.Run(format, func(t *testing.T) {
			img, want := filled(t, format)
			names, files := added()
			err := edit(t, img, func(e *Editor) error {
				for _, name := range names {
					f := files[name]
					want[name] = f
					at := time.Unix(f.Mtime, 0)
					var err error
					if f.Mode.IsDir() {
						err = e.Mkdir(name, at)
					} else {
						err = e.WriteFile(name, strings.NewReader(f.Data), int64(len(f.Data)), at)
					}
					if err != nil {
						return err
					}
				}
				return e.Mkdir("EFI/boot", time.Now()) // is there in other case
			})
			if err != nil {
				t.Fatal(err)
			}
			if said := command(t, "fsck.vfat", "-n", "-v", img); strings.Contains(said, "rong") || strings.Contains(said, "ifference") {
				t.Errorf("fsck.vfat says:\n%s", said)
			}
			readBack(t, img, want)
		})
	}
}

// readBack compares what our reader, mtools and the kernel find with what is
// wanted.
func readBack(t *testing.T, img string, want map[string]node) {
	t.Helper()
	fs, err := Open(fstest.Volume(t, img))
	if err != nil {
		t.Fatal(err)
	}
	got, err := walk(fs, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("our reader (-want +got):\n%s", d)
	}
	dir := t.TempDir()
	command(t, "mcopy", "-s", "-n", "-i", img, "::/*", dir)
	compareDir(t, "mtools", dir, want)
	if os.Geteuid() == 0 {
		if mounted, unmount, err := fstest.TryMount(t, img, "ro,utf8"); err == nil {
			compareDir(t, "the kernel", mounted, want)
			unmount()
		} else {
			t.Log(err)
		}
	}
}

// compareDir compares a folder's files with what is wanted.
func compareDir(t *testing.T, who, dir string, want map[string]node) {
	t.Helper()
	for name, f := range want {
		at := filepath.Join(dir, name)
		info, err := os.Stat(at)
		if err != nil {
			if strings.Contains(name, "😀") && who == "mtools" {
				continue // it knows only characters of 16 bits
			}
			t.Errorf("%s: %v", who, err)
			continue
		}
		if info.IsDir() != f.Mode.IsDir() {
			t.Errorf("%s: %s is a folder: %v", who, name, info.IsDir())
		}
		if info.IsDir() {
			continue
		}
		if got, err := os.ReadFile(at); err != nil || string(got) != f.Data {
			t.Errorf("%s: %s has other content; error %v", who, name, err)
		}
	}
}

func TestEditRefuses(t *testing.T) {
	write := func(name, data string) func(*Editor) error {
		return func(e *Editor) error {
			return e.WriteFile(name, strings.NewReader(data), int64(len(data)), time.Time{})
		}
	}
	img, _ := filled(t, "fat12")
	for want, do := range map[string]func(*Editor) error{
		"it has 5000000 bytes, and the file system is full: 3764224 of its 4169728 bytes are free": write("big", strings.Repeat("b", 5_000_000)),
		"there is a folder of that name": write("EFI", "x"),
		"there is no folder none":        write("none/x", "x"),
		"one is not a folder":            write("one/x", "x"),
		"there is a file of that name":   func(e *Editor) error { return e.Mkdir("ONE", time.Time{}) },
		"does not allow: one of":         write("a:b", "x"),
		"ends in a dot":                  write("a.", "x"),
		"longer than 255":                write(strings.Repeat("n", 256), "x"),
		"not UTF-8":                      write("\xff", "x"),
		"the root folder is full": func(e *Editor) error {
			for i := range 1000 {
				if err := e.WriteFile(fmt.Sprint(i), strings.NewReader(""), 0, time.Time{}); err != nil {
					return err
				}
			}
			return nil
		},
		"unexpected EOF": func(e *Editor) error { return e.WriteFile("short", strings.NewReader("x"), 2, time.Time{}) },
	} {
		if err := edit(t, fstest.Copy(t, img), do); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one that says %q", err, want)
		}
	}
}

// A full file system takes a replacement that needs no more room, and not one
// cluster is lost.
func TestEditFull(t *testing.T) {
	img, _ := filled(t, "fat12")
	data := ""
	err := edit(t, img, func(e *Editor) error {
		data = strings.Repeat("x", int(e.Free()))
		for range 3 {
			if err := e.WriteFile("rest.bin", strings.NewReader(data), int64(len(data)), time.Time{}); err != nil {
				return err
			}
		}
		if e.Free() != 0 {
			t.Errorf("%d bytes are free", e.Free())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	command(t, "fsck.vfat", "-n", img)
	out := filepath.Join(t.TempDir(), "out")
	command(t, "mcopy", "-i", img, "::/rest.bin", out)
	if got, err := os.ReadFile(out); err != nil || string(got) != data {
		t.Errorf("what is read is not what was written; error %v", err)
	}
}

// A table in which two files share a cluster is not touched.
func TestEditRefusesDamage(t *testing.T) {
	img, _ := filled(t, "fat16")
	for name, damage := range map[string]func(*volume, []byte){
		"shared": func(v *volume, b []byte) {
			entries, _ := v.readDir(rootNumber, 0)
			var firsts []*entry
			for _, e := range entries {
				if e.isFile() && !e.isDir() && e.first() > 0 {
					firsts = append(firsts, e)
				}
			}
			at := firsts[1].number * entrySize
			copy(b[at+26:at+28], firsts[0].raw[26:28])
		},
		"free": func(v *volume, b []byte) {
			clear(b[v.table+4 : v.table+v.tableSize])
		},
	} {
		b, err := os.ReadFile(img)
		if err != nil {
			t.Fatal(err)
		}
		fs, err := open(b)
		if err != nil {
			t.Fatal(err)
		}
		damage(fs.(*volume), b)
		if _, err := Edit(&storage{b}); err == nil || !strings.Contains(err.Error(), "fsck.fat") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

func TestShorten(t *testing.T) {
	taken := map[[11]byte]bool{padded("TAKEN", ""): true, padded("CURTIN~1", ""): true}
	for name, want := range map[string]string{
		"UPPER.TXT": "UPPER   TXT ", "lower.txt": "LOWER   TXT+", "curtin-hooks": "CURTIN~2   +", "taken": "TAKEN~1    +",
		"a.tar.gz": "ATAR~1  GZ +", ".bashrc": "BASHRC~1   +", "ä.txt": "_~1     TXT+", "x.html": "X~1     HTM+", "...": "_~1        +",
		"finalize.py": "FINALIZEPY +", "a b": "AB~1       +", "A+B": "A_B~1      +",
	} {
		short, long := shorten(name, taken)
		got := string(short[:]) + map[bool]string{true: "+", false: " "}[long]
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// FuzzEdit edits damaged file systems: whatever is in them, it ends, and what
// it does not refuse can be read.
func FuzzEdit(f *testing.F) {
	small := filepath.Join(f.TempDir(), "small")
	if err := os.WriteFile(small, make([]byte, 100<<10), 0o600); err != nil {
		f.Fatal(err)
	}
	fstest.RequireTool(f, "mkfs.vfat", "mcopy")
	command(f, "mkfs.vfat", "-F", "12", small)
	command(f, "mmd", "-i", small, "::/curtin")
	command(f, "mcopy", "-i", small, "/etc/passwd", "::/curtin/finalize")
	seed, err := os.ReadFile(small)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(0, byte(0), 0, byte(0))
	f.Fuzz(func(t *testing.T, at1 int, to1 byte, at2 int, to2 byte) {
		b := bytes.Clone(seed)
		b[uint(at1)%uint(len(b))], b[uint(at2)%uint(len(b))] = to1, to2
		e, err := Edit(&storage{b})
		if err != nil {
			return
		}
		for _, name := range []string{"curtin", "curtin/sub", "other"} {
			if err := e.Mkdir(name, time.Time{}); err != nil {
				return
			}
		}
		for _, name := range []string{"curtin/finalize", "curtin/a long name of some kind", "other/x"} {
			if err := e.WriteFile(name, strings.NewReader(path.Base(name)), int64(len(path.Base(name))), time.Time{}); err != nil {
				return
			}
		}
		if err := e.Close(); err != nil {
			return
		}
		fs, err := open(b)
		if err != nil {
			t.Fatal(err)
		}
		if files, err := walk(fs, 10_000); err == nil && files["curtin/finalize"].Data != "finalize" && files["CURTIN/FINALIZE"].Data != "finalize" {
			t.Errorf("read back: %v", files)
		}
	})
}
