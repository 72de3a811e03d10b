package firmware

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// host is a folder with files, as a root folder of a machine.
func host(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		at := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const split = `{"interface-types":["uefi"],"mapping":{"device":"flash","executable":{"filename":"/fw/CODE","format":"raw"},
 "nvram-template":{"filename":"/fw/VARS","format":"raw"}},"targets":[{"architecture":"x86_64","machines":["pc-i440fx-*","pc-q35-*"]}],"features":[FEATURES]}`

func descriptorWith(code string, features ...string) string {
	quoted := ""
	if len(features) > 0 {
		quoted = `"` + strings.Join(features, `","`) + `"`
	}
	return strings.NewReplacer("FEATURES", quoted, "CODE", code, "VARS", code+".vars").Replace(split)
}

// On the distributions that we know by their descriptors or by their places,
// the right files are found.
func TestFind(t *testing.T) {
	amd, arm := Want{Architecture: "amd64", Machine: "q35"}, Want{Architecture: "arm64", Machine: "virt"}
	secure := amd
	secure.Secure = true
	for name, test := range map[string]struct {
		want  Want
		files []string // the first two are the answer
		smm   bool
	}{
		"Debian 11":         {amd, []string{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd", "/usr/share/OVMF/OVMF_VARS.ms.fd"}, false},
		"Ubuntu 24.04":      {amd, []string{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd", "/usr/share/OVMF/OVMF_CODE_4M.ms.fd"}, false},
		"Ubuntu, secure":    {secure, []string{"/usr/share/OVMF/OVMF_CODE_4M.ms.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd", "/usr/share/OVMF/OVMF_CODE_4M.fd"}, true},
		"Fedora":            {amd, []string{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"}, false},
		"Fedora, secure":    {secure, []string{"/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", "/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd"}, true},
		"SUSE":              {amd, []string{"/usr/share/qemu/ovmf-x86_64-4m-code.bin", "/usr/share/qemu/ovmf-x86_64-4m-vars.bin"}, false},
		"Arch":              {amd, []string{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"}, false},
		"Debian on arm64":   {arm, []string{"/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"}, false},
		"SUSE on arm64":     {arm, []string{"/usr/share/qemu/aavmf-aarch64-code.bin", "/usr/share/qemu/aavmf-aarch64-vars.bin"}, false},
		"variables missing": {amd, []string{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd", "/usr/share/OVMF/OVMF_CODE_4M.fd"}, false},
	} {
		files := map[string]string{}
		for _, file := range test.files {
			files[file] = "x"
		}
		root := host(t, files)
		got, err := Find(root, test.want)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Code != root+test.files[0] || got.Vars != root+test.files[1] || got.SMM != test.smm {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestDescriptors(t *testing.T) {
	want := Want{Architecture: "amd64", Machine: "q35"}
	secure := Want{Architecture: "amd64", Machine: "q35", Secure: true}
	files := map[string]string{
		"/usr/share/qemu/firmware/10-broken.json": "{",
		"/usr/share/qemu/firmware/20-gone.json":   descriptorWith("GONE"),
		"/usr/share/qemu/firmware/30-keys.json":   descriptorWith("KEYS", "secure-boot", "enrolled-keys", "requires-smm"),
		"/usr/share/qemu/firmware/40-sev.json":    descriptorWith("SEV", "amd-sev-snp"),
		"/usr/share/qemu/firmware/50-plain.json":  descriptorWith("PLAIN", "secure-boot", "requires-smm"),
		"/usr/share/qemu/firmware/60-later.json":  descriptorWith("LATER"),
	}
	for _, code := range []string{"KEYS", "SEV", "PLAIN", "LATER", "OURS"} {
		files["/fw/"+code], files["/fw/"+code+".vars"] = "x", "x"
	}
	check := func(name string, want Want, code string, smm bool) {
		t.Helper()
		got, err := Find(host(t, files), want)
		if err != nil || filepath.Base(got.Code) != code || filepath.Base(got.Vars) != code+".vars" || got.SMM != smm || got.CodeFormat != "raw" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	check("plain", want, "LATER", false)
	check("secure", secure, "KEYS", true)
	// The administrator's word, of the same name, hides the distribution's; an
	// empty file hides without a word of its own.
	files["/etc/qemu/firmware/60-later.json"] = descriptorWith("OURS")
	check("overridden", want, "OURS", false)
	files["/etc/qemu/firmware/60-later.json"] = ""
	check("hidden", want, "PLAIN", true)
	// Machine types are patterns, of which q35 is an alias.
	check("version", Want{Architecture: "amd64", Machine: "pc-q35-7.2"}, "PLAIN", true)
	if _, err := Find(host(t, files), Want{Architecture: "amd64", Machine: "microvm"}); err == nil {
		t.Error("a firmware for microvm")
	}
}

func TestMissing(t *testing.T) {
	for want, w := range map[string]Want{
		"its package is ovmf on Debian":             {Architecture: "amd64", Machine: "q35"},
		"its package is qemu-efi-aarch64 on Debian": {Architecture: "arm64", Machine: "virt"},
		"Secure Boot and Microsoft's keys":          {Architecture: "amd64", Machine: "q35", Secure: true},
	} {
		if _, err := Find(t.TempDir(), w); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
