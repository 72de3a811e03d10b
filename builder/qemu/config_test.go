package qemu

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// installer are the options of a kickstart system, and more.
func installer(t *testing.T, more map[string]any) map[string]any {
	t.Helper()
	options := map[string]any{
		"iso_url": "system.iso", "iso_checksum": "none", "architecture": "amd64", "packer_build_name": "el",
		"output_directory": filepath.Join(t.TempDir(), "out"),
		"kernel":           "/images/pxeboot/vmlinuz", "initrd": "/images/pxeboot/initrd.img",
		"seed": []any{map[string]any{"label": "OEMDRV", "content": map[string]any{"ks.cfg": "poweroff {{ not ours }}"}}},
	}
	maps.Copy(options, more)
	return options
}

func TestDefaults(t *testing.T) {
	var c Config
	if _, err := c.Prepare(installer(t, nil)); err != nil {
		t.Fatal(err)
	}
	q := c.QEMU
	for what, got := range map[string][2]any{
		"communicator": {q.CommConfig.Comm.Type, "none"}, "qemu_binary": {q.QemuBinary, "qemu-system-x86_64"},
		"machine_type": {q.MachineType, "pc"}, "headless": {q.Headless, true}, "disk_cache": {q.DiskCache, "unsafe"},
		"disk_size": {q.DiskSize, "16G"}, "firmware": {c.FirmwareKind, "bios"}, "firmware as a path": {q.Firmware, ""},
		"shutdown_timeout": {q.ShutdownTimeout, time.Hour}, "stall_timeout": {c.StallTimeout, 15 * time.Minute},
		"console": {c.Console, "normal"}, "vm_name": {q.VMName, "packer-el"}, "media": {c.Seeds[0].Media, "cdrom"},
		"content": {c.Seeds[0].Content["ks.cfg"], "poweroff {{ not ours }}"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s = %v, want %v", what, got[0], got[1])
		}
	}
	if q.MemorySize < 1024 || q.CpuCount < 1 {
		t.Errorf("memory %d, cpus %d", q.MemorySize, q.CpuCount)
	}
	c.emulated()
	if c.QEMU.ShutdownTimeout != 3*time.Hour || c.StallTimeout != 45*time.Minute {
		t.Errorf("emulated: %v, %v", c.QEMU.ShutdownTimeout, c.StallTimeout)
	}
}

// What the template says wins over what we think, in all ways.
func TestTemplateWins(t *testing.T) {
	var c Config
	_, err := c.Prepare(installer(t, map[string]any{
		"architecture": "arm64", "machine_type": "virt-7.2", "qemu_binary": "/opt/qemu", "memory": 777, "headless": false,
		"shutdown_timeout": "7m", "stall_timeout": "8m", "cdrom_interface": "virtio",
	}))
	if err != nil {
		t.Fatal(err)
	}
	c.emulated()
	q := c.QEMU
	if q.MachineType != "virt-7.2" || q.QemuBinary != "/opt/qemu" || q.MemorySize != 777 || q.Headless ||
		q.ShutdownTimeout != 7*time.Minute || c.StallTimeout != 8*time.Minute || q.CDROMInterface != "virtio" {
		t.Errorf("%+v", q)
	}
	if c.FirmwareKind != "uefi" {
		t.Errorf("firmware %q", c.FirmwareKind)
	}
}

// Nothing of the QEMU builder's meaning is lost: its firmware is a path.
func TestFirmwarePath(t *testing.T) {
	var c Config
	if _, err := c.Prepare(installer(t, map[string]any{"firmware": "/fw/seabios.bin"})); err != nil {
		t.Fatal(err)
	}
	if c.QEMU.Firmware != "/fw/seabios.bin" || c.FirmwareKind != "" {
		t.Errorf("%q, %q", c.QEMU.Firmware, c.FirmwareKind)
	}
}

