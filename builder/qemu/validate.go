package qemu

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/seed"
)

// Values of options, and the names of QEMU's programs.
const (
	archAMD64 = "amd64"
	archARM64 = "arm64"

	firmwareBIOS   = "bios"
	firmwareUEFI   = "uefi"
	firmwareSecure = "uefi-secure"

	consoleQuiet  = "quiet"
	consoleNormal = "normal"
	consoleAll    = "all"

	mediaCDROM = "cdrom"
	mediaDisk  = "disk"
	mediaUSB   = "usb"

	communicatorNone = "none"
)

var (
	binaries      = map[string]string{archAMD64: "qemu-system-x86_64", archARM64: "qemu-system-aarch64"}
	firmwareKinds = map[string]bool{firmwareBIOS: true, firmwareUEFI: true, firmwareSecure: true}
	consoleLevels = []string{consoleQuiet, consoleNormal, consoleAll}
	seedMedia     = []string{mediaCDROM, mediaDisk, mediaUSB}
)

// accountName is what useradd takes, and what a shell leaves as it is.
var accountName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// unknown is what a value that is not known yet looks like while Packer
// validates a template.
const unknown = "<unknown>"

// isUnknown says whether a value is, or is made of, one not known yet.
func isUnknown(value string) bool { return strings.Contains(value, unknown) }

// check says what is wrong with our options.
func (c *Config) check() []error {
	return slices.Concat(c.checkMachine(), c.checkInstaller(), c.checkConsole(), c.checkProvision())
}

func (c *Config) checkMachine() []error {
	var errs []error
	if binaries[c.Architecture] == "" && !isUnknown(c.Architecture) {
		errs = append(errs, fmt.Errorf("architecture = %q is not one of amd64, arm64", c.Architecture))
	}
	if c.Architecture == archARM64 && c.FirmwareKind == firmwareBIOS {
		errs = append(errs, errors.New("firmware = \"bios\" does not exist for arm64; use uefi"))
	}
	if c.uefi() && (c.has("efi_firmware_code") != c.has("efi_firmware_vars")) {
		errs = append(errs, errors.New("efi_firmware_code and efi_firmware_vars belong together; with neither, firmware finds them"))
	}
	return errs
}

// uefi says whether the firmware is to be found as one of our kinds of UEFI.
func (c *Config) uefi() bool {
	return c.FirmwareKind == firmwareUEFI || c.FirmwareKind == firmwareSecure
}

func (c *Config) checkInstaller() []error {
	var errs []error
	if c.Kernel == "" {
		if c.Initrd != "" || c.KernelArguments != "" {
			errs = append(errs, errors.New("initrd and kernel_arguments are for a kernel: name it with the option kernel"))
		}
	} else {
		if len(c.QEMU.BootCommand) > 0 || len(c.QEMU.BootSteps) > 0 {
			errs = append(errs, errors.New("boot_command is for a boot loader, which kernel does without: remove one of the two"))
		}
		if c.FirmwareKind == firmwareSecure {
			errs = append(errs, errors.New("with Secure Boot, the firmware refuses a kernel that QEMU starts: use firmware = \"uefi\", which makes the same disk, or boot_command"))
		}
		if c.QEMU.CommConfig.Comm.Type != communicatorNone && !c.Provision {
			errs = append(errs, errors.New("with kernel, a communicator reaches the system after the installer only: set provision = true"))
		}
	}
	for i, s := range c.Seeds {
		if err := s.check(); err != nil {
			errs = append(errs, fmt.Errorf("seed %d (%q): %w", i+1, s.Label, err))
		}
	}
	return errs
}

func (s Seed) check() error {
	if !isUnknown(s.Media) && !slices.Contains(seedMedia, s.Media) {
		return fmt.Errorf("media = %q is not one of %s", s.Media, strings.Join(seedMedia, ", "))
	}
	if len(s.Files)+len(s.Content) == 0 {
		return errors.New("it has neither files nor content")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Files)) {
		if path := s.Files[name]; !isUnknown(path) {
			if _, err := os.Stat(path); err != nil {
				return fmt.Errorf("files: %w", err)
			}
		}
		if _, twice := s.Content[name]; twice {
			return fmt.Errorf("%s is in both files and content", name)
		}
	}
	if isUnknown(s.Label) {
		return nil
	}
	return seed.CheckLabel(s.Label, s.Media == mediaCDROM)
}

func (c *Config) checkConsole() []error {
	var errs []error
	if !isUnknown(c.Console) && !slices.Contains(consoleLevels, c.Console) {
		errs = append(errs, fmt.Errorf("console = %q is not one of %s", c.Console, strings.Join(consoleLevels, ", ")))
	}
	for name, patterns := range map[string][]string{
		"success_patterns": c.SuccessPatterns, "failure_patterns": c.FailurePatterns, "ignore_patterns": c.IgnorePatterns,
	} {
		for _, pattern := range patterns {
			if _, err := regexp.Compile(pattern); err != nil {
				errs = append(errs, fmt.Errorf("%s: %q: %w", name, pattern, err))
			}
		}
	}
	return errs
}

func (c *Config) checkProvision() []error {
	if !c.Provision {
		return nil
	}
	var errs []error
	if c.QEMU.CommConfig.Comm.Type == communicatorNone {
		errs = append(errs, errors.New("provision needs a way into the installed system: ssh_username, or winrm_username with communicator = \"winrm\""))
	}
	if name := c.QEMU.CommConfig.Comm.SSHUsername; !accountName.MatchString(name) && !isUnknown(name) && c.QEMU.CommConfig.Comm.Type == "ssh" {
		errs = append(errs, fmt.Errorf("ssh_username = %q is no name of an account that provision can remove", name))
	}
	if c.QEMU.DiskImage {
		errs = append(errs, errors.New("provision is for after an installer; with disk_image, provisioners run without it"))
	}
	return errs
}
