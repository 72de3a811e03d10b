package exampletest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// bench is a folder with the programs that `make SYSTEM` runs, and no others: of
// Packer, one that tells what it is given.
func bench(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"packer":   "#!/bin/sh\necho \"packer $1 PACKER_LOG=$PACKER_LOG\"\nfor word; do echo \"<$word>\"; done\n",
		"qemu-img": "", "qemu-system-x86_64": "", "qemu-system-aarch64": "",
		"an ISO.iso": "", "VMware-VMvisor-Installer-7.0U3g-20328353.x86_64.iso": "", "VMware-VMvisor-Installer-6.7.0.update03-14320388.x86_64.iso": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"make", "sh", "grep", "sed", "awk", "fold", "echo", "printf", "basename", "realpath"} {
		fstest.RequireTool(t, name)
		path, err := exec.LookPath(name)
		if err == nil {
			err = os.Symlink(path, filepath.Join(dir, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// runMake runs `make` in example, with paths in the folder's place of DIR.
func runMake(t *testing.T, dir string, environment []string, args ...string) (string, error) {
	t.Helper()
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "DIR", dir)
	}
	cmd := exec.Command("make", append([]string{"--silent", "-C", filepath.Join(Root, "example")}, args...)...)
	cmd.Env = append([]string{"PATH=" + dir}, environment...)
	out, err := cmd.CombinedOutput()
	return strings.ReplaceAll(string(out), dir, "DIR"), err
}

// TestMake has `make` hand Packer what a person says, for each system.
func TestMake(t *testing.T) {
	dir := bench(t)
	plain := "<-var>\n<timeout=1h>\n<-var>\n<headless=true>\n"
	for _, family := range []string{"el", "esxi"} {
		iso, architecture := "iso_path", "<-var>\n<architecture=amd64>\n"
		if family == "esxi" {
			iso, architecture = "vmware_esxi_iso_path", ""
		}
		for system := range Variables(t, family) {
			got, err := runMake(t, dir, nil, system, "ISO=DIR/an ISO.iso")
			want := "packer init PACKER_LOG=0\n<init>\n<" + family + ">\npacker build PACKER_LOG=0\n<build>\n<-var-file=" + family + "/" + system + ".pkrvars.hcl>\n" +
				architecture + plain + "<-var>\n<" + iso + "=DIR/an ISO.iso>\n<" + family + ">\n"
			if err != nil || got != want {
				t.Errorf("make %s: %v\n%s\nwant\n%s", system, err, got, want)
			}
		}
	}
}

// TestMakeParameters has `make` hand on each parameter, and say what is missing
// before Packer starts.
func TestMakeParameters(t *testing.T) {
	dir := bench(t)
	less := bench(t)
	for _, name := range []string{"qemu-img", "qemu-system-aarch64"} {
		if err := os.Remove(filepath.Join(less, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		goal, environment string
		want              string // among what Packer is given, or else in the error
	}{
		{"rhel8 ISO=DIR/packer PACKER_LOG=1", "", "packer build PACKER_LOG=1\n"},
		{"rhel8 ISO=DIR/packer TIMEOUT=90m HEADLESS=false", "", "<timeout=90m>\n<-var>\n<headless=false>"},
		{"rocky9 ARCH=arm64 UEFI_ARM64=there", "", "<architecture=arm64>"},
		{"ol8", "", "<headless=true>\n<el>\n"}, // downloaded
		{"centos7 VARS=-force", "", "<-force>\n<el>\n"},
		{"esxi ISO=DIR/VMware-VMvisor-Installer-7.0U3g-20328353.x86_64.iso", "", "<-var-file=esxi/esxi7.pkrvars.hcl>"},
		{"esxi ISO=DIR/VMware-VMvisor-Installer-6.7.0.update03-14320388.x86_64.iso", "", "<-var-file=esxi/esxi6.7.pkrvars.hcl>"},
		{"esxi VERSION=9 ISO=DIR/packer", "", "<-var-file=esxi/esxi9.pkrvars.hcl>"},
		{"esxi8", "VMWARE_ESXI_ISO_PATH=" + dir + "/packer", "<vmware_esxi_iso_path=DIR/packer>"},
		{"esxi", "VMWARE_ESXI_ISO_PATH=" + dir + "/VMware-VMvisor-Installer-7.0U3g-20328353.x86_64.iso", "<-var-file=esxi/esxi7.pkrvars.hcl>"},

		{"rhel8", "", "rhel8 is installed from an ISO of yours: make rhel8 ISO="},
		{"rhel7 ISO=DIR/nothing.iso", "", "there is no file DIR/nothing.iso"},
		{"centos7 ARCH=arm64 UEFI_ARM64=there", "", "there is no centos7 for arm64 to download"},
		{"rocky9 ARCH=arm64 UEFI_ARM64=", "", "there is no firmware for arm64: apt install qemu-efi-aarch64"},
		{"rocky9 ARCH=riscv", "", "ARCH=riscv is neither amd64 nor arm64"},
		{"esxi", "", "which ESXi is it?"},
		{"esxi VERSION=5 ISO=DIR/packer", "", "there is no ESXi 5: VERSION is one of 6.7 7 8 9"},
		{"esxi8", "", "esxi8 is installed from an ISO of yours"},
		{"esxi8 ISO=DIR/nothing.iso", "", "there is no file DIR/nothing.iso"},
		{"rocky9 PACKER=DIR/none", "", "DIR/none is missing. Packer: https://"},
		{"rocky9 LESS", "", "qemu-img is missing. QEMU: apt install qemu-utils"},
		{"esxi8 ISO=DIR/packer LESS", "", "qemu-img is missing"},
	} {
		programs := dir
		goal, few := strings.CutSuffix(tt.goal, " LESS")
		if few {
			programs = less
		}
		got, err := runMake(t, programs, strings.Fields(tt.environment), strings.Fields(goal)...)
		fails := !strings.HasSuffix(tt.want, "\n") && !strings.HasPrefix(tt.want, "<")
		if !strings.Contains(got, tt.want) || fails == (err == nil) || fails == strings.Contains(got, "packer init") {
			t.Errorf("make %s: %v, without %q:\n%s", tt.goal, err, tt.want, got)
		}
	}
}

// TestMakeHelp has `make` alone list all systems and parameters.
func TestMakeHelp(t *testing.T) {
	got, err := runMake(t, bench(t), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	words := []string{"ISO", "ARCH", "VERSION", "TIMEOUT", "HEADLESS", "PACKER_LOG", "PACKER", "VARS", "esxi", "windows"}
	for _, family := range []string{"el", "esxi"} {
		for system := range Variables(t, family) {
			words = append(words, system)
		}
	}
	for _, word := range words {
		if !strings.Contains(" "+strings.Join(strings.Fields(got), " ")+" ", " "+word+" ") {
			t.Errorf("no %s in\n%s", word, got)
		}
	}
}
