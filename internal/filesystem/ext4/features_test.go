package ext4_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/ext4"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// TestUnmountable reads formats that this machine's kernel may not mount, made
// by mke2fs from a directory.
func TestUnmountable(t *testing.T) {
	source := sourceTree(t)
	for name, options := range map[string]string{
		"8k blocks":       "-t ext4 -b 8192",
		"16k blocks":      "-t ext4 -b 16384 -O inline_data",
		"32k blocks":      "-t ext2 -b 32768",
		"64k blocks":      "-t ext4 -b 65536",
		"64k, no csum":    "-t ext4 -b 65536 -O ^metadata_csum",
		"casefold":        "-t ext4 -O casefold,encrypt,verity",
		"quota, project":  "-t ext4 -O quota,project",
		"Hurd":            "-t ext2 -o hurd -I 128",
		"group desc. 128": "-t ext4 -E desc_size=128",
	} {
		t.Run(name, func(t *testing.T) {
			args := append(mkfs(options), "-d", source)
			fs := open(t, fstest.Image(t, 64<<20, args...))
			got, want := fstest.FromFS(t, fs), fstest.FromDir(t, source)
			want["."].Modified = got["."].Modified // mke2fs does not copy it
			o := fstest.Options{WholeSeconds: true, IgnoreSegments: true, IgnorePaths: []string{"lost+found"}}
			fstest.Check(t, got, want, o)
		})
	}
}

// sourceTree is a directory for mke2fs -d.
func sourceTree(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(dir, "dir", "deeper"), 0o755))
	must(os.Mkdir(filepath.Join(dir, "large"), 0o750))
	for i := range 400 {
		must(os.WriteFile(filepath.Join(dir, "large", strings.Repeat("l", i%200)+"-"+string(rune('a'+i/200))), nil, 0o600))
	}
	must(os.WriteFile(filepath.Join(dir, "small"), []byte("small"), 0o644))
	must(os.WriteFile(filepath.Join(dir, "dir", "big"), []byte(strings.Repeat("0123456789abcde\n", 20000)), 0o600))
	must(os.Link(filepath.Join(dir, "small"), filepath.Join(dir, "dir", "link")))
	must(os.Symlink("short", filepath.Join(dir, "short")))
	must(os.Symlink(strings.Repeat("long/", 40), filepath.Join(dir, "dir", "long")))
	return dir
}

// TestRefused expects errors that name what is wrong with a whole file system.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name, mkfs string
		debugfs    []string
		patch      map[int64]byte
		want       string
	}{
		{name: "journal device", mkfs: "-O journal_dev -b 1024", want: "feature journal_dev"},
		{
			name: "compression", mkfs: "-t ext2", patch: map[int64]byte{1024 + 0x60: 0x3},
			want: "features that cannot be read: compression",
		},
		{name: "unknown feature", mkfs: "-t ext2", patch: map[int64]byte{1024 + 0x62: 0x90}, want: "FEATURE_I20, FEATURE_I23"},
		{name: "superblock checksum", mkfs: "-t ext4", patch: map[int64]byte{1024 + 0x78: 'X'}, want: "superblock: checksum mismatch"},
		{name: "magic", mkfs: "-t ext4", patch: map[int64]byte{1024 + 0x38: 0}, want: "superblock: no ext2, ext3 or ext4 magic number"},
		{name: "block size", mkfs: "-t ext2", patch: map[int64]byte{1024 + 0x18: 7}, want: "block size 2^17"},
		{name: "inode size", mkfs: "-t ext2", patch: map[int64]byte{1024 + 0x58: 3}, want: "inode size"},
		{name: "inode count", mkfs: "-t ext2", patch: map[int64]byte{1024: 1}, want: "inodes in"},
		{name: "blocks per group", mkfs: "-t ext2 -b 1024", patch: map[int64]byte{1024 + 0x21: 0}, want: "blocks and"},
		{
			name: "external journal", mkfs: "-t ext4", debugfs: []string{"feature needs_recovery", "ssv journal_inum 0"},
			want: "journal: it needs to be replayed but is on another device: boot the guest once",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			image := fstest.Image(t, 16<<20, mkfs(c.mkfs)...)
			debugfs(t, image, c.debugfs...)
			for at, value := range c.patch {
				patch(t, image, at, value)
			}
			_, err := ext4.Open(fstest.Volume(t, image))
			if err == nil || !strings.HasPrefix(err.Error(), "ext4: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, not about %q", err, c.want)
			}
		})
	}
}

func TestCutShort(t *testing.T) {
	image := fstest.Image(t, 16<<20, mkfs("-t ext4")...)
	if err := os.Truncate(image, 10<<20); err != nil {
		t.Fatal(err)
	}
	const want = "ext4: file system is 16777216 bytes but its partition has only 10485760: the disk is cut short or was shrunk"
	if _, err := ext4.Open(fstest.Volume(t, image)); err == nil || err.Error() != want {
		t.Errorf("error is %v", err)
	}
}

// TestRefusedInodes expects errors for inodes that cannot be read, in file
// systems that can.
func TestRefusedInodes(t *testing.T) {
	image := fstest.Image(t, 16<<20, append(mkfs("-t ext4 -O casefold,encrypt,verity"), "-d", sourceTree(t))...)
	debugfs(t, image, "sif dir flags 0x40080000", "sif small flags 0x80800", "sif dir/big flags 0x180000", "ln <20> free", "clri <20>")
	fs := open(t, image)
	root, err := fs.Inode(fs.Info().Root)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := fs.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"dir": "casefold", "small": "encrypted", "free": "not in use"}
	for _, e := range entries {
		_, err := fs.Inode(e.Inode)
		if what := want[e.Name]; what == "" && err != nil || what != "" && (err == nil || !strings.Contains(err.Error(), what)) {
			t.Errorf("%s: error is %v", e.Name, err)
		}
		delete(want, e.Name)
	}
	if len(want) > 0 {
		t.Errorf("not met: %v", want)
	}
	for number, what := range map[uint64]string{0: "reserved", 8: "reserved", 1 << 31: "no such inode", 1<<32 + 2: "no such inode"} {
		if _, err := fs.Inode(number); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("inode %d: error is %v", number, err)
		}
	}
	if _, err := fs.Open(root); err == nil {
		t.Error("the root opens as a file")
	}
}

// TestWarnings expects what a person should know.
func TestWarnings(t *testing.T) {
	image := fstest.Image(t, 16<<20, mkfs("-t ext4")...)
	debugfs(t, image, "ssv state 3", "ssv error_count 7", "ssv last_error_func ext4_lookup", "ssv last_error_time 20240229120000",
		"ssv last_orphan 12", "feature FEATURE_R25")
	got := strings.Join(open(t, image).Info().Warnings, "\n")
	for _, want := range []string{"7 errors, the last in ext4_lookup at 2024-02-29T12:00:00Z", "open after their removal", "FEATURE_R25"} {
		if !strings.Contains(got, want) {
			t.Errorf("no warning about %q in %q", want, got)
		}
	}
}

// debugfs changes an image.
func debugfs(t *testing.T, image string, commands ...string) {
	t.Helper()
	fstest.RequireTool(t, "debugfs")
	for _, c := range commands {
		fstest.Run(t, "debugfs", "-w", "-R", c, image)
	}
}

func patch(t *testing.T, image string, at int64, value byte) {
	t.Helper()
	f, err := os.OpenFile(image, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt([]byte{value}, at)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
