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

// meanwhile does something to the disk when there is progress.
type meanwhile struct {
	logReporter
	do func()
}

func (m meanwhile) Progress(int64, int64) { m.do() }

// A disk that is written to while it is read gives no image; that another takes
// its name is nothing to the one that is read.
func TestRunWhileWritten(t *testing.T) {
	for _, filetype := range []string{"tgz", "ddgz"} {
		raw, dir := onDisk(t, smallSystem(t)), t.TempDir()
		job := pack.Job{Disk: raw, Output: filepath.Join(dir, "out"), Image: image.Options{Filetype: filetype}}
		_, err := pack.Run(t.Context(), job, meanwhile{logReporter{t}, func() { writeAt(t, raw, "x", 100<<10) }})
		left, _ := os.ReadDir(dir)
		if err == nil || !strings.Contains(err.Error(), raw+" was written to while it was read") || len(left) > 0 {
			t.Errorf("%s: error %v, left: %v", filetype, err, left)
		}
		_, err = pack.Run(t.Context(), job, meanwhile{logReporter{t}, func() {
			if err := os.WriteFile(raw+"2", nil, 0o600); err != nil {
				t.Error(err)
			}
			if err := os.Rename(raw+"2", raw); err != nil {
				t.Error(err)
			}
		}})
		if err != nil {
			t.Errorf("%s: replaced: %v", filetype, err)
		}
	}
}

// A backing file that is written to meanwhile gives no image either.
func TestRunWhileBackingWritten(t *testing.T) {
	fstest.RequireTool(t, "qemu-img")
	raw := smallSystem(t)
	top := raw + ".qcow2"
	fstest.Run(t, "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", raw, top)
	job := pack.Job{Disk: top, Output: filepath.Join(t.TempDir(), "out")}
	_, err := pack.Run(t.Context(), job, meanwhile{logReporter{t}, func() { writeAt(t, raw, "x", 100<<10) }})
	if err == nil || !strings.Contains(err.Error(), raw+" was written to while it was read") {
		t.Errorf("error is %v", err)
	}
}
