package isofile

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// image makes an ISO as installers have them, with a kernel of some megabytes.
func image(t *testing.T, options ...string) (iso string, kernel []byte) {
	t.Helper()
	fstest.RequireTool(t, "xorriso")
	tree := t.TempDir()
	kernel = make([]byte, 3<<20+123)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(kernel)
	for name, content := range map[string][]byte{
		"images/pxeboot/vmlinuz": kernel, "images/pxeboot/initrd.img": []byte("initrd"), "casper/vmlinuz": []byte("casper"),
		".discinfo": []byte("1"), "boot/x86_64/loader/linux": []byte("suse"),
	} {
		at := filepath.Join(tree, name)
		_ = os.MkdirAll(filepath.Dir(at), 0o755)
		if err := os.WriteFile(at, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	iso = filepath.Join(t.TempDir(), "a.iso")
	args := append([]string{"-as", "mkisofs", "-quiet", "-V", "TEST", "-o", iso}, options...)
	if out, err := exec.Command("xorriso", append(args, tree)...).CombinedOutput(); err != nil {
		t.Fatalf("xorriso: %v\n%s", err, out)
	}
	return iso, kernel
}

func extract(t *testing.T, iso, name string) []byte {
	t.Helper()
	target := filepath.Join(t.TempDir(), "out")
	if err := Extract(iso, name, target); err != nil {
		t.Error(err)
		return nil
	}
	content, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// All kinds of names that installers' ISOs have.
func TestExtract(t *testing.T) {
	for kind, options := range map[string][]string{
		"Rock Ridge": {"-R"}, "Rock Ridge and Joliet": {"-R", "-J"}, "hybrid": {"-R", "-J", "-partition_offset", "16"},
	} {
		iso, kernel := image(t, options...)
		if !bytes.Equal(extract(t, iso, "/images/pxeboot/vmlinuz"), kernel) {
			t.Errorf("%s: the kernel is not the same", kind)
		}
		if string(extract(t, iso, "images/pxeboot/initrd.img")) != "initrd" {
			t.Errorf("%s: initrd", kind)
		}
		if string(extract(t, iso, "/boot/x86_64/loader/linux")) != "suse" {
			t.Errorf("%s: linux", kind)
		}
	}
}

func TestLabel(t *testing.T) {
	for _, label := range []string{"RHEL-7.9 Server.x86_64", "openEuler-24.03-LTS-SP1-x86_64", "A"} {
		iso, _ := image(t, "-R", "-J", "-V", label)
		if got, err := Label(iso); got != label || err != nil {
			t.Errorf("label %q, want %q, %v", got, label, err)
		}
	}
}

func TestMissing(t *testing.T) {
	iso, _ := image(t, "-R")
	target := filepath.Join(t.TempDir(), "out")
	for _, name := range []string{"/images/pxeboot/vmlinux", "/nothing/here", "/", "../../etc/passwd"} {
		if err := Extract(iso, name, target); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := Extract(iso, "/nothing", target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(target); err == nil {
		t.Error("a file is left")
	}
}

func TestNoISO(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "text": strings.Repeat("text", 100000)} {
		at := filepath.Join(t.TempDir(), "a.iso")
		if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Extract(at, "/a", filepath.Join(t.TempDir(), "out")); err == nil || !strings.Contains(err.Error(), "is not an ISO") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