// Packer sends a block as one value with all options in it.
func TestHCLValue(t *testing.T) {
	block := map[string]cty.Value{
		"iso_url": cty.StringVal("a.iso"), "iso_checksum": cty.StringVal("none"), "firmware": cty.StringVal("uefi-secure"),
		"architecture": cty.StringVal("amd64"), "memory": cty.NullVal(cty.Number), "disk_image": cty.False,
		"output_directory": cty.StringVal(filepath.Join(t.TempDir(), "o")), "seed": cty.ListValEmpty(cty.EmptyObject),
		"qemuargs": cty.NullVal(cty.List(cty.List(cty.String))),
	}
	var c Config
	_, err := c.Prepare(cty.ObjectVal(block), map[string]any{"packer_build_name": "x", "packer_force": true})
	if err != nil {
		t.Fatal(err)
	}
	if c.QEMU.MachineType != "q35" || c.FirmwareKind != "uefi-secure" || c.QEMU.MemorySize == 512 || c.QEMU.DiskSize != "16G" || !c.QEMU.PackerForce {
		t.Errorf("%+v", c.QEMU)
	}
}

func TestKernelWithoutISO(t *testing.T) {
	options := installer(t, nil)
	delete(options, "iso_url")
	delete(options, "iso_checksum")
	var c Config
	warnings, err := c.Prepare(options)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, %v", err, warnings)
	}
	if len(c.QEMU.ISOUrls) > 0 {
		t.Errorf("ISO %v", c.QEMU.ISOUrls)
	}
}

func TestDiskImageKeepsItsSize(t *testing.T) {
	var c Config
	_, err := c.Prepare(map[string]any{
		"iso_url": "a.qcow2", "iso_checksum": "none", "disk_image": true, "output_directory": filepath.Join(t.TempDir(), "o"),
	})
	if err != nil || !c.QEMU.SkipResizeDisk {
		t.Errorf("%v, skip_resize_disk = %v", err, c.QEMU.SkipResizeDisk)
	}
}

func TestWrongOptions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	seed := func(options map[string]any) map[string]any { return map[string]any{"seed": []any{options}} }
	for want, options := range map[string]map[string]any{
		`architecture = "i386" is not one of`:   {"architecture": "i386"},
		"does not exist for arm64":              {"architecture": "arm64", "firmware": "bios"},
		"belong together":                       {"firmware": "uefi", "efi_firmware_code": "/a"},
		"for a kernel":                          {"kernel": "", "initrd": "/a"},
		"remove one of the two":                 {"boot_command": []string{"<enter>"}},
		"set provision = true":                  {"ssh_username": "root"},
		"a way into the installed system":       {"provision": true},
		"for after an installer":                {"provision": true, "disk_image": true, "ssh_username": "root"},
		`console = "loud" is not one of`:        {"console": "loud"},
		`failure_patterns: "("`:                 {"failure_patterns": []string{"("}},
		`seed 1 ("cidata"): media = "tape"`:     seed(map[string]any{"label": "cidata", "media": "tape", "content": map[string]any{"a": "b"}}),
		"neither files nor content":             seed(map[string]any{"label": "cidata"}),
		"no such file":                          seed(map[string]any{"label": "cidata", "files": map[string]any{"a": file + "-not"}}),
		"in both files and content":             seed(map[string]any{"label": "cidata", "files": map[string]any{"a": file}, "content": map[string]any{"a": ""}}),
		"longer than the 11 characters":         seed(map[string]any{"label": "TWELVE-CHARS", "media": "usb", "content": map[string]any{"a": ""}}),
		`unknown configuration key: '"kernal"`:  {"kernal": "/a"},
		"invalid format, only 'qcow2' or 'raw'": {"format": "vmdk"}, // the QEMU builder's own check
	} {
		var c Config
		if _, err := c.Prepare(installer(t, options)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// While Packer validates, values can be unknown.
func TestUnknown(t *testing.T) {
	var c Config
	_, err := c.Prepare(installer(t, map[string]any{
		"architecture": unknown, "firmware": unknown, "console": unknown,
		"seed": []any{map[string]any{"label": unknown, "media": unknown, "files": map[string]any{"a": unknown}}},
	}))
	if err != nil {
		t.Error(err)
	}
}
