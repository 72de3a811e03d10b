package system_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/system"
)

// btrfs makes a file system with subvolumes, each of which holds files; one may
// be the default.
func btrfs(t *testing.T, subvolumes map[string]map[string]string, byDefault string) string {
	t.Helper()
	fstest.RequireRoot(t)
	image := fstest.Image(t, 300<<20, "mkfs.btrfs", "-q")
	dir, unmount := fstest.Mount(t, image, "compress-force=zstd")
	for name, content := range subvolumes {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		fstest.Run(t, "btrfs", "subvolume", "create", at)
		fstest.Run(t, "cp", "-a", files(t, content)+"/.", at)
	}
	if byDefault != "" {
		fstest.Run(t, "btrfs", "subvolume", "set-default", filepath.Join(dir, byDefault))
	}
	unmount()
	return image
}

// TestOpenBtrfs has its root, /home and /var/log in subvolumes of one file
// system, as the installers of Fedora, SUSE, Arch and Ubuntu make them.
func TestOpenBtrfs(t *testing.T) {
	for name, c := range map[string]struct{ root, home, log, byDefault string }{
		"at":     {"@", "@home", "@log", ""},
		"fedora": {"root", "home", "log", ""},
		"below":  {"@/root", "@/home", "@/var/log", ""},
		"suse":   {"@/.snapshots/1/snapshot", "@/home", "@/var/log", "@/.snapshots/1/snapshot"},
	} {
		t.Run(name, func(t *testing.T) {
			rootOptions, onRoot := "subvol=/"+c.root, ", subvolume "+c.root
			if c.byDefault != "" {
				rootOptions, onRoot = "defaults", ""
			}
			const line = "PARTLABEL=system %s btrfs compress=zstd:1,%s 0 0\n"
			fstab := "UUID=ABCD-1234 /boot/efi vfat\n" + fmt.Sprintf(line, "/", rootOptions) +
				fmt.Sprintf(line, "/home", "subvol="+c.home) + fmt.Sprintf(line, "/var/log", "subvol=/"+c.log)
			content := root(fstab)
			content["home/"], content["var/log/"], content["boot/efi/"] = "", "", ""
			image := btrfs(t, map[string]map[string]string{
				c.root: content, c.home: {"user/file": "of a user"}, c.log: {"messages": "logged"},
			}, c.byDefault)
			path := gpt(t,
				part{image: vfat(t, map[string]string{"EFI/BOOT/BOOTX64.EFI": "efi"}, "-i", "ABCD1234"), kind: "uefi"},
				part{image: image, name: "system"},
			)
			s, err := system.Open(openDisk(t, path), system.Options{})
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{
				"/": "partition 2" + onRoot, "/boot/efi": "partition 1",
				"/home": "partition 2, subvolume " + c.home, "/var/log": "partition 2, subvolume " + c.log,
			}
			if diff := cmp.Diff(want, mounts(s)); diff != "" {
				t.Errorf("mounts (-want +got):\n%s", diff)
			}
			found := readTree(t, s)
			if found["home/user/file"] != "of a user" || found["var/log/messages"] != "logged" || found["etc/os-release"] != release ||
				found["boot/efi/EFI/BOOT/BOOTX64.EFI"] != "efi" {
				t.Errorf("files are %q", found)
			}
		})
	}
}
