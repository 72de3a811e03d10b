package probe_test

import (
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/probe"
)

// TestOpen expects each kind of file system to be known and to go to its reader.
func TestOpen(t *testing.T) {
	for want, mkfs := range map[string][]string{
		"btrfs": {"mkfs.btrfs", "-q"},
		"ext2":  {"mke2fs", "-q", "-t", "ext2"},
		"ext3":  {"mke2fs", "-q", "-t", "ext3"},
		"ext4":  {"mke2fs", "-q", "-t", "ext4"},
		"vfat":  {"mkfs.vfat"},
		"xfs":   {"mkfs.xfs", "-q"},
	} {
		t.Run(want, func(t *testing.T) {
			v := fstest.Volume(t, fstest.Image(t, 300<<20, mkfs...))
			kind, err := probe.Type(v)
			if err != nil || !probe.Readable(kind) {
				t.Fatalf("%q cannot be read: %v", kind, err)
			}
			fs, err := probe.Open(v, kind)
			if err != nil {
				t.Fatal(err)
			}
			if got := fs.Info().Type; got != want {
				t.Errorf("type is %s, not %s", got, want)
			}
		})
	}
}

func TestNothing(t *testing.T) {
	v := fstest.Volume(t, fstest.Image(t, 1<<20, "true"))
	if kind, err := probe.Type(v); kind != probe.Empty || err != nil || probe.Readable(kind) {
		t.Errorf("%q, %v", kind, err)
	}
}
