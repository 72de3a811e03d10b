package btrfs_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// fillSubvolumes makes subvolumes in subvolumes and in directories, snapshots
// of them, one that has moved, and one that was deleted.
func fillSubvolumes(t *testing.T, dir string) {
	t.Helper()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path(name)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path(name), []byte(name), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) { t.Helper(); fstest.Run(t, "btrfs", args...) }
	for _, name := range []string{"@", "@home", "gone"} {
		run("subvolume", "create", path(name))
		write(name + "/file")
	}
	write("@/var/lib/file")
	run("subvolume", "create", path("@/var/lib/deep"))
	write("@/var/lib/deep/file")
	run("subvolume", "create", path("@/moved"))
	if err := os.Chown(path("@/var/lib"), 1000, 2000); err != nil {
		t.Fatal(err)
	}
	// In a snapshot, the subvolumes in what it is of are empty directories.
	run("subvolume", "snapshot", path("@"), path("@snapshot"))
	write("@/later")
	run("subvolume", "snapshot", "-r", path("@"), path("@/read-only"))
	write("directory/file")
	if err := os.Rename(path("@/moved"), path("directory/moved")); err != nil {
		t.Fatal(err)
	}
	run("subvolume", "delete", path("gone"))
}

// TestSubvolumes compares each subvolume with what the kernel shows of it, and
// the one that it mounts if none is named.
func TestSubvolumes(t *testing.T) {
	fstest.RequireRoot(t)
	fstest.RequireTool(t, "btrfs")
	image := fstest.Image(t, 600<<20, mkfs("")...)
	dir, unmount := fstest.Mount(t, image, "")
	fillSubvolumes(t, dir)
	unmount()
	var paths []string
	subvolumes, err := open(t, image).Subvolumes()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range subvolumes {
		paths = append(paths, s.Path)
	}
	slices.Sort(paths)
	want := []string{"", "@", "@/read-only", "@/var/lib/deep", "@home", "@snapshot", "directory/moved"}
	if !slices.Equal(paths, want) {
		t.Errorf("paths are %q, not %q", paths, want)
	}
	for _, s := range subvolumes {
		fs, err := open(t, image).Subvolume(s.ID)
		if err != nil {
			t.Fatal(err)
		}
		compareMounted(t, fs, image, "ro,subvol=/"+s.Path)
		if s.Path != "@" {
			continue
		}
		dir, unmount := fstest.Mount(t, image, "subvol=/@")
		fstest.Run(t, "btrfs", "subvolume", "set-default", dir)
		unmount()
		fs = open(t, image)
		if root, err := fs.Inode(fs.Info().Root); err != nil || root.Number != fs.Info().Root {
			t.Errorf("root is %+v: %v", root, err)
		}
		compareMounted(t, fs, image, "ro")
	}
	if _, err := open(t, image).Subvolume(4711); err == nil || !strings.Contains(err.Error(), "no subvolume 4711") {
		t.Errorf("error is %v", err)
	}
}

func compareMounted(t *testing.T, fs filesystem.FS, image, options string) {
	t.Helper()
	// Times of files come from a clock that may be some milliseconds behind.
	const behind = 30 * time.Millisecond
	time.Sleep(2 * behind)
	mounted := time.Now().Add(-behind)
	dir, unmount := fstest.Mount(t, image, options)
	defer unmount()
	got, want := fstest.FromFS(t, fs), fstest.FromDir(t, dir)
	for path, r := range want {
		if r.Modified.After(mounted) && got[path] != nil {
			r.Modified = got[path].Modified // of a subvolume that is elsewhere the kernel says now
		}
	}
	fstest.Check(t, got, want, fstest.Options{ExactSegments: true})
}
