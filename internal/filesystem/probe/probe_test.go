package probe_test

import (
	"os"
	"path/filepath"
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

// TestUnread expects what cannot be read to be known by its name.
func TestUnread(t *testing.T) {
	for want, at := range map[string]struct {
		offset int64
		magic  string
	}{
		"crypto_LUKS": {0, "LUKS\xba\xbe\x00\x02"},
		"LVM2_member": {512, "LABELONE"},
		"zfs_member":  {128<<10 + 77<<10, "\x0c\xb1\xba\x00\x00\x00\x00\x00"},
		"bcachefs":    {4096 + 24, "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef"},
		"stratis":     {516, "!Stra0tis\x86\xff\x02^\x41rh"},
		"f2fs":        {1024, "\x10\x20\xf5\xf2"},
		"ntfs":        {0, "\xeb\x52\x90NTFS    "},
	} {
		image := make([]byte, 1<<20)
		copy(image[at.offset:], at.magic)
		path := filepath.Join(t.TempDir(), "image")
		if err := os.WriteFile(path, image, 0o600); err != nil {
			t.Fatal(err)
		}
		if kind, err := probe.Type(fstest.Volume(t, path)); kind != want || err != nil || probe.Readable(kind) {
			t.Errorf("%q, %v; not %q", kind, err, want)
		}
	}
}
