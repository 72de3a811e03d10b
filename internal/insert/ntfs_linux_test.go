package insert

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/system"
)

// windows is an NTFS volume with files on it.
func windows(t *testing.T) string {
	t.Helper()
	fstest.RequireRoot(t)
	fstest.RequireTool(t, append([]string{"mkfs.ntfs", "ntfsfix", "ntfscp", "ntfscat"}, ntfsPrograms...)...)
	volume := fstest.Image(t, 24<<20, "mkfs.ntfs", "-F", "-Q", "-q", "-L", "Windows")
	dir := t.TempDir()
	noise := make([]byte, 3<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise) // never fails
	err := withMounted(t.Context(), volume, dir, func() error {
		if err := os.MkdirAll(dir+"/Windows/System32", 0o755); err != nil {
			return err
		}
		return os.WriteFile(dir+"/Windows/System32/ntoskrnl.exe", noise, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return volume
}

// TestIntoNTFS has ntfs-3g's other programs, which do not go through its
// driver, look at what comes out.
func TestIntoNTFS(t *testing.T) {
	volume := windows(t)
	esp := fstest.Image(t, 40<<20, "mkfs.vfat", "-F", "32")
	layer := curtinLayer(t)
	disk := onDisk(t, esp, volume)
	for range 2 { // by content, and into a folder that is there
		out, err := into(t.Context(), t, disk, "", layer)
		if err != nil {
			t.Fatal(err)
		}
		after := out[1]
		fstest.Run(t, "ntfsfix", "-n", after)
		fstest.Run(t, "ntfs-3g.probe", "--readwrite", after)
		for _, name := range []string{"curtin-hooks", "finalize", "finalize.py", "lib/empty"} {
			fstest.Run(t, "sh", "-c", `ntfscat "$0" "$1" | cmp - "$2"`, after, "curtin/"+name, filepath.Join(layer.Source, name))
		}
		fstest.Run(t, "sh", "-c", `ntfscat "$0" "$1" >"$0.is"; ntfscat "$2" "$1" | cmp - "$0.is"`, after, "Windows/System32/ntoskrnl.exe", volume)
		if sum(t, out[0]) != sum(t, esp) {
			t.Error("the other partition was changed")
		}
		dir := t.TempDir()
		err = withMounted(t.Context(), after, dir, func() error {
			info, err := os.Stat(dir + "/curtin/finalize")
			if err == nil && info.ModTime().Unix() != 1e9 {
				t.Errorf("time is %v", info.ModTime())
			}
			fstest.Run(t, "diff", "-r", layer.Source, dir+"/curtin")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		disk = onDisk(t, esp, after)
	}
}

func TestIntoNTFSRefuses(t *testing.T) {
	volume := windows(t)
	hiber := filepath.Join(t.TempDir(), "hiberfil.sys")
	if err := os.WriteFile(hiber, []byte("hibr"+strings.Repeat("\x00", 8188)), 0o600); err != nil {
		t.Fatal(err)
	}
	big := t.TempDir()
	if err := os.WriteFile(filepath.Join(big, "big"), make([]byte, 30<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if err := os.Mkdir(filepath.Join(other, "WINDOWS"), 0o755); err != nil {
		t.Fatal(err)
	}
	for want, tt := range map[string]struct{ prepare, source string }{
		"its Windows is hibernated": {`ntfscp "$0" "$1" hiberfil.sys`, big},
		"marked as damaged":         {`ntfsfix "$0"`, big},
		"the file system is full":   {`true`, big},
		`the volume has "Windows"`:  {`true`, other},
		"ntfs-3g cannot write it":   {`dd if=/dev/zero of="$0" bs=1k seek=16 count=64 conv=notrunc`, big},
	} {
		bad := fstest.Copy(t, volume)
		fstest.Run(t, "sh", "-c", tt.prepare, bad, hiber)
		_, err := into(t.Context(), t, onDisk(t, bad), "", system.Layer{Source: tt.source, Target: "/"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one that says %q", err, want)
		}
	}
}

// Without the program, the message says what to do; a build that is cancelled
// leaves nothing mounted.
func TestIntoNTFSEnds(t *testing.T) {
	volume := windows(t)
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	err := withMounted(ctx, volume, dir, func() error {
		cancel()
		return ctx.Err()
	})
	if err == nil {
		t.Error("no error")
	}
	if err := os.Remove(dir); err != nil { // busy, if it were mounted
		t.Error(err)
	}
	disk, layer := onDisk(t, volume), curtinLayer(t)
	expired, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err := into(expired, t, disk, "", layer); err == nil || !strings.Contains(err.Error(), "deadline") {
		t.Errorf("error is %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := into(t.Context(), t, disk, "", layer); err == nil || !strings.Contains(err.Error(), "install the package ntfs-3g; or better") {
		t.Errorf("error is %v", err)
	}
}

// An ntfs-3g that is killed, as for want of memory, leaves nothing mounted.
func TestNTFSKilled(t *testing.T) {
	fstest.RequireTool(t, "pgrep")
	volume := windows(t)
	dir := t.TempDir()
	err := withMounted(t.Context(), volume, dir, func() error {
		pid := fstest.Run(t, "pgrep", "--parent", strconv.Itoa(os.Getpid()), "--exact", "ntfs-3g")
		fstest.Run(t, "kill", "-KILL", strings.TrimSpace(pid))
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "ntfs-3g: signal: killed") {
		t.Errorf("error is %v", err)
	}
	if err := os.Remove(dir); err != nil { // busy, if it were mounted
		t.Error(err)
	}
}

// A check that is cancelled says nothing of damage.
func TestCheckNTFSEnds(t *testing.T) {
	for _, slow := range []string{"ntfs-3g.probe", "ntfsinfo"} {
		bin := t.TempDir()
		for name, script := range map[string]string{"ntfs-3g.probe": "exit 0", "ntfsinfo": "exit 0", slow: "exec /bin/sleep 60"} {
			if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PATH", bin)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := checkNTFS(ctx, "volume"); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "NTFS") {
			t.Errorf("%s: error is %v", slow, err)
		}
	}
}
