package qemu

import (
	"runtime"
	"time"
)

// What a build waits for before it gives up, unless the template says so. An
// emulated processor takes about three times as long for the same.
const (
	noISO = "none" // where the QEMU builder insists on an ISO

	installLimit   = time.Hour
	shutdownLimit  = 10 * time.Minute
	connectLimit   = 10 * time.Minute
	stallLimit     = 15 * time.Minute
	emulatedFactor = 3
)

func (c *Config) applyDefaults() {
	if c.Architecture == "" {
		c.Architecture = runtime.GOARCH
	}
	if c.FirmwareKind == "" && !c.has("firmware") {
		c.FirmwareKind = firmwareBIOS
		if c.Architecture == archARM64 || c.given["efi_boot"] == true || c.has("efi_firmware_code") {
			c.FirmwareKind = firmwareUEFI
		}
	}
	if c.Console == "" {
		c.Console = consoleNormal
	}
	if c.StallTimeout == 0 {
		c.StallTimeout = stallLimit
	}
	for i := range c.Seeds {
		if c.Seeds[i].Media == "" {
			c.Seeds[i].Media = mediaCDROM
		}
	}
}

// decisions are what our options mean in the QEMU builder's own words, and
// defaults that suit this machine, where the template leaves its options out.
func (c *Config) decisions() map[string]any {
	d := map[string]any{
		// What really works is tried when the build starts.
		"accelerator":  "tcg",
		"qemu_binary":  binaries[c.Architecture],
		"machine_type": c.machineType(),
		"cpus":         min(4, runtime.NumCPU()),
		"memory":       defaultMemory(),
		"headless":     true,
		// A build that is interrupted starts anew: there is nothing to save.
		"disk_cache":         "unsafe",
		"disk_discard":       "unmap",
		"disk_detect_zeroes": "unmap",
		"shutdown_timeout":   shutdownLimit.String(),
		"ssh_timeout":        connectLimit.String(),
		"winrm_timeout":      connectLimit.String(),
	}
	if !c.has("ssh_username") && !c.has("winrm_username") {
		d["communicator"] = communicatorNone
	}
	if d["communicator"] == communicatorNone || c.given["communicator"] == communicatorNone || c.Provision {
		// Then it is for the whole installation.
		d["shutdown_timeout"] = installLimit.String()
	}
	if c.given["disk_image"] == true && !c.has("disk_size") {
		d["skip_resize_disk"] = true
	} else {
		d["disk_size"] = "16G"
	}
	if c.given["disk_compression"] != true {
		// With unmap above, the disk has no more than what is in use.
		d["skip_compaction"] = true
	}
	if c.Architecture == archARM64 {
		// The machine has no IDE or SATA for the CD to be on.
		d["cdrom_interface"] = "virtio-scsi"
		d["tpm_device_type"] = "tpm-tis-device"
	}
	if c.withoutISO() {
		d["iso_url"], d["iso_checksum"] = noISO, "none"
	}
	for name := range c.given {
		delete(d, name)
	}
	return d
}

func (c *Config) machineType() string {
	switch {
	case c.Architecture == archARM64:
		return "virt"
	case c.FirmwareKind == firmwareUEFI, c.FirmwareKind == firmwareSecure:
		return "q35" // Secure Boot needs it
	}
	return "pc"
}

// withoutISO says whether the installer is a kernel on this machine only.
func (c *Config) withoutISO() bool {
	return c.Kernel != "" && !c.has("iso_url") && !c.has("iso_urls")
}

// defaultMemory is a quarter of this machine's memory, as MiB, within reason.
func defaultMemory() int {
	return min(4096, max(1024, int(hostMemory()>>20)/4))
}

// emulated makes the limits longer that the template left to us, for a machine
// without hardware acceleration.
func (c *Config) emulated() {
	for name, limit := range map[string]*time.Duration{
		"shutdown_timeout": &c.QEMU.ShutdownTimeout,
		"ssh_timeout":      &c.QEMU.CommConfig.Comm.SSHTimeout,
		"winrm_timeout":    &c.QEMU.CommConfig.Comm.WinRMTimeout,
		"stall_timeout":    &c.StallTimeout,
	} {
		if !c.has(name) {
			*limit *= emulatedFactor
		}
	}
}
