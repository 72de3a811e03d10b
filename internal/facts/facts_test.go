package facts_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/facts"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// system makes a folder with a small system, of real programs.
func system(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"etc/os-release": "ID=tiny\nVERSION_ID='1'\nPRETTY_NAME=\"Tiny 1\"\n", "etc/fstab": "", "etc/passwd": "root:x:0:0::/:/bin/sh\n",
		"usr/lib/modules/6.1/kernel/nvme.ko": "", "usr/lib/modules/6.1/modules.builtin": "kernel/drivers/ata/ahci.ko\n",
		"boot/vmlinuz-6.1": "MZ", "boot/vmlinuz-0-rescue-1": "MZ", "curtin/curtin-hooks": "#!/bin/sh\n", "usr/share/tool/run": "#!/bin/sh\n",
		"usr/share/doc/readme": "x", "usr/lib/python3/dist-packages/oauthlib/x": "",
		"var/lib/dpkg/status": "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: libc6\nStatus: install ok installed\nVersion: 2.36-9\n" +
			"Architecture: amd64\nMulti-Arch: same\nSource: glibc (2.36)\nDescription: C library\n of GNU: Conffiles\n\nPackage: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n",
	} {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o755)
		if strings.Contains(name, "/doc/") {
			mode = 0o644
		}
		if err := os.WriteFile(at, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	fstest.Run(t, "sh", "-c", `cd "$0" && mkdir usr/bin && ln -s usr/bin bin && ln -s /usr/bin usr/sbin && ln -s ../share/tool/run usr/bin/tool && ln -s loop loop && ln -s usr/lib lib && cp "$(readlink -f /bin/sh)" usr/bin/sh`, dir)
	return dir
}

// look checks what is known of the system.
func look(t *testing.T, tree *facts.Tree) {
	t.Helper()
	if tree == nil {
		t.Fatal("no system was found")
	}
	if tree.Release["PRETTY_NAME"] != "Tiny 1" || tree.Release["VERSION_ID"] != "1" || tree.Text("curtin/curtin-hooks") != "#!/bin/sh\n" {
		t.Errorf("release is %v", tree.Release)
	}
	if at, ok := tree.Command("tool"); !ok || at != "usr/share/tool/run" {
		t.Errorf("tool is at %q", at)
	}
	if tree.Exists("loop") || tree.Exists("usr/share/doc/readme") || !tree.Exists("/bin/../sbin/sh") {
		t.Error("paths are not followed as Linux does")
	}
	kernels := tree.Kernels()
	if len(kernels) != 1 || kernels[0].Version != "6.1" || !tree.HasDriver("6.1", "nvme") || !tree.HasDriver("6.1", "ahci") || tree.HasDriver("6.1", "igb") {
		t.Errorf("kernels are %v", kernels)
	}
	if got := tree.Packages.Lines(); !slices.Equal(got, []string{"a\t1", "libc6:amd64\t2.36-9"}) || tree.Packages.List[1].Source != "glibc" {
		t.Errorf("packages are %q", got)
	}
	if m := tree.Machines(); len(m) == 0 || len(slices.Compact(slices.Sorted(maps.Values(m)))) != 1 {
		t.Errorf("machines are %v", m)
	}
	if tree.Anywhere("oauthlib") == "" {
		t.Error("oauthlib is not seen")
	}
}

// A tar of whoever made it is looked at as it is.
func TestReadImageOfTree(t *testing.T) {
	dir := system(t)
	for filetype, flags := range map[string]string{"tgz": "-cz", "txz": "-cJ", "tbz": "-cj"} {
		for _, what := range []string{".", "$(ls)"} {
			path := filepath.Join(t.TempDir(), "image")
			fstest.Run(t, "sh", "-c", `cd "$0" && tar --owner=0 --group=0 `+flags+` -f "$1" `+what, dir, path)
			f, err := facts.ReadImage(t.Context(), path, filetype)
			if err != nil || f.Damage != "" || f.Disk != nil {
				t.Fatalf("%+v, error %v", f, err)
			}
			look(t, f.Tree)
		}
	}
}

