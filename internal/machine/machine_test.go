package machine

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

var programs = map[string]string{"amd64": "qemu-system-x86_64", "arm64": "qemu-system-aarch64"}

func program(t *testing.T, architecture string) string {
	t.Helper()
	fstest.RequireTool(t, programs[architecture])
	path, err := exec.LookPath(programs[architecture])
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// The trial's guests run where code runs at all.
func TestTry(t *testing.T) {
	for _, architecture := range []string{"amd64", "arm64"} {
		dir := t.TempDir()
		if err := Try(t.Context(), program(t, architecture), architecture, "tcg", "max", dir); err != nil {
			t.Errorf("%s: %v", architecture, err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: left %v", architecture, left)
		}
	}
}

// One that does not run code is told by its own words.
func TestTryFails(t *testing.T) {
	for want, args := range map[string][2]string{
		"unable to find CPU model": {"tcg", "no-such-processor"},
		"invalid accelerator":      {"no-such-accelerator", "max"},
	} {
		err := Try(t.Context(), program(t, "amd64"), "amd64", args[0], args[1], t.TempDir())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// silent is a machine without anything to boot: its firmware waits for ever.
func silent(t *testing.T, tpm *TPM) *Machine {
	t.Helper()
	m, err := Start(t.Context(), Config{
		Program: program(t, "amd64"), TPM: tpm,
		Args: []string{"-machine", "q35", "-accel", "tcg", "-m", "32", "-vnc", "127.0.0.1:0,to=99"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func TestCommands(t *testing.T) {
	m := silent(t, nil)
	shot, err := m.Screenshot(t.Context(), filepath.Join(t.TempDir(), "screen"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(shot); err != nil || info.Size() < 1000 {
		t.Errorf("screenshot %v, %v", info, err)
	}
	if address, err := m.VNC(t.Context()); err != nil || !strings.HasPrefix(address, "127.0.0.1:59") {
		t.Errorf("VNC at %q, %v", address, err)
	}
	if _, err := m.Activity(t.Context()); err != nil {
		t.Error(err)
	}
	if err := m.Press(t.Context()); err != nil {
		t.Error(err)
	}
	if err := m.monitor.execute(t.Context(), "no-such-command", nil, nil); err == nil || !strings.Contains(err.Error(), "has not been found") {
		t.Errorf("error %v", err)
	}
	if err := m.Quit(t.Context()); err != nil {
		t.Error(err)
	}
	<-m.Stopped()
	if _, err := m.monitorAfterEnd(); !errors.Is(err, errEnded) {
		t.Errorf("a command after the end: %v", err)
	}
}

func (m *Machine) monitorAfterEnd() (Activity, error) { return m.Activity(context.Background()) }

// The console ends with the machine, and two machines have one each.
func TestTwoMachines(t *testing.T) {
	one, two := silent(t, nil), silent(t, nil)
	a, _ := one.VNC(t.Context())
	b, _ := two.VNC(t.Context())
	if a == "" || a == b {
		t.Errorf("screens at %q and %q", a, b)
	}
	one.Close()
	if _, err := io.ReadAll(one.Console()); err == nil {
		t.Error("the console of a closed machine can be read")
	}
	if err := two.Press(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWrongArguments(t *testing.T) {
	_, err := Start(t.Context(), Config{Program: program(t, "amd64"), Args: []string{"-machine", "no-such-machine"}})
	if err == nil || !strings.Contains(err.Error(), "unsupported machine type") {
		t.Errorf("error %v", err)
	}
}

// A QEMU that somebody kills is no guest that is done.
func TestKilled(t *testing.T) {
	m := silent(t, nil)
	m.qemu.Kill()
	<-m.Stopped()
	if reason, err := m.Reason(); err == nil {
		t.Errorf("reason %q", reason)
	}
}

// swtpm serves the machine and ends with it, also if QEMU is killed.
func TestTPM(t *testing.T) {
	fstest.RequireTool(t, "swtpm")
	dir := t.TempDir()
	m := silent(t, &TPM{Dir: dir, Version: "2.0", Device: "tpm-tis"})
	var models []string
	if err := m.monitor.execute(t.Context(), "query-tpm-models", nil, &models); err != nil {
		t.Fatal(err)
	}
	var tpms []struct{ Model string }
	if err := m.monitor.execute(t.Context(), "query-tpm", nil, &tpms); err != nil || len(tpms) != 1 || tpms[0].Model != "tpm-tis" {
		t.Errorf("TPMs %v, %v", tpms, err)
	}
	m.qemu.Kill()
	select {
	case <-m.tpm.Exited():
	case <-time.After(5 * time.Second):
		t.Error("swtpm outlived QEMU")
	}
}

// Without a power button's listener, the end is ours to make.
func TestCloseEndsAll(t *testing.T) {
	fstest.RequireTool(t, "swtpm")
	m := silent(t, &TPM{Dir: t.TempDir(), Version: "2.0", Device: "tpm-tis"})
	m.Close()
	for _, p := range []<-chan struct{}{m.qemu.Exited(), m.tpm.Exited()} {
		select {
		case <-p:
		case <-time.After(time.Second):
			t.Error("a process is left")
		}
	}
}
