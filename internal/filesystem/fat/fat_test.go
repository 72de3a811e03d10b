package fat

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// image is a volume in memory.
type image struct {
	*bytes.Reader
	failAt int64 // reads that touch this byte fail, if it is not 0
}

var errBroken = errors.New("broken disk")

func (v *image) Prefetch(int64, int64) {}

func (v *image) ReadAt(p []byte, off int64) (int, error) {
	if v.failAt > 0 && off <= v.failAt && v.failAt < off+int64(len(p)) {
		return 0, errBroken
	}
	return v.Reader.ReadAt(p, off)
}

func open(b []byte) (filesystem.FS, error) { return Open(&image{Reader: bytes.NewReader(b)}) }

func command(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC", "MTOOLS_SKIP_CHECK=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// node is what a walk sees of a file.
type node struct {
	Mode  filesystem.Mode
	Mtime int64
	Data  string
}

// source makes a tree to be copied by mtools and returns what is in it.
func source(t testing.TB) (string, map[string]node) {
	t.Helper()
	dir, want := t.TempDir(), map[string]node{}
	add := func(name, data string) {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
		at := time.Date(2024, 2, 29, 23, 59, 58, 0, time.UTC).Add(time.Duration(len(want)) * time.Hour)
		if err := os.Chtimes(p, at, at); err != nil {
			t.Fatal(err)
		}
		want[name] = node{filesystem.ModeRegular | 0o755, at.Unix(), data}
		for d := path.Dir(name); d != "."; d = path.Dir(d) {
			want[d] = node{Mode: filesystem.ModeDir | 0o755}
		}
	}
	text := func(n int) string { return strings.Repeat("0123456789abcdef\n", n/17+1)[:n] }
	add("EFI/BOOT/BOOTX64.EFI", text(40_000))
	add("EFI/debian/grub.cfg", "search.fs_uuid\n")
	add("EFI/debian/shimx64.efi", text(70_001))
	add("empty", "")
	add("one", "1")
	add("lower.txt", text(511))
	add("UPPER.TXT", text(512))
	add("Mixed.Txt", text(513))
	add("two.dots.txt", "x")
	add("no extension at all", "x")
	add("thirteen-char", "13")
	add("größe ẞ 漢字.txt", "u")
	add(strings.Repeat("l", 254), "long")
	add("many/"+strings.Repeat("d", 100)+"/deep/er/file", "deep")
	for i := range 120 {
		add(fmt.Sprintf("many/file with a long name %03d", i), strconv.Itoa(i))
	}
	return dir, want
}

// walk reads a whole file system, and checks what has to hold for any.
func walk(fs filesystem.FS, limit int) (map[string]node, error) {
	out := map[string]node{}
	var visit func(prefix string, number uint64) error
	visit = func(prefix string, number uint64) error {
		inode, err := fs.Inode(number)
		if err != nil {
			return err
		}
		n := node{Mode: inode.Mode}
		if inode.Mode.IsRegular() {
			f, err := fs.Open(inode)
			if err != nil {
				return err
			}
			data, err := io.ReadAll(io.NewSectionReader(f, 0, inode.Size+10))
			if err != nil {
				return err
			}
			n.Data, n.Mtime = string(data), inode.Modified.Unix()
		}
		if prefix != "" {
			out[prefix] = n
		}
		if len(out) > limit {
			return fmt.Errorf("more than %d files", limit)
		}
		if !inode.Mode.IsDir() {
			return nil
		}
		entries, err := fs.ReadDir(inode)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := visit(path.Join(prefix, e.Name), e.Inode); err != nil {
				return err
			}
		}
		return nil
	}
	return out, visit("", fs.Info().Root)
}

// TestRead compares what is read with what mtools wrote.
func TestRead(t *testing.T) {
	fstest.RequireTool(t, "mkfs.vfat", "mcopy", "mdel", "blkid", "fsck.vfat")
	dir, want := source(t)
	for name, tc := range map[string]struct {
		size int64
		args []string
		bits int
	}{
		"fat12":             {4 << 20, []string{"-F", "12", "-n", "SMALL"}, 12},
		"fat12 floppy":      {1440 << 10, []string{"-F", "12", "-s", "1"}, 12},
		"fat16":             {64 << 20, []string{"-F", "16", "-i", "00ab12cd", "-n", "EFI SYS"}, 16},
		"fat16 one cluster": {16 << 20, []string{"-F", "16", "-s", "1"}, 16},
		"fat32":             {64 << 20, []string{"-F", "32", "-n", "ESP"}, 32},
		"fat32 few":         {40 << 20, []string{"-F", "32", "-s", "1"}, 32},
		"fat32 4k sectors":  {512 << 20, []string{"-F", "32", "-S", "4096", "-s", "1"}, 32},
	} {
		t.Run(name, func(t *testing.T) {
			img := filepath.Join(t.TempDir(), "img")
			if err := os.WriteFile(img, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(img, tc.size); err != nil {
				t.Fatal(err)
			}
			command(t, "mkfs.vfat", append(tc.args, img)...)
			fragment(t, img)
			command(t, "mcopy", "-m", "-s", "-i", img, filepath.Join(dir, "EFI"), "::/")
			others, err := filepath.Glob(filepath.Join(dir, "[^E]*"))
			if err != nil {
				t.Fatal(err)
			}
			command(t, "mcopy", append(append([]string{"-m", "-s", "-i", img}, others...), "::/")...)
			command(t, "fsck.vfat", "-n", img)

			b, err := os.ReadFile(img)
			if err != nil {
				t.Fatal(err)
			}
			fs, err := open(b)
			if err != nil {
				t.Fatal(err)
			}
			got, err := walk(fs, 10_000)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if bits := fs.(*volume).bits; bits != tc.bits {
				t.Errorf("FAT%d, want FAT%d", bits, tc.bits)
			}
			compareInfo(t, img, fs.Info())
			checkFree(t, img, fs.(*volume), want)
		})
	}
}

// fragment leaves free clusters in pieces.
func fragment(t *testing.T, img string) {
	t.Helper()
	dir := t.TempDir()
	args := []string{"-i", img}
	for i := range 40 {
		p := filepath.Join(dir, fmt.Sprintf("FRAG%02d", i))
		if err := os.WriteFile(p, make([]byte, 5000), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, p)
	}
	command(t, "mcopy", append(args, "::/")...)
	for _, odd := range []string{"[13579]", "[02468]"} {
		command(t, "mdel", "-i", img, "::/FRAG?"+odd)
		if odd == "[13579]" {
			p := filepath.Join(dir, "KEEP")
			if err := os.WriteFile(p, make([]byte, 60_000), 0o644); err != nil {
				t.Fatal(err)
			}
			command(t, "mcopy", "-i", img, p, "::/")
		}
	}
	command(t, "mdel", "-i", img, "::/KEEP")
}

// compareInfo compares with what blkid sees.
func compareInfo(t *testing.T, img string, info filesystem.Info) {
	t.Helper()
	got := map[string]string{"TYPE": info.Type, "UUID": info.UUID}
	if info.Label != "" {
		got["LABEL"] = info.Label
	}
	want := map[string]string{}
	for line := range strings.Lines(command(t, "blkid", "-p", "-o", "export", img)) {
		k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if k == "TYPE" || k == "UUID" || k == "LABEL" {
			want[k] = strings.ReplaceAll(v, `\ `, " ")
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("blkid (-want +got):\n%s", d)
	}
	if len(info.Warnings) > 0 {
		t.Errorf("warnings: %q", info.Warnings)
	}
}
