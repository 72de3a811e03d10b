package image

import (
	"bytes"
	"context"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/packertest"
	"github.com/packer-maas/packer-plugin-maas/internal/region/regiontest"
)

// uploading runs maas-image with an upload block, and returns what it said.
func uploading(t *testing.T, r *regiontest.Region, options, upload map[string]any) (packersdk.Artifact, string, error) {
	t.Helper()
	all := map[string]any{
		"url": r.URL, "api_key": regiontest.AdminKey, "name": "tiny", "base_image": "ubuntu/noble", "patience": "5s",
	}
	maps.Copy(all, upload)
	var p PostProcessor
	if err := p.Configure(settings(t, options), map[string]any{"upload": all}); err != nil {
		return nil, "", err
	}
	var said bytes.Buffer
	ui := &packersdk.BasicUi{Reader: strings.NewReader(""), Writer: &said, ErrorWriter: &said}
	a, _, _, err := p.PostProcess(t.Context(), ui, nil)
	for part := range strings.SplitSeq(regiontest.AdminKey, ":") {
		if strings.Contains(said.String(), part) || err != nil && strings.Contains(err.Error(), part) {
			t.Errorf("the key is in what was said: %v\n%s", err, said.String())
		}
	}
	return a, said.String(), err
}

func startRegion(t *testing.T, o regiontest.Options) *regiontest.Region {
	t.Helper()
	if o.Version == "" {
		o.Version = "3.6.0"
	}
	o.Synced = []string{"noble/amd64"}
	return regiontest.Start(t, o)
}

func TestUploadPackedImage(t *testing.T) {
	r := startRegion(t, regiontest.Options{})
	output := filepath.Join(t.TempDir(), "tiny.tar.gz")
	a, said, err := uploading(t, r, map[string]any{"input": bootable(t), "output": output}, map[string]any{"title": "Tiny"})
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if err := r.Deployable("tiny"); err != nil {
		t.Errorf("MAAS cannot deploy it: %v", err)
	}
	id := a.(*artifact).resource.ID
	stored, err := r.Content(id)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(stored)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := os.ReadFile(output); err != nil || !bytes.Equal(content, want) {
		t.Errorf("the region has other bytes (%v)", err)
	}
	if a.Id() == "" || strings.HasPrefix(a.Id(), "sha256") || !strings.Contains(a.String(), "tiny, of "+r.URL) {
		t.Errorf("the artifact is %q: %s", a.Id(), a)
	}
}

// What MAAS could not deploy is said before the work, or at the latest before
// the upload; an image that was packed stays.
func TestUploadRefused(t *testing.T) {
	t.Setenv("MAAS_API_KEY", "")
	r := startRegion(t, regiontest.Options{})
	dir := t.TempDir()
	ready := filepath.Join(dir, "ready.tar.gz")
	if err := os.WriteFile(ready, []byte("\x1f\x8b an image"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		options, upload map[string]any
		want            string
	}{
		"no name":          {map[string]any{"image": ready}, map[string]any{"name": ""}, "name is not set"},
		"reserved name":    {map[string]any{"image": ready}, map[string]any{"name": "ubuntu/noble"}, "name"},
		"disk for rhel":    {map[string]any{"image": ready, "filetype": "ddgz"}, map[string]any{"name": "rhel/9.4", "base_image": ""}, "ddgz"},
		"no such filetype": {map[string]any{"image": ready, "filetype": "zip"}, nil, "zip"},
		"architecture":     {map[string]any{"image": ready}, map[string]any{"architecture": "s390x"}, "s390x"},
		"chunk":            {map[string]any{"image": ready}, map[string]any{"chunk_size": 11}, "chunk_size = 11"},
		"base image":       {map[string]any{"image": ready}, map[string]any{"base_image": "ubuntu/jammy"}, "jammy"},
		"key":              {map[string]any{"image": ready}, map[string]any{"api_key": "a:b:c"}, "API key"},
		"no key":           {map[string]any{"image": ready}, map[string]any{"api_key": ""}, "api_key is not set"},
		"patience":         {map[string]any{"image": ready}, map[string]any{"patience": "-1s"}, "patience = \"-1s\" is negative"},
		"not xz":           {map[string]any{"image": ready, "filetype": "ddxz"}, nil, "is not compressed by xz"},
		"image and input":  {map[string]any{"image": ready, "input": ready}, nil, "image and input are both set"},
		"no image":         {map[string]any{"image": ready + "x"}, nil, "image: stat"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, said, err := uploading(t, r, tt.options, tt.upload)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one that says %q\n%s", err, tt.want, said)
			}
		})
	}
	if _, err := os.Stat(ready); err != nil {
		t.Errorf("the image is gone: %v", err)
	}
}

func TestImageWithoutUpload(t *testing.T) {
	err := new(PostProcessor).Configure(settings(t, map[string]any{"image": "x.tar.gz"}))
	if err == nil || !strings.Contains(err.Error(), "without an upload block") {
		t.Errorf("error is %v", err)
	}
}

