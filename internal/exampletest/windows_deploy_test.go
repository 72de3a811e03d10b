package exampletest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/ntfs"
)

// checkWindowsDisk makes the disk of an image as curtin does, finds Windows on it
// as curtin does, and runs its hooks there.
func checkWindowsDisk(t *testing.T, image, filetype string) {
	t.Helper()
	deployed := filepath.Join(t.TempDir(), "deployed")
	unpack := map[string]string{"ddtgz": "tar -xOzf", "ddgz": "gzip -dc"}[filetype]
	fstest.Run(t, "sh", "-ec", unpack+` "$0" | dd bs=4M iflag=fullblock conv=sparse status=none of="$1"`, image, deployed)
	fstest.Run(t, "sgdisk", "--verify", deployed)
	found, volume := 0, ""
	start := 1
	for i, size := range []int{windowsESP, windowsMSR, windowsRecovery, windowsSystem} {
		path := filepath.Join(t.TempDir(), "partition")
		fstest.Run(t, "dd", "if="+deployed, "of="+path, "bs=1M", "conv=sparse", "status=none", fmt.Sprint("skip=", start), fmt.Sprint("count=", size))
		start += size
		// curtin tries to mount each partition, and takes the last with this folder.
		if hasCurtin(t, path, i+1) {
			found, volume = i+1, path
		}
	}
	if found != windowsNumber {
		t.Fatalf("curtin takes partition %d for Windows'", found)
	}
	runWindowsHooks(t, volume)
}

func hasCurtin(t *testing.T, path string, number int) bool {
	t.Helper()
	switch number {
	case 1:
		return strings.Contains(fstest.Run(t, "mdir", "-b", "-i", path, "::"), "::/curtin/")
	case 2:
		return false // nothing that could be mounted
	}
	dir, unmount := fstest.MountNTFS(t, path)
	defer unmount()
	info, err := os.Stat(filepath.Join(dir, "curtin"))
	return err == nil && info.IsDir()
}

// runWindowsHooks has the hooks configure the Windows on a volume, whose MAAS has
// nothing but its address to give.
func runWindowsHooks(t *testing.T, volume string) {
	t.Helper()
	python := filepath.Dir(PythonTool(t, "python3"))
	dir, unmount := fstest.MountNTFS(t, volume)
	maas := httptest.NewServer(http.NotFoundHandler())
	defer maas.Close()
	source := fmt.Sprintf("#cloud-config\n{datasource: {MAAS: {metadata_url: '%s/MAAS/metadata/', consumer_key: c, token_key: t, token_secret: s}}}", maas.URL)
	config := filepath.Join(t.TempDir(), "config")
	content, err := json.Marshal(map[string]any{
		"cloudconfig": map[string]any{"maas-cloud-config": map[string]string{"content": source}},
		"network": map[string]any{"version": 1, "config": []any{map[string]any{
			"type": "physical", "name": "eth0", "mac_address": "52:54:00:00:00:01", "subnets": []any{map[string]string{"type": "dhcp"}},
		}}},
	})
	if err == nil {
		err = os.WriteFile(config, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, hook := range []string{"curtin-hooks", "finalize"} {
		cmd := exec.Command(filepath.Join(dir, "curtin", hook))
		cmd.Env = append(os.Environ(), "PATH="+python+":"+os.Getenv("PATH"), "CONFIG="+config, "TARGET_MOUNT_POINT="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", hook, err, out)
		}
	}
	home := filepath.Join(dir, "Program Files/Cloudbase Solutions/Cloudbase-Init")
	for path, want := range map[string]string{
		filepath.Join(home, "conf/cloudbase-init.conf"): "metadata_base_url=" + maas.URL + "/MAAS/metadata/\r\n",
		filepath.Join(home, "LocalScripts/maas.ps1"):    "$ErrorActionPreference = 'Stop'\r\n",
		filepath.Join(dir, "curtin/network.json"):       `"52:54:00:00:00:01"`,
	} {
		if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s does not have %q, error %v:\n%s", path, want, err, text)
		}
	}
	if names, err := os.ReadDir(filepath.Join(dir, "curtin")); err != nil || len(names) != 1 {
		t.Errorf("in the folder of the hooks are %v, error %v", names, err)
	}
	unmount()
	fs, err := ntfs.Open(fstest.Volume(t, volume))
	if err != nil {
		t.Fatal(err)
	}
	if state, err := fs.State(); err != nil || !state.Clean() {
		t.Errorf("the volume is %v, error %v", state, err)
	}
}
