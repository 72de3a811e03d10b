package systemtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/exampletest"
	"github.com/packer-maas/packer-plugin-maas/internal/packertest"
)

// What an installer that only powers off has left is started and provisioned;
// of the account that the build worked with, nothing is on the disk afterwards.
// The installer is Debian's kernel, started out of an ISO, which does what a
// script on a seed volume says.
func TestProvision(t *testing.T) {
	debian := system(t, "debian12")
	packer := packertest.New(t)
	packer.InstallAnsible()
	iso, key, folder := open(t, debian).iso(), key(t), t.TempDir()
	kickstart := filepath.Join(folder, "ks.cfg")
	text := exampletest.Evaluate(t, "el", "local.kickstart", []string{"region.pkr.hcl"}, "-var-file="+exampletest.Variables(t, "el")["rocky9"], "-var", "provision=true")
	if err := os.WriteFile(kickstart, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	said := packer.Must("build", "-var", "disk="+debian, "-var", "iso="+iso, "-var", "key="+key, "-var", "folder="+folder,
		"-var", "kickstart="+kickstart, "-var", "ansible="+exampletest.PythonTool(t, "ansible-playbook"),
		"testdata/provision.pkr.hcl")
	for _, want := range []string{"Installing the account packer", "provisioned as packer", "failed=0", "Removing the account of the build"} {
		if !strings.Contains(said, want) {
			t.Errorf("it did not say %q:\n%s", want, said)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "debian12.tar.gz")); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	built := open(t, filepath.Join(folder, "build", "debian12.qcow2"))
	checkBuilt(t, built)
}

func checkBuilt(t *testing.T, built files) {
	t.Helper()
	if got := built.command("cat /opt/provisioned"); !strings.Contains(got, "by packer, with sudo") {
		t.Errorf("/opt/provisioned: %q", got)
	}
	if got := built.command("cat /opt/ansible"); !strings.Contains(got, "Debian 12, by root") {
		t.Errorf("/opt/ansible: %q", got)
	}
	for _, path := range []string{"/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/subuid", "/etc/subgid"} {
		text := built.command("cat " + path)
		if strings.Contains(text, "packer") {
			t.Errorf("%s:\n%s", path, text)
		}
		if older := path + "-"; built.exists(older) {
			t.Errorf("%s is there", older)
		}
	}
	if text := built.command("cat /etc/passwd"); !strings.Contains(text, "root:x:0:0:") {
		t.Errorf("/etc/passwd:\n%s", text)
	}
	for path, want := range map[string]bool{
		"/home": true, "/home/packer": false, "/etc/sudoers.d/packer": false, "/etc/sudoers.d/README": true,
		"/etc/cloud/cloud.cfg": true, "/etc/cloud/cloud-init.disabled": false, "/var/lib/cloud/instance": false,
		"/etc/systemd/system/build-boot.service": false, "/etc/systemd/system/multi-user.target.wants/build-boot.service": false,
	} {
		if got := built.exists(path); got != want {
			t.Errorf("%s: is there: %v", path, got)
		}
	}
	if text := built.command("cat /etc/sudoers.d/others"); text == "" || strings.Contains(text, "packer") || !strings.Contains(text, "%operators") {
		t.Errorf("/etc/sudoers.d/others:\n%s", text)
	}
}
