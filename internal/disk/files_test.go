package disk_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/disktest"
)

func TestOpenTellsFiles(t *testing.T) {
	disktest.Require(t, "qemu-img")
	dir := t.TempDir()
	img := func(args ...string) {
		t.Helper()
		disktest.Run(t, dir, "qemu-img", append([]string{"create", "-q"}, args...)...)
	}
	img("-f", "raw", "base.raw", "8M")
	img("-f", "qcow2", "-F", "raw", "-b", "base.raw", "middle.qcow2")
	img("-f", "qcow2", "-F", "qcow2", "-b", "middle.qcow2", "top.qcow2")
	img("-f", "vmdk", "-o", "subformat=twoGbMaxExtentFlat", "flat.vmdk", "3G")
	img("-f", "vmdk", "-F", "vmdk", "-b", "flat.vmdk", "delta.vmdk")
	img("-f", "vhdx", "disk.vhdx", "8M")
	for path, want := range map[string][]string{
		"base.raw":   {"base.raw"},
		"top.qcow2":  {"top.qcow2", "middle.qcow2", "base.raw"},
		"delta.vmdk": {"delta.vmdk", "flat.vmdk", "flat-f001.vmdk", "flat-f002.vmdk"},
		"disk.vhdx":  {"disk.vhdx"},
	} {
		var got []string
		d, err := disk.Open(t.Context(), filepath.Join(dir, path), disk.Options{Files: func(files []string) {
			for _, file := range files {
				got = append(got, strings.TrimPrefix(file, dir+"/"))
			}
		}})
		if err == nil {
			_ = d.Close()
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", path, d)
		}
	}
}
