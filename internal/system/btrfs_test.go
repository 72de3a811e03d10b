package system_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/system"
)

// btrfs makes a file system with subvolumes, each of which holds files.
func btrfs(t *testing.T, subvolumes map[string]map[string]string, options string) string {
	t.Helper()
	fstest.RequireRoot(t)
	image := fstest.Image(t, 300<<20, "mkfs.btrfs", "-q")
	dir, unmount := fstest.Mount(t, image, options)
	for name, content := range subvolumes {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		fstest.Run(t, "btrfs", "subvolume", "create", at)
		fstest.Run(t, "cp", "-a", files(t, content)+"/.", at)
	}
	unmount()
	return image
}

// TestOpenBtrfs has its root, /home and /var/log in subvolumes of one file
// system, as the installers of Fedora, SUSE, Arch and Ubuntu make them.
func TestOpenBtrfs(t *testing.T) {
	for name, c := range map[string]struct{ root, home, log string }{
		"at":     {"@", "@home", "@log"},
		"fedora": {"root", "home", "log"},
		"below":  {"@/root", "@/home", "@/var/log"},
	} {
		t.Run(name, func(t *testing.T) {
			fstab := "UUID=ABCD-1234 /boot/efi vfat\n"
			for at, subvolume := range map[string]string{"/": c.root, "/home": c.home, "/var/log": c.log} {
				fstab += "PARTLABEL=system " + at + " btrfs compress=zstd:1,subvol=/" + subvolume + " 0 0\n"
			}
			content := root(fstab)
			content["home/"], content["var/log/"], content["boot/efi/"] = "", "", ""
			image := btrfs(t, map[string]map[string]string{
				c.root: content, c.home: {"user/file": "of a user"}, c.log: {"messages": "logged"},
			}, "compress-force=zstd")
			path := gpt(t,
				part{image: vfat(t, map[string]string{"EFI/BOOT/BOOTX64.EFI": "efi"}, "-i", "ABCD1234"), kind: "uefi"},
				part{image: image, name: "system"},
			)
			s, err := system.Open(openDisk(t, path), system.Options{})
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{
				"/": "partition 2, subvolume " + c.root, "/boot/efi": "partition 1",
				"/home": "partition 2, subvolume " + c.home, "/var/log": "partition 2, subvolume " + c.log,
			}
			if diff := cmp.Diff(want, mounts(s)); diff != "" {
				t.Errorf("mounts (-want +got):\n%s", diff)
			}
			found := contents(t, s)
			if found["home/user/file"] != "of a user" || found["var/log/messages"] != "logged" || found["etc/os-release"] != release ||
				found["boot/efi/EFI/BOOT/BOOTX64.EFI"] != "efi" {
				t.Errorf("files are %q", found)
			}
		})
	}
}

// contents reads all files of a system.
func contents(t *testing.T, s *system.System) map[string]string {
	t.Helper()
	entries, err := s.Tree(t.Context(), system.TreeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for e, err := range entries {
		if err != nil {
			t.Fatal(err)
		}
		if e.Data != nil {
			b := make([]byte, e.Size)
			if n, _ := e.Data.ReadAt(b, 0); n == len(b) {
				found[e.Path] = string(b)
			}
		}
	}
	return found
}
