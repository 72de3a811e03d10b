package insert

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/changed"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/system"
)

// onDisk puts volumes into the partitions of a disk.
func onDisk(t *testing.T, volumes ...string) string {
	t.Helper()
	fstest.RequireTool(t, "sfdisk")
	path := filepath.Join(t.TempDir(), "disk.raw")
	at, table := int64(2048), "label: gpt\n"
	var copies [][]string
	for _, v := range volumes {
		info, err := os.Stat(v)
		if err != nil {
			t.Fatal(err)
		}
		copies = append(copies, []string{"if=" + v, "of=" + path, "bs=1M", fmt.Sprintf("seek=%d", at/2048), "conv=notrunc,sparse"})
		table += fmt.Sprintf("start=%d, size=%d\n", at, info.Size()/512)
		at += (info.Size()/512 + 2047) / 2048 * 2048
	}
	fstest.Run(t, "truncate", "-s", fmt.Sprint(at*512+1<<20), path)
	cmd := exec.Command("sfdisk", "-q", path)
	cmd.Stdin = strings.NewReader(table)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sfdisk: %v\n%s", err, out)
	}
	for _, args := range copies {
		fstest.Run(t, "dd", args...)
	}
	return path
}

// sum is a file's checksum.
func sum(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return string(h.Sum(nil))
}

// hooks is a folder of curtin's hooks, and more.
func hooks(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, size := range map[string]int{"curtin-hooks": 200, "finalize": 5000, "finalize.py": 100_000, "lib/Überraschung.txt": 3, "lib/empty": 0} {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(strings.Repeat("#!/bin/sh\n", size/10+1)[:size]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// into puts hooks into the volume of a disk that has that number, and writes
// each partition of what comes out into a file.
func into(ctx context.Context, t *testing.T, path, root string, layers ...system.Layer) ([]string, error) {
	t.Helper()
	before := sum(t, path)
	d, err := disk.Open(t.Context(), path, disk.Options{Format: "raw", InProcess: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	work := t.TempDir()
	c := changed.New(d, work)
	defer c.Close()
	volumes, err := system.Volumes(c)
	if err != nil {
		t.Fatal(err)
	}
	v, err := system.HooksVolume(volumes, "curtin", root)
	if err != nil {
		t.Fatal(err)
	}
	err = Into(ctx, c, v, Job{Layers: layers, Epoch: time.Unix(1e9, 0), Folder: work, Say: func(s string) { t.Log(s) }})
	if left, _ := os.ReadDir(work); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if sum(t, path) != before {
		t.Error("the disk was changed")
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, v := range volumes {
		file := filepath.Join(t.TempDir(), "partition")
		f, err := os.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(f, io.NewSectionReader(c, v.Partition.Offset, v.Partition.Size)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		out = append(out, file)
	}
	return out, nil
}

func curtinLayer(t *testing.T) system.Layer {
	return system.Layer{Source: hooks(t), Target: "curtin", Hooks: true}
}

func TestIntoFAT(t *testing.T) {
	fstest.RequireTool(t, "mcopy", "fsck.vfat", "mkfs.vfat")
	esp := fstest.Image(t, 40<<20, "mkfs.vfat", "-F", "32", "-n", "ESP")
	bank := fstest.Image(t, 20<<20, "mkfs.vfat", "-F", "16", "-n", "BOOTBANK1")
	layer := curtinLayer(t)
	for root, n := range map[string]int{"": 0, "2": 1, "LABEL=BOOTBANK1": 1} {
		out, err := into(t.Context(), t, onDisk(t, esp, bank), root, layer)
		if err != nil {
			t.Fatal(err)
		}
		fstest.Run(t, "fsck.vfat", "-n", out[n])
		dir := t.TempDir()
		cmd := exec.Command("mcopy", "-s", "-m", "-i", out[n], "::/curtin", dir)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC")
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("mcopy: %v\n%s", err, said)
		}
		fstest.Run(t, "diff", "-r", layer.Source, dir+"/curtin")
		if info, err := os.Stat(dir + "/curtin/finalize"); err != nil || info.ModTime().Unix() != 1e9 {
			t.Errorf("time is %v, error %v", info, err)
		}
		if sum(t, out[1-n]) != sum(t, []string{esp, bank}[1-n]) {
			t.Error("the other partition was changed")
		}
	}
}

func TestIntoRefuses(t *testing.T) {
	ext4 := fstest.Image(t, 8<<20, "mkfs.ext4", "-q")
	full := fstest.Image(t, 1<<20, "mkfs.vfat", "-F", "12", "-r", "112")
	link := t.TempDir()
	if err := os.Symlink("x", filepath.Join(link, "link")); err != nil {
		t.Fatal(err)
	}
	big := t.TempDir()
	if err := os.WriteFile(filepath.Join(big, "big"), make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, tt := range map[string]struct{ volume, source string }{
		"partition 1: ext4 cannot be written here":                  {ext4, big},
		"link: neither a file nor a folder":                         {full, link},
		"/big: it has 2097152 bytes, and the file system is full: ": {full, big},
		"(all files have 2097152 bytes, the file system had ":       {full, big},
		"no such file or directory":                                 {full, filepath.Join(big, "none")},
	} {
		_, err := into(t.Context(), t, onDisk(t, tt.volume), "1", system.Layer{Source: tt.source, Target: "/"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one that says %q", err, want)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := into(cancelled, t, onDisk(t, full), "1", curtinLayer(t)); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("error is %v", err)
	}
}
