package system

import (
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/partition"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// TestHooksVolume picks among volumes of all kinds; the names of their files
// say what they are.
func TestHooksVolume(t *testing.T) {
	fstest.RequireTool(t, "mmd")
	fat := func(folders ...string) string {
		image := fstest.Image(t, 2<<20, "mkfs.vfat")
		for _, name := range folders {
			fstest.Run(t, "mmd", "-i", image, "::/"+name)
		}
		return image
	}
	linux := fat("etc", "usr", "etc/passwd")
	plain, ready, shouting := fat(), fat("curtin"), fat("CURTIN")
	ext4 := fstest.Image(t, 4<<20, "mkfs.ext4", "-q")
	ntfs := func(kib string) string {
		image := fstest.Copy(t, plain)
		fstest.Run(t, "sh", "-c", `truncate -s "$1"K "$0"; printf 'NTFS    ' | dd of="$0" bs=1 seek=3 conv=notrunc`, image, kib)
		return image
	}
	recovery, windows := ntfs("3000"), ntfs("4000")
	for name, tt := range map[string]struct {
		volumes []string
		root    string
		want    string
	}{
		"esxi":                {[]string{plain, fat()}, "", "partition 1"},
		"has it":              {[]string{plain, ready, windows}, "", "partition 2"},
		"has it in capitals":  {[]string{plain, shouting}, "", "partition 2"},
		"linux":               {[]string{plain, linux}, "", "partition 2"},
		"windows":             {[]string{plain, recovery, windows}, "", "partition 3"},
		"named":               {[]string{plain, recovery, windows}, "2", "partition 2"},
		"two have it":         {[]string{ready, shouting}, "", "partition 1, partition 2; name one"},
		"somewhere else":      {[]string{plain, ext4}, "", "could be on partition 2"},
		"none of that number": {[]string{plain}, "7", "names 0 volumes"},
		"nothing":             {nil, "", "there is no volume"},
	} {
		t.Run(name, func(t *testing.T) {
			var s scanner
			for i, path := range tt.volumes {
				v := fstest.Volume(t, path)
				s.add(&Volume{Volume: v, Partition: partition.Partition{Number: i + 1, Size: v.Size()}})
			}
			got, err := HooksVolume(s.volumes, "curtin", tt.root)
			var said string
			if err != nil {
				said = err.Error()
			} else {
				said = got.Name()
			}
			if !strings.Contains(said, tt.want) || err == nil && said != tt.want {
				t.Errorf("got %s, want %s", said, tt.want)
			}
		})
	}
}
