package systemtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/packertest"
)

// boot boots a disk with a firmware, with a TPM and a seed for cloud-init, and
// says what the system saw of them. The machine is switched off by its button.
func boot(t *testing.T, disk, architecture, firmware string, want ...string) {
	t.Helper()
	packer, folder := packertest.New(t), t.TempDir()
	said := packer.Must("build", "-var", "disk="+disk, "-var", "key="+key(t), "-var", "folder="+folder,
		"-var", "architecture="+architecture, "-var", "firmware="+firmware, "testdata/boot.pkr.hcl")
	for _, fact := range append(want, "cloud nocloud", "seed written by cloud-init") {
		if !strings.Contains(said, ": fact: "+fact+"\n") {
			t.Errorf("there is no %q:\n%s", fact, said)
		}
	}
	if strings.Contains(said, "does not switch itself off") {
		t.Errorf("the button did nothing:\n%s", said)
	}
	if _, err := os.Stat(filepath.Join(folder, "build", "efivars.fd")); (err == nil) != (firmware != "bios") {
		t.Errorf("the firmware's variables: %v", err)
	}
}

func TestUEFI(t *testing.T) {
	debian := system(t, "debian12")
	fstest.RequireTool(t, "qemu-system-x86_64", "swtpm")
	boot(t, debian, "amd64", "uefi", "machine x86_64", "firmware uefi", "secure boot 0", "lockdown [none]", "tpm 2")
}

// With Secure Boot, shim, GRUB and kernel are the ones that Debian signs.
func TestSecureBoot(t *testing.T) {
	debian := system(t, "debian12")
	fstest.RequireTool(t, "qemu-system-x86_64", "swtpm")
	boot(t, debian, "amd64", "uefi-secure", "machine x86_64", "firmware uefi", "secure boot 1", "lockdown [integrity]", "tpm 2")
}

// Debian's kernel for arm64 has no driver for the TPM that the machine has (its
// CONFIG_TCG_TIS is not set).
func TestARM64(t *testing.T) {
	debian := system(t, "debian12-arm64")
	fstest.RequireTool(t, "qemu-system-aarch64", "swtpm")
	boot(t, debian, "arm64", "uefi", "machine aarch64", "firmware uefi", "secure boot 0")
}
