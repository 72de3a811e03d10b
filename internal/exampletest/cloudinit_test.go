package exampletest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// cloudInit runs Python with cloud-init's own code, which `make tools` fetches.
func cloudInit(t *testing.T, args ...string) (string, error) {
	t.Helper()
	code, err := filepath.Abs(filepath.Join(Root, ".cache", "cloud-init", "usr", "lib", "python3", "dist-packages"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(code); err != nil {
		fstest.Missing(t, "needs cloud-init, which `make tools` fetches: %v", err)
	}
	cmd := exec.Command(PythonTool(t, "python3"), append([]string{"-B"}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+code)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestCloudInitSettings has cloud-init itself read what the kickstarts leave for
// it: it asks MAAS, and makes the system's account, which no password opens.
func TestCloudInitSettings(t *testing.T) {
	for system, user := range map[string]string{"rhel9": "cloud-user", "centos7": "centos", "fedora": "fedora", "openeuler": "openeuler"} {
		t.Run(system, func(t *testing.T) {
			_, settings, _ := strings.Cut(kickstart(t, system, "amd64"), "cat >/etc/cloud/cloud.cfg.d/90-maas.cfg <<'END'\n")
			settings, _, found := strings.Cut(settings, "END\n")
			if !found {
				t.Fatal("the kickstart leaves no settings")
			}
			dir := t.TempDir()
			for name, text := range map[string]string{
				"cloud.cfg": "users: [default]\nsystem_info:\n  default_user: {name: other, lock_passwd: false}\n", "cloud.cfg.d/90-maas.cfg": settings,
			} {
				if err := change(filepath.Join(dir, name), text); err != nil {
					t.Fatal(err)
				}
			}
			checkSchema(t, "#cloud-config\n"+settings)
			out, err := cloudInit(t, "cloudinit/merge.py", filepath.Join(dir, "cloud.cfg"), "rhel")
			var got struct {
				Sources []string
				Users   map[string]struct {
					Lock    bool     `json:"lock_passwd"`
					Sudo    []string `json:"sudo"`
					Default bool     `json:"default"`
				}
			}
			if err != nil || json.Unmarshal([]byte(out), &got) != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			account := got.Users[user]
			if !slices.Equal(got.Sources, []string{"DataSourceMAAS", "DataSourceNone"}) || len(got.Users) != 1 || !account.Lock || !account.Default || len(account.Sudo) != 1 {
				t.Errorf("it makes of the settings %+v", got)
			}
		})
	}
}

// TestUserData has cloud-init check the document that the demo gives its machine.
func TestUserData(t *testing.T) {
	document := Evaluate(t, "demo", "local.user_data", nil, "-var", "disk=x")
	if !strings.Contains(document, `"name": "packer"`) {
		t.Errorf("it is\n%s", document)
	}
	checkSchema(t, document)
}

// checkSchema has cloud-init check a document against its own schema.
func checkSchema(t *testing.T, document string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "user-data")
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := cloudInit(t, "-m", "cloudinit.cmd.main", "schema", "--config-file", file); err != nil || !strings.Contains(out, "Valid cloud-config") {
		t.Errorf("%v\n%s\n%s", err, out, document)
	}
}
