package system_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
)

// part is a partition of a disk made for a test.
type part struct {
	image string // a file system's image
	kind  string // sfdisk's word for the type; "" for a Linux partition
	name  string // PARTLABEL
	uuid  string // PARTUUID; "" for any
}

// run runs a tool.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// files writes a folder: a path ending in "/" is a folder, a value that begins
// with "-> " a symbolic link.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, isLink := strings.CutPrefix(text, "-> "); isLink {
			err = os.Symlink(target, at)
		} else if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(at, 0o755)
		} else {
			err = os.WriteFile(at, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// ext4 makes a file system that holds the files.
func ext4(t *testing.T, content map[string]string, args ...string) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "fs")
	all := append([]string{"-q", "-E", "root_owner=0:0", "-d", files(t, content)}, args...)
	run(t, "mke2fs", append(append([]string{"-t", "ext4"}, all...), image, "16M")...)
	return image
}

// vfat makes an EFI system partition that holds the files.
func vfat(t *testing.T, content map[string]string, args ...string) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "fs")
	run(t, "mkfs.vfat", append(append([]string{"-C"}, args...), image, "8192")...)
	dir := files(t, content)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		run(t, "mcopy", "-s", "-i", image, filepath.Join(dir, e.Name()), "::")
	}
	return image
}

// gpt makes a disk of the parts.
func gpt(t *testing.T, parts ...part) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	const align = 1 << 20
	at := int64(align)
	var script strings.Builder
	script.WriteString("label: gpt\n")
	var offsets []int64
	for _, p := range parts {
		info, err := os.Stat(p.image)
		if err != nil {
			t.Fatal(err)
		}
		size := (info.Size() + align - 1) / align * align
		fmt.Fprintf(&script, "start=%d, size=%d, type=%s, name=%q", at/512, size/512, orElse(p.kind, "linux"), p.name)
		if p.uuid != "" {
			script.WriteString(", uuid=" + p.uuid)
		}
		script.WriteString("\n")
		offsets = append(offsets, at)
		at += size
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, at+align); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sfdisk", "-q", path)
	cmd.Stdin = strings.NewReader(script.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sfdisk: %v\n%s\n%s", err, out, script.String())
	}
	for i, p := range parts {
		run(t, "dd", "if="+p.image, "of="+path, "bs=1M", "conv=notrunc,sparse", fmt.Sprintf("seek=%d", offsets[i]/align))
	}
	return path
}

func orElse(value, other string) string {
	if value == "" {
		return other
	}
	return value
}

// openDisk opens a disk for the test's time.
func openDisk(t *testing.T, path string) disk.Disk {
	t.Helper()
	d, err := disk.Open(context.Background(), path, disk.Options{Format: "raw"})
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