// What is damaged, or leaves the root, is told.
func TestReadImageDamaged(t *testing.T) {
	dir := system(t)
	path := filepath.Join(t.TempDir(), "image")
	fstest.Run(t, "sh", "-c", `cd "$0" && tar -czf "$1" . && truncate -s -9 "$1"`, dir, path)
	f, err := facts.ReadImage(t.Context(), path, "tgz")
	if err != nil || f.Damage == "" || f.Tree == nil {
		t.Errorf("%+v, error %v", f, err)
	}
	for filetype, disk := range map[string]bool{"txz": false, "ddxz": true, "ddtgz": true} {
		if err := os.WriteFile(path+"x", []byte("no archive at all"), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := facts.ReadImage(t.Context(), path+"x", filetype)
		if err != nil || f.Damage == "" || (f.Disk != nil) != disk || (f.Tree != nil) == disk {
			t.Errorf("%s: %+v, error %v", filetype, f, err)
		}
	}
	fstest.Run(t, "sh", "-c", `cd "$0/etc" && tar -P -czf "$1" ../usr/bin ../etc`, dir, path)
	f, err = facts.ReadImage(t.Context(), path, "tgz")
	if err != nil || f.Damage != "" || len(f.Tree.Refused) == 0 || !strings.HasPrefix(f.Tree.Refused[0], "../") {
		t.Errorf("%+v, error %v", f, err)
	}
}

// A tar that somebody made to be a burden is not remembered as a whole.
func TestReadImageBounds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	packed := gzip.NewWriter(file)
	archive := tar.NewWriter(packed)
	big := bytes.Repeat([]byte("a b c\n"), 170_000)
	for _, name := range append([]string{strings.Repeat("a/", 3000) + "b", "../x", strings.Repeat("x", 256)}, numbered("etc/sudoers.d/", 80)...) {
		content := big
		if !strings.HasPrefix(name, "etc/") {
			content = nil
		}
		if err := errors.Join(archive.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644, Typeflag: tar.TypeReg}), write(archive, content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), packed.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	f, err := facts.ReadImage(t.Context(), path, "tgz")
	if err != nil || f.Damage != "" {
		t.Fatalf("%+v, error %v", f, err)
	}
	if len(f.Tree.Refused) != 3 || len(f.Tree.Notes) != 1 || !strings.Contains(f.Tree.Notes[0], "64 MiB") {
		t.Errorf("refused are %d names, notes are %q", len(f.Tree.Refused), f.Tree.Notes)
	}
	if n := len(f.Tree.Texts("etc/sudoers.d/*")); n < 60 || n > 66 {
		t.Errorf("%d files are kept", n)
	}
}

func numbered(name string, n int) []string {
	var names []string
	for i := range n {
		names = append(names, name+strconv.Itoa(i))
	}
	return names
}

func write(w io.Writer, content []byte) error {
	_, err := w.Write(content)
	return err
}

// onDisk is a disk with the system on its second partition.
func onDisk(t *testing.T, dir string) string {
	t.Helper()
	fstest.RequireTool(t, "mke2fs", "sfdisk", "mkfs.vfat", "mmd")
	path := filepath.Join(t.TempDir(), "disk.raw")
	fstest.Run(t, "sh", "-ec", `truncate -s 40M "$0"
		printf 'label: gpt\nstart=2048, size=4096, type=uefi\nstart=8192, size=65536\n' | sfdisk -q "$0"
		mkfs.vfat -C "$0.esp" 2048 >/dev/null
		mmd -i "$0.esp" ::/EFI ::/EFI/BOOT && mcopy -i "$0.esp" /etc/hostname ::/EFI/BOOT/BOOTX64.EFI
		dd status=none conv=notrunc bs=512 seek=2048 if="$0.esp" of="$0"
		mke2fs -q -t ext4 -d "$1" -E offset=4194304 "$0" 32M`, path, dir)
	return path
}

func TestReadImageOfDisk(t *testing.T) {
	raw := onDisk(t, system(t))
	for filetype, program := range map[string]string{
		"ddraw": `cat "$0"`, "ddgz": `gzip -c "$0"`, "ddtgz": `tar -cz -C "$(dirname "$0")" "$(basename "$0")"`, "ddtar": `tar -c -C / etc/hostname "${0#/}"`,
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "image")
		fstest.Run(t, "sh", "-c", program+` > "$1"`, raw, path)
		f, err := facts.ReadImage(t.Context(), path, filetype)
		if err != nil {
			t.Fatal(err)
		}
		left, err := os.ReadDir(dir)
		if err != nil || len(left) != 1 {
			t.Errorf("%s: left are %v (%v)", filetype, left, err)
		}
		if filetype == "ddtar" {
			if f.Members != 2 {
				t.Errorf("%d members", f.Members)
			}
			continue
		}
		if f.Damage != "" || len(f.Disk.Volumes) != 2 || !f.Disk.Volumes[0].IsESP() || f.Disk.Volumes[1].Installer() != "curtin" {
			t.Fatalf("%s: %+v", filetype, f.Disk)
		}
		if !f.Disk.Volumes[0].Files.Exists("EFI/BOOT/BOOTX64.EFI") || f.Disk.Volumes[0].UUID == "" {
			t.Errorf("%s: the EFI system partition is %+v", filetype, f.Disk.Volumes[0])
		}
		look(t, f.Tree)
	}
	path := filepath.Join(t.TempDir(), "image")
	fstest.Run(t, "sh", "-c", `gzip -c "$0" > "$1" && truncate -s -5 "$1"`, raw, path)
	f, err := facts.ReadImage(t.Context(), path, "ddgz")
	if err != nil || f.Damage == "" {
		t.Errorf("one that is cut off: %+v, %v", f, err)
	}
}
