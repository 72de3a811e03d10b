package qemu

import (
	"fmt"
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

// template writes a template with two builds, side by side, of which each has
// the guest as its installer.
func template(t *testing.T, script string) (path, folder string) {
	t.Helper()
	fstest.RequireTool(t, "qemu-system-x86_64", "qemu-img", "gcc", "swtpm")
	kernel, err := guest()
	if err != nil {
		t.Fatal(err)
	}
	folder = t.TempDir()
	path = filepath.Join(folder, "test.pkr.hcl")
	text := fmt.Sprintf(`
packer {
  required_plugins {
    maas = { version = ">= 0.1.0", source = "github.com/packer-maas/maas" }
  }
}
source "maas-qemu" "guest" {
  architecture     = "amd64"
  kernel           = %q
  kernel_arguments = %q
  tpm              = true
  vm_name          = "disk.qcow2"
  disk_interface   = "ide"
  disk_size        = "16M"
  memory           = 64
  seed {
    label   = "OEMDRV"
    content = { "ks.cfg" = "poweroff" }
  }
}
build {
  source "maas-qemu.guest" {
    name             = "one"
    output_directory = "%[3]s/one"
  }
  source "maas-qemu.guest" {
    name             = "two"
    output_directory = "%[3]s/two"
  }
  post-processor "maas-image" {
    filetype = "ddraw"
    checks   = "off" # there is nothing on the disk
    output   = "%[3]s/${source.name}.img"
  }
}
`, kernel, script, folder)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, folder
}

// With a real Packer: two builds side by side, an emulated machine because of a
// KVM that does not work or with one that does, a TPM and a seed each, and
// maas-image after them.
func TestPacker(t *testing.T) {
	packer := packertest.New(t)
	path, folder := template(t, "say:Installing wait:3 write off")
	packer.Must("validate", path)
	said := packer.Must("build", path)
	for _, name := range []string{"one", "two"} {
		if _, err := os.Stat(filepath.Join(folder, name+".img")); err != nil {
			t.Errorf("%v\n%s", err, said)
		}
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			t.Errorf("%s: the output folder is still there", name)
		}
	}
	if !strings.Contains(said, "Installing") {
		t.Error(said)
	}
	nothingIsLeft(t, folder)
}

// nothingIsLeft says whether a build has left a process or a socket.
func nothingIsLeft(t *testing.T, folder string) {
	t.Helper()
	var out []byte
	for range 50 {
		if out, _ = exec.Command("pgrep", "-af", "(qemu-system|swtpm|qemu-img).*"+folder).Output(); len(out) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("processes are left:\n%s", out)
}

// start starts a build and waits until its installers run.
func start(t *testing.T, packer packertest.Packer, path string) (*exec.Cmd, *buffer) {
	t.Helper()
	cmd := packer.Command("build", path)
	said := new(buffer)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 600 {
		if strings.Count(said.String(), "Installing") == 2 {
			return cmd, said
		}
		time.Sleep(100 * time.Millisecond)
	}
	_ = cmd.Process.Kill()
	t.Fatalf("the installers did not start:\n%s", said)
	return nil, nil
}

// Ctrl-C goes to all processes of the terminal.
func TestInterrupted(t *testing.T) {
	packer := packertest.New(t)
	path, folder := template(t, "say:Installing")
	cmd, said := start(t, packer, path)
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the build succeeded")
	}
	nothingIsLeft(t, folder)
	for _, name := range []string{"one", "two"} {
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			t.Errorf("%s: the output folder is still there\n%s", name, said)
		}
	}
}

// Nobody can prepare for SIGKILL; the machines end all the same.
func TestKilled(t *testing.T) {
	packer := packertest.New(t)
	path, folder := template(t, "say:Installing")
	cmd, _ := start(t, packer, path)
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	nothingIsLeft(t, folder)
}
