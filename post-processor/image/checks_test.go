package image

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-maas/packer-plugin-maas/internal/check"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/region/regiontest"
)

// checking runs maas-image with the options, and returns what it said.
func checking(t *testing.T, options map[string]any) (packersdk.Artifact, string, error) {
	t.Helper()
	var p PostProcessor
	if err := p.Configure(settings(t, options)); err != nil {
		return nil, "", err
	}
	var said bytes.Buffer
	ui := &packersdk.BasicUi{Reader: strings.NewReader(""), Writer: &said, ErrorWriter: &said}
	a, _, _, err := p.PostProcess(t.Context(), ui, nil)
	return a, said.String(), err
}

// failures are the names of failed checks in the report beside an image.
func failures(t *testing.T, image string) []string {
	t.Helper()
	b, err := os.ReadFile(image + reportEnding)
	if err != nil {
		t.Fatal(err)
	}
	var report check.Report
	if err := json.Unmarshal(b, &report); err != nil {
		t.Fatal(err)
	}
	if report.SHA256 != fileSum(t, image) || report.Image != filepath.Base(image) {
		t.Errorf("the report is about %s, %s", report.Image, report.SHA256)
	}
	var names []string
	for _, r := range report.Results {
		if r.Outcome == check.Failed && r.Severity == check.Error {
			names = append(names, r.Check)
		}
	}
	return names
}

// An image that fails checks stays, says what is wrong, and is uploaded only if
// the checks are waived by name.
func TestChecksStopTheUpload(t *testing.T) {
	r := startRegion(t, regiontest.Options{})
	output := filepath.Join(t.TempDir(), "tiny.tar.gz")
	options := map[string]any{"input": bootable(t), "output": output, "checks": "on"}
	_, said, err := uploading(t, r, options, nil)
	failed := failures(t, output)
	if len(failed) == 0 || !slices.Contains(failed, "cloud-init") {
		t.Fatalf("failed are %q: %v\n%s", failed, err, said)
	}
	if err == nil || !strings.Contains(err.Error(), `ignore_checks = ["`+strings.Join(failed, `", "`)+`"]`) || !strings.Contains(err.Error(), output+".upload") {
		t.Errorf("error is %v", err)
	}
	if !strings.Contains(said, "ERROR    cloud-init: there is no cloud-init; install the package") {
		t.Errorf("it says:\n%s", said)
	}
	if list, err := os.ReadFile(output + packagesEnding); err == nil {
		t.Errorf("packages of a system without: %s", list)
	}
	if r.Deployable("tiny") == nil {
		t.Error("the region has the image")
	}
	template, err := os.ReadFile(filepath.Join(output+".upload", "upload.pkr.hcl"))
	if err != nil || !strings.Contains(string(template), `ignore_checks = ["`+failed[0]) {
		t.Errorf("%s (%v)", template, err)
	}
	ready := map[string]any{"image": output, "checks": "on", "ignore_checks": failed}
	if _, said, err := uploading(t, r, ready, nil); err != nil || r.Deployable("tiny") != nil {
		t.Errorf("waived, and the image that is ready is not uploaded: %v\n%s", err, said)
	}
}

// What is beside an image is the artifact's, and the same for the same image.
func TestChecksBeside(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1000000000")
	disk := withPackages(t)
	var first []byte
	for range 2 {
		output := filepath.Join(t.TempDir(), "tiny.tar.gz")
		a, said, err := checking(t, map[string]any{"input": disk, "output": output, "checks": "warn"})
		if err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		want := []string{output, output + ".sha256", output + reportEnding, output + packagesEnding, output + sbomEnding}
		if !slices.Equal(a.Files(), want) {
			t.Errorf("files are %q", a.Files())
		}
		var all []byte
		for _, file := range a.Files() {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
		if first != nil && !bytes.Equal(all, first) {
			t.Error("the same disk gave other files")
		}
		first = all
		if list, err := os.ReadFile(output + packagesEnding); err != nil || string(list) != "tool\t1.0\n" {
			t.Errorf("packages are %q (%v)", list, err)
		}
		if err := a.Destroy(); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(filepath.Dir(output)); err != nil || len(left) > 0 {
			t.Errorf("left are %v (%v)", left, err)
		}
	}
}

// An image made elsewhere needs no upload to be checked.
func TestChecksReadyImage(t *testing.T) {
	dir := t.TempDir()
	image := filepath.Join(dir, "custom.tar.gz")
	fstest.Run(t, "sh", "-c", `mkdir -p "$0/root/etc" "$0/root/usr" && tar -cz -C "$0" -f "$1" root && rm -r "$0/root"`, dir, image)
	_, said, err := checking(t, map[string]any{"image": image, "checks": "on"})
	if err == nil || !slices.Contains(failures(t, image), "system-tree") || !strings.Contains(said, `a folder "root"`) {
		t.Errorf("error %v\n%s", err, said)
	}
	for option, want := range map[string]any{"checks": "some", "ignore_checks": []string{"kernle"}} {
		if _, _, err := checking(t, map[string]any{"image": image, "checks": "on", option: want}); err == nil || !strings.Contains(err.Error(), option) {
			t.Errorf("%s = %v: error is %v", option, want, err)
		}
	}
	if _, _, err := checking(t, map[string]any{"image": image}); err == nil || !strings.Contains(err.Error(), "nothing to do") {
		t.Errorf("error is %v", err)
	}
}

// withPackages is the disk of a system with a package database.
func withPackages(t *testing.T) string {
	t.Helper()
	fstest.RequireTool(t, "mke2fs")
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "disk.raw")
	fstest.Run(t, "sh", "-ec", `cd "$0" && mkdir -p etc usr var/lib/dpkg && echo ID=tiny > etc/os-release
		printf 'Package: tool\nStatus: install ok installed\nVersion: 1.0\nArchitecture: all\n' > var/lib/dpkg/status
		mke2fs -q -t ext4 -d . "$1" 16M`, dir, path)
	return path
}
