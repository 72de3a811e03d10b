// Package packertest runs a real Packer with this plugin in tests.
package packertest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// Packer is an installation of its own for one test.
type Packer struct {
	t       *testing.T
	program string
	env     []string
}

// New builds this plugin as a release and installs it. `make tools` builds
// Packer; without it the test is skipped.
func New(t *testing.T) Packer {
	t.Helper()
	root := moduleRoot(t)
	p := Packer{t: t, program: tool(t, "packer")}
	dir := t.TempDir()
	p.env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "PACKER_PLUGIN_PATH="+dir+"/plugins",
		"PACKER_CONFIG_DIR="+dir+"/config", "PACKER_CACHE_DIR="+dir+"/cache", "PACKER_NO_COLOR=1", "TMPDIR="+t.TempDir())

	plugin := filepath.Join(dir, "packer-plugin-maas")
	build := exec.Command("go", "build", "-o", plugin, "-ldflags",
		"-X github.com/packer-maas/packer-plugin-maas/version.VersionPrerelease=", ".")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	p.Must("plugins", "install", "--path", plugin, "github.com/packer-maas/maas")
	return p
}

// InstallQEMU installs the QEMU plugin too.
func (p Packer) InstallQEMU() {
	p.t.Helper()
	p.Must("plugins", "install", "--path", tool(p.t, "packer-plugin-qemu"), "github.com/hashicorp/qemu")
}

// InstallAnsible installs the plugin for Ansible too.
func (p Packer) InstallAnsible() {
	p.t.Helper()
	p.Must("plugins", "install", "--path", tool(p.t, "packer-plugin-ansible"), "github.com/hashicorp/ansible")
}

// tool is a program that `make tools` builds.
func tool(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(moduleRoot(t), ".cache", "bin", name)
	if _, err := os.Stat(path); err != nil {
		fstest.Missing(t, "needs %s, which `make tools` builds", name)
	}
	return path
}

// moduleRoot is the folder of go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(strings.TrimSpace(string(out)))
}

// Command prepares a call of Packer.
func (p Packer) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(p.program, args...)
	cmd.Env = p.env
	return cmd
}

// Run runs Packer and returns what it said.
func (p Packer) Run(args ...string) (string, error) {
	out, err := p.Command(args...).CombinedOutput()
	return string(out), err
}

// Must runs Packer and returns what it said; its failure is the test's.
func (p Packer) Must(args ...string) string {
	p.t.Helper()
	out, err := p.Run(args...)
	if err != nil {
		p.t.Fatalf("packer %s: %v\n%s", args, err, out)
	}
	return out
}