// A region that fails costs the upload, not the image; and what is typed then
// sends it.
func TestUploadFailsAndIsSentAgain(t *testing.T) {
	full := regiontest.DiskFull()
	r := startRegion(t, regiontest.Options{Version: "3.8.0", Faults: []regiontest.Fault{{Do: full}}})
	output := filepath.Join(t.TempDir(), "tiny.tar.gz")
	_, said, err := uploading(t, r, map[string]any{"input": bootable(t), "output": output}, nil)
	if err == nil {
		t.Fatalf("no error\n%s", said)
	}
	for _, want := range []string{"space", "complete in " + output, "packer build " + output + ".upload"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	a, said, err := uploading(t, r, map[string]any{"image": output}, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if err := r.Deployable("tiny"); err != nil {
		t.Error(err)
	}
	if err := a.Destroy(); err != nil || !exists(t, output) {
		t.Errorf("an image that was there before is gone (%v)", err)
	}
	before := len(r.Requests())
	if _, said, err = uploading(t, r, map[string]any{"image": output}, nil); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, request := range r.Requests()[before:] {
		if request.Method == "PUT" {
			t.Error("an image that the region has was sent again")
		}
	}
}

func TestUploadSkippedWithoutRegion(t *testing.T) {
	t.Setenv("MAAS_URL", "")
	output := filepath.Join(t.TempDir(), "tiny.tar.gz")
	var p PostProcessor
	upload := map[string]any{"upload": map[string]any{"name": "tiny", "optional": true}}
	if err := p.Configure(settings(t, map[string]any{"input": bootable(t), "output": output}), upload); err != nil {
		t.Fatal(err)
	}
	ui := &packersdk.MockUi{}
	if _, _, _, err := p.PostProcess(context.Background(), ui, nil); err != nil || !exists(t, output) {
		t.Errorf("error %v", err)
	}
	upload["upload"].(map[string]any)["optional"] = false
	if err := p.Configure(settings(t, nil), upload); err == nil || !strings.Contains(err.Error(), "MAAS_URL") {
		t.Errorf("error is %v", err)
	}
}

// The command in the error of a failed upload works, from another folder.
func TestPackerUploadAgain(t *testing.T) {
	p := packertest.New(t)
	r := startRegion(t, regiontest.Options{Version: "3.8.0", Faults: []regiontest.Fault{{Do: regiontest.DiskFull()}}})
	output := filepath.Join(t.TempDir(), "it's tiny.tar.gz")
	_, _, err := uploading(t, r, map[string]any{"input": bootable(t), "output": output}, map[string]any{
		"title": "A \"tiny\" ${x}", "chunk_size": 1, "patience": "90s", "wait_timeout": "2h", "no_wait": true,
	})
	if err == nil {
		t.Fatal("no error")
	}
	if found, _ := filepath.Glob(filepath.Join(filepath.Dir(output), "*.hcl")); len(found) > 0 {
		t.Errorf("%s would be part of the template beside the image", found)
	}
	template, readErr := os.ReadFile(filepath.Join(output+".upload", "upload.pkr.hcl"))
	for _, want := range []string{"chunk_size", "1m30s", "2h0m0s", "no_wait"} {
		if !strings.Contains(string(template), want) {
			t.Errorf("the template has no %s (%v):\n%s", want, readErr, template)
		}
	}
	lines := strings.Split(err.Error(), "\n")
	command := exec.Command("sh", "-c", strings.TrimSpace(lines[len(lines)-1]))
	command.Env = append(p.Command().Env, "MAAS_API_KEY="+regiontest.AdminKey, "PATH="+filepath.Dir(p.Command().Path)+":"+os.Getenv("PATH"))
	command.Dir = t.TempDir()
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", lines[len(lines)-1], err, out)
	}
	if err := r.Deployable("tiny"); err != nil {
		t.Error(err)
	}
}

// The whole of it through Packer: the template that sends an image.
func TestPackerUpload(t *testing.T) {
	p := packertest.New(t)
	r := startRegion(t, regiontest.Options{SyncTime: time.Millisecond})
	ready := filepath.Join(t.TempDir(), "ready.tar.gz")
	if err := os.WriteFile(ready, []byte("\x1f\x8b an image"), 0o600); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	cmd := p.Command("build", "-var", "image="+ready, "-var", "name=tiny", "-var", "base_image=ubuntu/noble", "-var", "checks=off", "../../example/upload")
	cmd.Env = append(cmd.Env, "MAAS_URL="+r.URL, "MAAS_API_KEY="+regiontest.AdminKey, "PACKER_LOG=1", "PACKER_LOG_PATH="+log)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "In MAAS now: tiny (amd64/generic), resource ") {
		t.Fatalf("error %v:\n%s", err, out)
	}
	if err := r.Deployable("tiny"); err != nil {
		t.Error(err)
	}
	for part := range strings.SplitSeq(regiontest.AdminKey, ":") {
		if fstest.Run(t, "sh", "-c", `grep -c -F -e "$0" "$1" || true`, part, log) != "0\n" || bytes.Contains(out, []byte(part)) {
			t.Error("the key is in Packer's log or output")
		}
	}
}
