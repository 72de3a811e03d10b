package pack_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/image"
	"github.com/packer-maas/packer-plugin-maas/internal/pack"
)

// nastySystem is the image of a root file system with all that is hard to
// read, write and restore.
func nastySystem(t *testing.T) string {
	t.Helper()
	fstest.RequireRoot(t)
	root := fstest.Image(t, 512<<20, "mkfs.ext4", "-q", "-E", "nodiscard")
	dir, unmount := fstest.Mount(t, root, "loop")
	fstest.Nasty(t, dir)
	for name, text := range map[string]string{
		"etc/fstab": "/dev/vda1 / ext4 defaults 0 1\n", "etc/os-release": "ID=nasty\nPRETTY_NAME=Nasty\n",
		"etc/machine-id": "0123456789abcdef0123456789abcdef\n", "usr/bin/true": "#!/bin/sh\n",
		"etc/template.conf~": "kept\n",
	} {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	unmount()
	return root
}

// onDisk puts a file system into a partition of a disk.
func onDisk(t *testing.T, root string) string {
	t.Helper()
	fstest.RequireTool(t, "sfdisk", "qemu-img")
	info, err := os.Stat(root)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "disk.raw")
	fstest.Run(t, "truncate", "-s", fmt.Sprint(info.Size()+2<<20), path)
	cmd := exec.Command("sfdisk", "-q", path)
	cmd.Stdin = strings.NewReader(fmt.Sprintf("label: gpt\nstart=2048, size=%d\n", info.Size()/512))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sfdisk: %v\n%s", err, out)
	}
	fstest.Run(t, "dd", "if="+root, "of="+path, "bs=1M", "seek=1", "conv=notrunc,sparse")
	return path
}

// curtinExtract extracts an image as curtin does at deployment.
func curtinExtract(t *testing.T, path string) string {
	t.Helper()
	dir := t.TempDir()
	extractTo(t, path, dir)
	return dir
}

func extractTo(t *testing.T, path, dir string) {
	t.Helper()
	fstest.Run(t, "sh", "-c", `exec tar -C "$1" --xattrs '--xattrs-include=*' -Sxpf - --numeric-owner < "$0"`, path, dir)
}

