package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// A disk that has the name of a file that is written about its image stays, and
// so does one that a file beside the image is a name of.
func TestDiskStays(t *testing.T) {
	content, err := os.ReadFile(withPackages(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(beside("out"), "out.sha256", "out") {
		dir := t.TempDir()
		disk := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(disk), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(disk, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, said, err := checking(t, map[string]any{
			"input": disk, "output": filepath.Join(dir, "out"), "checks": "warn", "packer_force": true,
		})
		if err == nil || !strings.Contains(err.Error(), disk) || !strings.Contains(err.Error(), "elsewhere") {
			t.Errorf("%s: error is %v\n%s", file, err, said)
		}
		if now, err := os.ReadFile(disk); err != nil || string(now) != string(content) {
			t.Errorf("%s is no longer as it was (%v)", file, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
			t.Errorf("%s: there are %v (%v)", file, left, err)
		}
	}
}

// Nor is an image that is ready replaced by what is found in it.
func TestReadyImageStays(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "image")
	image := link + packagesEnding
	fstest.Run(t, "sh", "-c", `mkdir -p "$0/etc" && tar -cz -C "$0" -f "$1" etc`, t.TempDir(), image)
	if err := os.Symlink(image, link); err != nil {
		t.Fatal(err)
	}
	before := fileSum(t, image)
	_, _, err := checking(t, map[string]any{"image": link, "checks": "warn"})
	if err == nil || !strings.Contains(err.Error(), "name the image itself") {
		t.Errorf("error is %v", err)
	}
	if !exists(t, image) || fileSum(t, image) != before {
		t.Error("the image is no longer as it was")
	}
}
