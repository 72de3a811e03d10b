package disk_test

import (
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/disktest"
)

// opener opens images for the conformance suite.
func opener(opts disk.Options) func(t *testing.T, path string) disk.Disk {
	return func(t *testing.T, path string) disk.Disk {
		t.Helper()
		return openDisk(t, path, opts)
	}
}

func openDisk(t testing.TB, path string, opts disk.Options) disk.Disk {
	t.Helper()
	d, err := disk.Open(t.Context(), path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// holesFound fails the test where what is a hole, or written as zeros by the
// image's own means, is taken for data.
func holesFound(t *testing.T, opts disk.Options) {
	holes := map[string][2]int64{
		"raw with holes": {0, 1 << 20}, "qcow2": {0, 1 << 20}, "qcow2 compressed": {0, 1 << 20},
		"qcow2 zero clusters": {2 << 20, 3 << 20}, "qcow2 over raw": {5 << 20, 2 << 20},
	}
	for _, c := range disktest.Cases {
		hole, ok := holes[c.Name]
		if !ok {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			want := []disk.Extent{{Offset: hole[0], Length: hole[1], Hole: true}}
			got := slices.Collect(openDisk(t, c.Make(t), opts).Extents(hole[0], hole[1]))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInProcessHoles(t *testing.T) { holesFound(t, disk.Options{InProcess: true}) }

func TestInProcess(t *testing.T) {
	disktest.TestDisk(t, opener(disk.Options{InProcess: true}), "raw", "qcow2")
}

// An image that was cut short is refused however it is read: QEMU alone would
// read what is missing of most formats as zeros.
func TestCutShort(t *testing.T) {
	for _, c := range disktest.Cases {
		if c.Format == "raw" || c.Name == "vmdk in several files" {
			continue // only what is on such a disk knows its length
		}
		t.Run(c.Name, func(t *testing.T) {
			path := c.Make(t)
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, info.Size()/2); err != nil {
				t.Fatal(err)
			}
			for _, opts := range []disk.Options{{Format: c.Format}, {Format: c.Format, InProcess: true}} {
				d, err := disk.Open(t.Context(), path, opts)
				if err == nil {
					t.Errorf("%+v: no error", opts)
					_ = d.Close()
				}
			}
		})
	}
}
