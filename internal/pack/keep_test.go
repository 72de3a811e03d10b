package pack_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/image"
	"github.com/packer-maas/packer-plugin-maas/internal/pack"
)

// stacked is a disk with two backing files, the first by the name of a link.
func stacked(t *testing.T) (top, link, base string) {
	t.Helper()
	fstest.RequireTool(t, "qemu-img")
	base = smallSystem(t)
	dir := filepath.Dir(base)
	middle := filepath.Join(dir, "middle.qcow2")
	link, top = filepath.Join(dir, "link.qcow2"), filepath.Join(dir, "top.qcow2")
	fstest.Run(t, "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, middle)
	if err := os.Symlink(middle, link); err != nil {
		t.Fatal(err)
	}
	fstest.Run(t, "qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", link, top)
	return top, link, base
}

// No file that a disk is read from gives its place to one that is written,
// whichever that is and by whatever name.
func TestRunKeepsAllThatIsRead(t *testing.T) {
	top, link, base := stacked(t)
	dir := t.TempDir()
	at := func(name, target string) string {
		path := filepath.Join(dir, name)
		if err := os.Link(target, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	more := smallSystem(t)
	for name, job := range map[string]pack.Job{
		"backing file":       {Disk: top, Output: base},
		"backing by a link":  {Disk: top, Output: link},
		"hard link":          {Disk: top, Output: at("hard", base)},
		"checksum":           {Disk: at("a.sha256", base), Output: filepath.Join(dir, "a")},
		"backing's checksum": {Disk: top, Output: strings.TrimSuffix(at("b.sha256", base), ".sha256")},
		"beside":             {Disk: top, Output: filepath.Join(dir, "c"), Beside: []string{base}},
		"another disk":       {Disk: top, MoreDisks: []string{more}, Output: filepath.Join(dir, "d"), Beside: []string{more}},
	} {
		job.Image = image.Options{Force: true}
		before, entries := digest(t, base), names(t, dir)
		_, err := pack.Run(t.Context(), job, logReporter{t})
		if err == nil || !strings.Contains(err.Error(), "would be replaced, and the disk is read from it") {
			t.Errorf("%s: error is %v", name, err)
		}
		if target, err := os.Readlink(link); err != nil || target == "" || digest(t, base) != before || names(t, dir) != entries {
			t.Errorf("%s: something is different: %v, %s", name, err, names(t, dir))
		}
	}
	// A link to the disk that is no name of it can go.
	output := filepath.Join(dir, "elsewhere")
	if err := os.Symlink(base, output); err != nil {
		t.Fatal(err)
	}
	packDisk(t, pack.Job{Disk: top, Output: output, Image: image.Options{Force: true}})
	if info, err := os.Lstat(output); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%v, %v", info, err)
	}
}

// names are those in a folder.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}
