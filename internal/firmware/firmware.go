// Package firmware finds the UEFI firmware that this machine has for QEMU
// machines: first by the descriptors that QEMU's distributors ship
// (docs/interop/firmware.json in QEMU), then where distributions without, or
// with wrong, descriptors put it.
package firmware

import (
	"fmt"
	"os"
	"path/filepath"
)

// Firmware is a firmware's two halves.
type Firmware struct {
	Code       string // read only
	CodeFormat string // raw or qcow2
	Vars       string // the template of its variables: to be copied
	VarsFormat string
	SMM        bool // the machine needs system management mode
}

// Want is what the firmware is for.
type Want struct {
	Architecture string // amd64 or arm64
	Machine      string // QEMU's machine type, such as q35
	Secure       bool   // Secure Boot, with Microsoft's keys
}

// Find finds a firmware. Root is "" but in tests.
func Find(root string, want Want) (Firmware, error) {
	for _, found := range append(described(root, want), known(want)...) {
		if exists(root, found.Code) && exists(root, found.Vars) {
			found.Code, found.Vars = filepath.Join(root, found.Code), filepath.Join(root, found.Vars)
			return found, nil
		}
	}
	return Firmware{}, missing(root, want)
}

func exists(root, path string) bool {
	info, err := os.Stat(filepath.Join(root, path))
	return err == nil && info.Mode().IsRegular()
}

// missing says what to install.
func missing(root string, want Want) error {
	kind := "UEFI firmware"
	if want.Secure {
		kind += " with Secure Boot and Microsoft's keys"
	}
	packages := "ovmf on Debian and Ubuntu, edk2-ovmf on Fedora, Enterprise Linux and Arch, qemu-ovmf-x86_64 on SUSE"
	if want.Architecture == "arm64" {
		packages = "qemu-efi-aarch64 on Debian and Ubuntu, edk2-aarch64 on Fedora, Enterprise Linux and Arch, qemu-uefi-aarch64 on SUSE"
	}
	return fmt.Errorf("no %s for %s is installed: its package is %s; other files can be named with efi_firmware_code and efi_firmware_vars%s",
		kind, want.Architecture, packages, hint(root, want))
}

// hint is more to know where a package does not help.
func hint(root string, want Want) string {
	if want.Secure {
		if _, err := Find(root, Want{Architecture: want.Architecture, Machine: want.Machine}); err == nil {
			return " (firmware = \"uefi\" would do)"
		}
	}
	return ""
}
