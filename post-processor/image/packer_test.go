package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/packertest"
)

// template writes a template whose build has the source and the options. The
// small systems of these tests would not pass checks.
func template(t *testing.T, source, options string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.pkr.hcl")
	text := fmt.Sprintf(`
packer {
  required_plugins {
    maas = { version = ">= 0.1.0", source = "github.com/packer-maas/maas" }
  }
}
%s
build {
  sources = [%q]
  post-processor "maas-image" {
    %s
    checks = "off"
  }
}
`, sources[source], "source."+source, options)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var sources = map[string]string{
	"null.one": `
source "null" "one" {
  communicator = "none"
}`,
	"qemu.tiny": `
packer {
  required_plugins {
    qemu = { version = ">= 1.0.9", source = "github.com/hashicorp/qemu" }
  }
}
variable "disk" { type = string }
variable "folder" { type = string }
source "qemu" "tiny" {
  iso_url          = var.disk
  iso_checksum     = "none"
  disk_image       = true
  skip_resize_disk = true
  format           = "qcow2"
  accelerator      = "tcg"
  headless         = true
  disable_vnc      = true
  communicator     = "none"
  memory           = 128
  qemuargs         = [["-no-reboot"]]
  output_directory = var.folder
  shutdown_timeout = "60s"
}`,
}

// bootCode makes a machine that boots it wait four seconds and reset: with
// -no-reboot, QEMU then ends. It calls the BIOS to wait (INT 15h, function
// 86h, 0x3d0900 µs), and takes the processor's interrupt table away.
var bootCode = []byte{
	0x31, 0xc0, 0x8e, 0xd8, 0xfb, 0xb4, 0x86, 0xb9, 0x3d, 0x00, 0xba, 0x00, 0x09, 0xcd, 0x15,
	0xfa, 0x0f, 0x01, 0x1e, 0x40, 0x7c, 0xcc, 0xf4,
}

// bootable is a disk that a virtual machine can start, with a system on it
// that no machine could.
func bootable(t *testing.T) string {
	t.Helper()
	fstest.RequireTool(t, "mke2fs", "sfdisk", "qemu-system-x86_64")
	root := t.TempDir()
	for name, text := range map[string]string{"etc/os-release": "ID=tiny\nVERSION_ID=1\nPRETTY_NAME=Tiny\n", "usr/file": "content"} {
		at := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "disk.raw")
	fstest.Run(t, "truncate", "-s", "18M", path)
	table := exec.Command("sfdisk", "-q", path)
	table.Stdin = strings.NewReader("label: gpt\nstart=2048, size=32768\n")
	if out, err := table.CombinedOutput(); err != nil {
		t.Fatalf("sfdisk: %v\n%s", err, out)
	}
	fstest.Run(t, "mke2fs", "-q", "-t", "ext4", "-d", root, "-E", "offset=1048576", path, "16M")
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteAt(bootCode, 0)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func fileSum(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

func TestPackerValidate(t *testing.T) {
	p := packertest.New(t)
	for options, want := range map[string]string{
		`filetype = "zip"`:                         `filetype = "zip" is not one`,
		`curtin_hooks = "/none"`:                   "curtin_hooks: stat /none",
		`skip_mounts = "/data"`:                    "skip_mounts",
		`otuput = "x"`:                             `otuput`,
		`output = "output-one/deep/x.tar.gz"`:      "which Packer deletes",
		"input = \"/none\"\n compression_level=99": "compression_level = 99",
	} {
		out, err := p.Run("validate", template(t, "null.one", options))
		if unwrapped := strings.Join(strings.Fields(out), " "); err == nil || !strings.Contains(unwrapped, want) {
			t.Errorf("%s: error %v does not say %q:\n%s", options, err, want, out)
		}
	}
	p.Must("validate", template(t, "null.one", `output = "${build.ID}.tar.gz"`))
}

// The QEMU builder's disk becomes an image, and goes or stays as the user says.
func TestPackerBuildQEMU(t *testing.T) {
	p := packertest.New(t)
	p.InstallQEMU()
	disk := bootable(t)
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprintf("keep_input_artifact=%v", keep), func(t *testing.T) {
			dir := t.TempDir()
			output := filepath.Join(dir, "tiny.tar.gz")
			out := p.Must("build", "-var", "disk="+disk, "-var", "folder="+dir+"/vm",
				template(t, "qemu.tiny", fmt.Sprintf("output = %q\n keep_input_artifact = %v", output, keep)))
			listing := fstest.Run(t, "tar", "-tzf", output)
			if !strings.Contains(listing, "./usr/file\n") {
				t.Errorf("the image holds:\n%s", listing)
			}
			sums := fstest.Run(t, "sh", "-c", `cd "$0" && sha256sum -c tiny.tar.gz.sha256`, dir)
			if !strings.Contains(sums, "OK") || !strings.Contains(out, "MAAS image "+output) || !strings.Contains(out, "Found Tiny") {
				t.Errorf("packer said:\n%s", out)
			}
			if exists(t, dir+"/vm") != keep {
				t.Errorf("the builder's folder: kept is %v", !keep)
			}
		})
	}
}

// An output that Packer would delete with the builder's folder goes elsewhere:
// an error would delete the build, too.
func TestPackerBuildRescuesOutput(t *testing.T) {
	p := packertest.New(t)
	p.InstallQEMU()
	dir := t.TempDir()
	out := p.Must("build", "-var", "disk="+bootable(t), "-var", "folder="+dir+"/vm",
		template(t, "qemu.tiny", fmt.Sprintf("output = %q", dir+"/vm/tiny.tar.gz")))
	if !exists(t, dir+"/tiny.tar.gz") || !strings.Contains(out, "which Packer deletes") {
		t.Errorf("packer said:\n%s", out)
	}
}

// A disk by path needs no builder, and is never touched; both of Packer's
// ways to talk to plugins work.
func TestPackerBuildInput(t *testing.T) {
	p := packertest.New(t)
	disk := bootable(t)
	before := fileSum(t, disk)
	for _, force := range []string{"", "PACKER_FORCE_GOB=1"} {
		output := filepath.Join(t.TempDir(), "tiny.tar.gz")
		tpl := template(t, "null.one", fmt.Sprintf("input = %q\n output = %q", disk, output))
		cmd := p.Command("build", tpl)
		cmd.Env = append(cmd.Env, force)
		if out, err := cmd.CombinedOutput(); err != nil || !exists(t, output) {
			t.Fatalf("error %v:\n%s", err, out)
		}
		if out, err := p.Run("build", tpl); err == nil || !strings.Contains(out, "packer build -force") {
			t.Errorf("an image that exists: error %v:\n%s", err, out)
		}
		first := fileSum(t, output)
		p.Must("build", "-force", tpl)
		if fileSum(t, output) != first {
			t.Error("the same disk gave other bytes")
		}
	}
	if fileSum(t, disk) != before {
		t.Error("the disk was changed")
	}
}

// A whole disk is what was built, byte for byte.
func TestPackerBuildWholeDisk(t *testing.T) {
	p := packertest.New(t)
	disk := bootable(t)
	for _, filetype := range []string{"ddgz", "ddtxz"} {
		output := filepath.Join(t.TempDir(), "tiny")
		out := p.Must("build", template(t, "null.one", fmt.Sprintf("input = %q\n output = %q\n filetype = %q", disk, output, filetype)))
		pipeline := map[string]string{"ddgz": "zcat", "ddtxz": "tar -xOJf -"}[filetype]
		fstest.Run(t, "sh", "-c", pipeline+` < "$0" | cmp - "$1"`, output, disk)
		if !strings.Contains(out, "no partition has a folder /curtin") || !strings.Contains(out, "("+filetype+", Tiny): disk of 18.9 MB") {
			t.Errorf("packer said:\n%s", out)
		}
	}
	bare := filepath.Join(t.TempDir(), "bare.raw")
	fstest.Run(t, "mke2fs", "-q", "-t", "ext4", bare, "8M")
	out, err := p.Run("build", template(t, "null.one", fmt.Sprintf("input = %q\n output = %q\n filetype = \"ddgz\"", bare, bare+".gz")))
	if err == nil || !strings.Contains(out, "the disk has no partitions") || exists(t, bare+".gz") {
		t.Errorf("a disk without partitions: %v\n%s", err, out)
	}
}

// Ctrl-C in the middle leaves no process and no file.
func TestPackerInterrupted(t *testing.T) {
	p := packertest.New(t)
	root := t.TempDir()
	if err := os.Mkdir(root+"/etc", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/etc/os-release", []byte("PRETTY_NAME=Large\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(root+"/usr", 0o755); err != nil {
		t.Fatal(err)
	}
	fstest.Run(t, "dd", "if=/dev/urandom", "of="+root+"/usr/large", "bs=1M", "count=400")
	dir := t.TempDir()
	disk := filepath.Join(dir, "large.raw")
	fstest.Run(t, "mke2fs", "-q", "-t", "ext4", "-d", root, disk, "600M")
	output := filepath.Join(t.TempDir(), "large.tar.gz")
	cmd := p.Command("build", template(t, "null.one", fmt.Sprintf("input = %q\n output = %q\n compression_level = 9", disk, output)))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // as a shell does: Ctrl-C reaches the group
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for !partial(t, output) && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("Packer ended well; the interrupt came too late, or was not heard")
	}
	if partial(t, output) {
		t.Errorf("a part of the image is left\n%s", out.String())
	}
	if left, err := exec.Command("pgrep", "-f", disk).Output(); err == nil {
		t.Errorf("still running: %s\n%s", left, out.String())
	}
}

// partial says whether there is anything of the image yet.
func partial(t *testing.T, output string) bool {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(output))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries) > 0
}

// The template for a disk that exists already packs the files on it, and all of
// it, from a format of another hypervisor.
func TestPackerExampleDisk(t *testing.T) {
	p := packertest.New(t)
	format := "vhdx"
	if os.Getenv("CGO_ENABLED") == "0" { // the plugin is then built without libnbd
		format = "qcow2"
	}
	disk := filepath.Join(t.TempDir(), "disk."+format)
	fstest.Run(t, "qemu-img", "convert", "-O", format, bootable(t), disk)
	for filetype, want := range map[string]string{"tgz": "Found Tiny:", "ddgz": "nothing to be shrunk"} {
		output := filepath.Join(t.TempDir(), "image")
		said := p.Must("build", "-var", "disk="+disk, "-var", "name=tiny", "-var", "filetype="+filetype, "-var", "output="+output,
			"-var", fmt.Sprintf("shrink=%v", filetype == "ddgz"), "-var", "checks=warn", "../../example/disk")
		if !strings.Contains(said, want) || !exists(t, output) {
			t.Errorf("%s: Packer says:\n%s", filetype, said)
		}
		fstest.Run(t, "sh", "-c", `gzip -t < "$0"`, output)
	}
}