func packDisk(t *testing.T, job pack.Job) pack.Result {
	t.Helper()
	if job.Output == "" {
		job.Output = filepath.Join(t.TempDir(), "out.tar.gz")
	}
	result, err := pack.Run(context.Background(), job, logReporter{t})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

type logReporter struct{ t *testing.T }

func (r logReporter) Say(message string)  { r.t.Log(message) }
func (logReporter) Progress(int64, int64) {}

// progress keeps the last report.
type progress struct {
	logReporter
	done, total int64
}

func (p *progress) Progress(done, total int64) { p.done, p.total = done, total }

func TestRunReportsProgress(t *testing.T) {
	p := progress{logReporter: logReporter{t}}
	result, err := pack.Run(t.Context(), pack.Job{Disk: smallSystem(t), Output: filepath.Join(t.TempDir(), "out.tar.gz")}, &p)
	if err != nil {
		t.Fatal(err)
	}
	if p.done != result.Data || p.total < p.done || p.total > 8<<20 {
		t.Errorf("%d bytes of %d done, the image has %d", p.done, p.total, result.Data)
	}
}

// plainTar gives GNU tar what it extracts without telling it of compression.
func plainTar(t *testing.T, gz string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out.tar")
	fstest.Run(t, "sh", "-c", `exec zcat < "$0" > "$1"`, gz, path)
	return path
}

// What curtin extracts is what the kernel shows of the disk, entry by entry,
// from every format a disk may have.
func TestRunLosesNothing(t *testing.T) {
	root := nastySystem(t)
	raw := onDisk(t, root)
	mounted, _ := fstest.Mount(t, root, "loop,ro,noload")
	want := fstest.FromDir(t, mounted)
	want["etc/machine-id"] = nil
	delete(want, "etc/machine-id")

	first := ""
	for _, format := range []string{"qcow2", "raw", "vmdk", "vdi", "vhdx"} {
		t.Run(format, func(t *testing.T) {
			path := raw
			if format != "raw" {
				path = filepath.Join(t.TempDir(), "disk")
				fstest.Run(t, "qemu-img", "convert", "-O", format, raw, path)
			}
			output := filepath.Join(t.TempDir(), "out.tar.gz")
			before := digest(t, path)
			job := pack.Job{Disk: path, Format: format, Output: output}
			if format != "raw" && format != "qcow2" && !cgo {
				if _, err := pack.Run(t.Context(), job, logReporter{t}); err == nil || !strings.Contains(err.Error(), "built without libnbd") {
					t.Errorf("error is %v", err)
				}
				return
			}
			result := packDisk(t, job)
			if digest(t, path) != before {
				t.Error("the disk was changed")
			}
			if result.System != "Nasty" || result.SHA256 != digest(t, output) {
				t.Errorf("result is %+v", result)
			}
			if first != "" {
				if result.SHA256 != first {
					t.Error("the image differs from that of another format")
				}
				return
			}
			first = result.SHA256
			got := fstest.FromDir(t, curtinExtract(t, plainTar(t, output)))
			if id := got["etc/machine-id"]; id == nil || id.Size != 0 {
				t.Errorf("machine-id is %+v", id)
			}
			delete(got, "etc/machine-id")
			fstest.Check(t, got, want, fstest.Options{IgnoreSockets: true})
		})
	}
}

func digest(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// smallSystem is a system that needs no root to be made.
func smallSystem(t *testing.T) string {
	t.Helper()
	fstest.RequireTool(t, "mke2fs")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"etc/fstab": "", "etc/os-release": "PRETTY_NAME=Small\n", "usr/bin/true": strings.Repeat("true", 1000),
	} {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "disk.raw")
	fstest.Run(t, "mke2fs", "-q", "-t", "ext4", "-d", dir, path, "16M")
	return path
}

// A run that fails leaves nothing: no image, no temporary file, no process.
func TestRunLeavesNothing(t *testing.T) {
	good := smallSystem(t)
	broken := filepath.Join(t.TempDir(), "broken.raw")
	fstest.Run(t, "cp", good, broken)
	// Metadata of /usr/bin/true is damaged after all that finds the system.
	fstest.Run(t, "debugfs", "-w", "-R", "set_inode_field /usr/bin/true block[0] 0", broken)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	tests := map[string]struct {
		ctx  context.Context
		job  pack.Job
		want string
	}{
		"missing disk":   {context.Background(), pack.Job{Disk: filepath.Join(t.TempDir(), "none")}, "no such file"},
		"no system":      {context.Background(), pack.Job{Disk: empty(t)}, "no operating system"},
		"damaged":        {context.Background(), pack.Job{Disk: broken}, "/usr/bin/true"},
		"missing layer":  {context.Background(), pack.Job{Disk: good, Overlay: "/nonexistent"}, "/nonexistent"},
		"cancelled":      {cancelled, pack.Job{Disk: good}, "context canceled"},
		"wrong format":   {context.Background(), pack.Job{Disk: good, Format: "qcow2"}, "qcow2"},
		"wrong identity": {context.Background(), pack.Job{Disk: good, KeepIdentity: []string{"x"}}, `"x"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("TMPDIR", dir)
			tt.job.Output = filepath.Join(dir, "out.tar.gz")
			_, err := pack.Run(tt.ctx, tt.job, logReporter{t})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one that says %q", err, tt.want)
			}
			left, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range left {
				t.Errorf("%s is left", e.Name())
			}
			if out, _ := exec.Command("pgrep", "-f", "qemu-nbd.*"+dir).Output(); len(out) > 0 {
				t.Errorf("qemu-nbd runs on: %s", out)
			}
		})
	}
}

// empty is a disk without anything on it.
func empty(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRunDoesNotReplace(t *testing.T) {
	output := filepath.Join(t.TempDir(), "out.tar.gz")
	job := pack.Job{Disk: smallSystem(t), Output: output}
	first := packDisk(t, job)
	if _, err := pack.Run(context.Background(), job, logReporter{t}); err == nil || !strings.Contains(err.Error(), output+" exists") {
		t.Errorf("error is %v", err)
	}
	job.Image.Force = true
	if second := packDisk(t, job); second.SHA256 != first.SHA256 {
		t.Error("the same disk gave other bytes")
	}
}

func TestRunKeepsItsDisk(t *testing.T) {
	disk := smallSystem(t)
	for _, input := range []string{disk, filepath.Join(t.TempDir(), "link")} {
		if input != disk {
			if err := os.Symlink(disk, input); err != nil {
				t.Fatal(err)
			}
		}
		_, err := pack.Run(context.Background(), pack.Job{Disk: input, Output: disk, Image: image.Options{Force: true}}, logReporter{t})
		if err == nil || !strings.Contains(err.Error(), "is the disk itself") {
			t.Errorf("error is %v", err)
		}
	}
	packDisk(t, pack.Job{Disk: disk, Output: filepath.Join(t.TempDir(), "out.tar.gz")})
}

func TestRunTakesSourceDateEpoch(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1000000000")
	overlay := t.TempDir()
	if err := os.WriteFile(filepath.Join(overlay, "added"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(t.TempDir(), "out.tar")
	packDisk(t, pack.Job{Disk: smallSystem(t), Output: output, Overlay: overlay, Image: image.Options{Plain: true}})
	if listing := fstest.Run(t, "env", "TZ=UTC", "tar", "-tvf", output, "./added"); !strings.Contains(listing, "2001-09-09 01:46") {
		t.Errorf("listing is %s", listing)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	_, err := pack.Run(context.Background(), pack.Job{Disk: "x", Output: output}, logReporter{t})
	if err == nil || !strings.Contains(err.Error(), "SOURCE_DATE_EPOCH") {
		t.Errorf("error is %v", err)
	}
}
