package firmware

import (
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// folders have the descriptors; a file in a later one is hidden by one of the
// same name in an earlier one.
var folders = []string{"/etc/qemu/firmware", "/usr/local/share/qemu/firmware", "/usr/share/qemu/firmware"}

// descriptor is the part of a descriptor that says what we need.
type descriptor struct {
	InterfaceTypes []string `json:"interface-types"`
	Mapping        struct {
		Device     string `json:"device"`
		Mode       string `json:"mode"`
		Executable file   `json:"executable"`
		Template   file   `json:"nvram-template"`
	} `json:"mapping"`
	Targets []struct {
		Architecture string   `json:"architecture"`
		Machines     []string `json:"machines"`
	} `json:"targets"`
	Features []string `json:"features"`
}

type file struct {
	Filename string `json:"filename"`
	Format   string `json:"format"`
}

// described are the firmwares that descriptors offer, the preferred first.
func described(root string, want Want) []Firmware {
	files := map[string]string{} // by name
	for _, folder := range slices.Backward(folders) {
		found, _ := filepath.Glob(filepath.Join(root, folder, "*.json"))
		for _, at := range found {
			files[filepath.Base(at)] = at
		}
	}
	var offers []Firmware
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text, err := os.ReadFile(files[name])
		if err != nil {
			continue
		}
		var d descriptor // an empty file hides another on purpose
		if json.Unmarshal(text, &d) == nil && d.fits(want) {
			offers = append(offers, d.firmware())
		}
	}
	if !want.Secure { // what can do without the slow system management mode first
		slices.SortStableFunc(offers, func(a, b Firmware) int { return cmp.Compare(btoi(a.SMM), btoi(b.SMM)) })
	}
	return offers
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// QEMU's names for architectures.
var architectures = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

// fits says whether a firmware is one of two files, and for such a machine.
// Debug builds and confidential computing are for nobody who did not ask.
func (d *descriptor) fits(want Want) bool {
	has := func(feature string) bool { return slices.Contains(d.Features, feature) }
	switch {
	case !slices.Contains(d.InterfaceTypes, "uefi"), d.Mapping.Device != "flash",
		d.Mapping.Mode != "" && d.Mapping.Mode != "split",
		has("amd-sev-es"), has("amd-sev-snp"), has("intel-tdx"):
		return false
	case want.Secure && (!has("secure-boot") || !has("enrolled-keys")):
		return false
	case !want.Secure && has("enrolled-keys"):
		return false // keys enrolled enforce Secure Boot
	}
	for _, target := range d.Targets {
		if target.Architecture != architectures[want.Architecture] {
			continue
		}
		if slices.ContainsFunc(target.Machines, want.machineIs) {
			return true
		}
	}
	return false
}

// machineIs compares a machine type with a descriptor's pattern, such as
// pc-q35-*, of which q35 is the alias.
func (w Want) machineIs(pattern string) bool {
	alias := map[string]string{"q35": "pc-q35-0", "pc": "pc-i440fx-0", "virt": "virt-0", "ubuntu": "pc-i440fx-0"}
	for _, name := range []string{w.Machine, alias[w.Machine]} {
		if matches, _ := path.Match(pattern, name); matches && name != "" {
			return true
		}
	}
	return false
}

func (d *descriptor) firmware() Firmware {
	return Firmware{
		Code: d.Mapping.Executable.Filename, CodeFormat: d.Mapping.Executable.Format,
		Vars: d.Mapping.Template.Filename, VarsFormat: d.Mapping.Template.Format,
		SMM: slices.Contains(d.Features, "requires-smm"),
	}
}
