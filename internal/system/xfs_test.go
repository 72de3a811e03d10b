package system_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/system"
)

// xfs makes a file system that holds the files.
func xfs(t *testing.T, content map[string]string) string {
	t.Helper()
	prototype := filepath.Join(t.TempDir(), "prototype")
	if err := os.WriteFile(prototype, []byte("boot\n0 0\n"+prototypeOf(t, files(t, content))), 0o600); err != nil {
		t.Fatal(err)
	}
	return fstest.Image(t, 300<<20, "mkfs.xfs", "-q", "-p", prototype)
}

// prototypeOf describes a folder as mkfs.xfs -p wants it.
func prototypeOf(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	list.WriteString("d--755 0 0\n")
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			list.WriteString(e.Name() + " " + prototypeOf(t, path))
		} else {
			list.WriteString(e.Name() + " ---644 0 0 " + path + "\n")
		}
	}
	return list.String() + "$\n"
}

// TestOpenXFS has its root and /boot on XFS, as Red Hat's and its kin's do.
func TestOpenXFS(t *testing.T) {
	path := gpt(
		t,
		part{image: vfat(t, map[string]string{"EFI/BOOT/BOOTX64.EFI": "efi"}, "-i", "ABCD1234"), kind: "uefi", uuid: partUUID},
		part{image: xfs(t, map[string]string{"vmlinuz": "kernel", "efi/": ""}), name: "boot"},
		part{image: xfs(t, root("PARTLABEL=boot /boot xfs defaults 0 0\nUUID=ABCD-1234 /boot/efi vfat\n"))},
	)
	s, err := system.Open(openDisk(t, path), system.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"/": "partition 3", "/boot": "partition 2", "/boot/efi": "partition 1"}
	if diff := cmp.Diff(want, mounts(s)); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
	found := readTree(t, s)
	if found["boot/vmlinuz"] != "kernel" || found["usr/bin/true"] != "x" || found["etc/os-release"] != release {
		t.Errorf("files are %q", found)
	}
}

// readTree reads all files of a system's tree.
func readTree(t *testing.T, s *system.System) map[string]string {
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
