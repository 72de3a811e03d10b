package qemu

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/packer-plugin-sdk/multistep"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// A raw disk stays what it is, whatever the machine has written to its start.
func TestCompactRaw(t *testing.T) {
	fstest.RequireTool(t, "qemu-img")
	dir := t.TempDir()
	secret, path := filepath.Join(dir, "secret"), filepath.Join(dir, "disk")
	if err := os.WriteFile(secret, []byte(strings.Repeat("secret!\n", 64)), 0o600); err != nil {
		t.Fatal(err)
	}
	fstest.Run(t, "qemu-img", "create", "-q", "-f", "qcow2", "-b", secret, "-F", "raw", path)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := new(Config)
	c.QEMU.Format = "raw"
	state := new(multistep.BasicStateBag)
	step := &stepCompact{&build{config: c, ui: packersdk.TestUi(t), disks: []string{path}}}
	if step.Run(t.Context(), state) != multistep.ActionContinue {
		t.Fatal(state.Get("error"))
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(after, before) || len(bytes.Trim(after[len(before):], "\x00")) > 0 {
		t.Errorf("the disk of %d bytes has %d now, and begins with %q: %v", len(before), len(after), after[:min(len(after), 16)], err)
	}
}

// A disk is copied as it is, but not on after the build's end.
func TestCopyFile(t *testing.T) {
	dir := t.TempDir()
	source, target := filepath.Join(dir, "source"), filepath.Join(dir, "target")
	content := bytes.Repeat([]byte("sixteen bytes...\n"), copyUnit/16)
	if err := os.WriteFile(source, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{copyUnit + 5, copyUnit, 1, 0} {
		if err := os.Truncate(source, size); err != nil {
			t.Fatal(err)
		}
		if err := copyFile(t.Context(), target, source); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(target); err != nil || !bytes.Equal(got, content[:size]) {
			t.Errorf("%d bytes were copied as %d: %v", size, len(got), err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := copyFile(ctx, target, source); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}
