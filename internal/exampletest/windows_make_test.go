package exampletest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// TestWindowsMake has `make` hand every parameter to Packer, and say what is
// missing before Packer starts.
func TestWindowsMake(t *testing.T) {
	fstest.RequireTool(t, "make", "qemu-img", "qemu-system-x86_64", "swtpm")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"packer": "#!/bin/sh\n[ \"$1\" = build ] || exit 0\nshift\necho \"$PKR_VAR_product_key\"\nfor a in \"$@\"; do echo \"$a\"; done\n",
		"w.iso":  "", "w.vhdx": "", "v.iso": "", "c.msi": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	iso := "iso_path=" + dir + "/w.iso"
	for _, tt := range []struct {
		goals string
		want  string // among what Packer is given, or in the error
		not   string
	}{
		{"windows ISO=w.iso", "-var-file=windows/windows2022.pkrvars.hcl -var timeout=1h -var headless=true -var " + iso + " windows", "edition"},
		{"windows ISO=w.iso VERSION=2019 EDIT=SERVERDATACENTER PKEY=" + windowsKey, windowsKey + " -var-file=windows/windows2019.pkrvars.hcl", "=" + windowsKey},
		{"windows ISO=w.iso VERSION=10 EDIT=Enterprise\\ Evaluation", "-var edition=Enterprise Evaluation windows", ""},
		{"windows ISO=w.iso VERSION=HCI", "windows/windowshci.pkrvars.hcl", ""},
		{"windows11 ISO=w.iso HEADLESS=false TIMEOUT=90m", "-var timeout=90m -var headless=false", ""},
		{"windows VHDX=w.vhdx DISPLAY=:0", "-var headless=false -var vhdx_path=" + dir + "/w.vhdx windows", "iso_path"},
		{"windows2025 ISO=w.iso VIRTIO=v.iso CLOUDBASE=c.msi", "-var virtio=" + dir + "/v.iso -var cloudbase_init=" + dir + "/c.msi", ""},
		{"windows ISO=w.iso VIRTIO=https://x.example/v.iso", "-var virtio=https://x.example/v.iso", ""},
		{"windows", "make: windows2022 is installed from an ISO of yours", "-var"},
		{"windows ISO=nothing.iso", "make: there is no file", "-var"},
		{"windows ISO=w.iso VIRTIO=nothing.iso", "make: there is no file " + dir + "/nothing.iso", "-var"},
		{"windows ISO=w.iso VERSION=2012", "make: there is no Windows 2012", "-var"},
		{"windows ISO=w.iso SECURE_BOOT=", "make: there is no firmware", "-var"},
		{"windows11 ISO=w.iso PATH=" + dir + ":/none", "is missing", "-var"},
	} {
		var args []string
		for word := range strings.SplitSeq(strings.ReplaceAll(tt.goals, "\\ ", "\x00"), " ") {
			word = strings.ReplaceAll(word, "\x00", " ")
			for _, file := range []string{"w.iso", "w.vhdx", "v.iso", "c.msi", "nothing.iso"} {
				word = strings.Replace(word, "="+file, "="+dir+"/"+file, 1)
			}
			args = append(args, word)
		}
		cmd := exec.Command("make", append([]string{"--silent", "-C", filepath.Join(Root, "example"), "PACKER=" + dir + "/packer"}, args...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		got := strings.ReplaceAll(string(out), "\n", " ")
		if failure := strings.Contains(tt.want, "make:") || tt.want == "is missing"; (err != nil) != failure {
			t.Errorf("make %s: %v\n%s", tt.goals, err, out)
		}
		if !strings.Contains(got, tt.want) || tt.not != "" && strings.Contains(got, tt.not) {
			t.Errorf("make %s: without %q or with %q:\n%s", tt.goals, tt.want, tt.not, out)
		}
	}
}
