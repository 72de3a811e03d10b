package image

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/region/regiontest"
)

func TestUploadNameOfRelease(t *testing.T) {
	r := startRegion(t, regiontest.Options{})
	_, said, err := uploading(t, r, map[string]any{"input": bootable(t), "output": filepath.Join(t.TempDir(), "out.tar.gz")},
		map[string]any{"name": "made-of-{{ .ID }}", "title": "Of {{.ID}}"})
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if err := r.Deployable("made-of-tiny"); err != nil {
		t.Error(err)
	}
}

func TestRender(t *testing.T) {
	of := release{ID: "ol", VersionID: "9.4"}
	for value, want := range map[string]string{
		"plain": "plain", "ol/{{ .VersionID }}": "ol/9.4", "{{.ID}}-{{ .ID | upper }}": "ol-OL",
		"{{ .VersionCodename }}": "error: does not have what {{ .VersionCodename }}",
		"{{ .Name }}":            "error: a template knows", "{{ .ID": "{{ .ID",
	} {
		got, err := render(value, of)
		if wanted, failing := strings.CutPrefix(want, "error: "); failing {
			if err == nil || !strings.Contains(err.Error(), wanted) {
				t.Errorf("%s: error is %v", value, err)
			}
		} else if err != nil || got != want {
			t.Errorf("%s: %q, %v", value, got, err)
		}
	}
}

func TestUploadTemplatesAreChecked(t *testing.T) {
	r := startRegion(t, regiontest.Options{Version: "3.4.0"})
	for name, want := range map[string]string{
		"x-{{ .Nothing }}":         "a template knows",         // before anything is done
		"x-{{ .VersionCodename }}": "The image is complete",    // the image alone can tell
		"ol/{{ .VersionID }}":      "MAAS 3.4.0 does not know", // the region's rules hold for what comes out
	} {
		_, said, err := uploading(t, r, map[string]any{"input": bootable(t), "output": filepath.Join(t.TempDir(), "out.tar.gz")},
			map[string]any{"name": name, "base_image": ""})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v\n%s", name, err, said)
		}
	}
}
