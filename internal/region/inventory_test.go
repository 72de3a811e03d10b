package region

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-maas/packer-plugin-maas/internal/region/regiontest"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		what, version string
		synced        []string
		change        func(*Image)
		want          []string
	}{
		{"fine", "3.6.0", []string{"jammy/amd64"}, func(*Image) {}, nil},
		{"too old for the name", "3.4.4", []string{"jammy/amd64", "noble/amd64"}, func(i *Image) { i.Name, i.BaseImage = "ol/9.4", "" }, []string{"name-system"}},
		{"no Ubuntu for the architecture", "3.6.0", []string{"jammy/amd64"}, func(i *Image) { i.Architecture = "arm64" }, []string{"region-architecture", "region-ubuntu"}},
		{"other Ubuntu", "3.6.0", []string{"noble/amd64"}, func(*Image) {}, []string{"region-ubuntu"}},
		{"nothing", "3.6.0", []string{}, func(*Image) {}, []string{"region-architecture", "region-ubuntu"}},
		{"base of another system", "3.6.0", []string{"jammy/amd64"}, func(i *Image) { i.BaseImage = "rhel/9" }, nil},
		{"name of a download", "3.6.0", []string{"jammy/amd64", "mantic/amd64"}, func(i *Image) { i.Name = "mantic" }, []string{"name-reserved"}},
		{"reserved anyway", "3.6.0", []string{"jammy/amd64"}, func(i *Image) { i.Name = "jammy" }, []string{"name-reserved"}},
		{"other base image", "3.6.0", nil, func(i *Image) { i.Name, i.BaseImage = "there", "ubuntu/noble" }, []string{"region-base-image"}},
		{"title lost", "3.6.0", nil, func(i *Image) { i.Name, i.Title = "there", "" }, []string{"region-title"}},
		{"second architecture", "3.6.2", []string{"jammy/amd64", "jammy/arm64"}, func(i *Image) { i.Name, i.Architecture = "there", "arm64" }, []string{"region-two-architectures"}},
		{"second architecture, mended", "3.6.3", []string{"jammy/amd64", "jammy/arm64"}, func(i *Image) { i.Name, i.Architecture = "there", "arm64" }, nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			r := regiontest.Start(t, regiontest.Options{Version: c.version, Synced: c.synced})
			admin := clientOf(t, r)
			image := good
			c.change(&image)
			if image.Name == "there" {
				before, content := good, bytesOf(6, 1000)
				before.Name, before.SHA256 = "there", sumOf(content)
				if _, err := admin.Upload(t.Context(), before, bytes.NewReader(content), 1000, quick(1000)); err != nil {
					t.Fatal(err)
				}
			}
			plan, err := newClient(t, Config{URL: r.URL, APIKey: regiontest.UserKey}).Check(t.Context(), image)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range plan.Problems {
				got = append(got, p.Rule)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s%v", diff, plan.Problems)
			}
		})
	}
}

func TestInventory(t *testing.T) {
	r := regiontest.Start(t, regiontest.Options{Synced: []string{"jammy/arm64", "jammy/amd64", "noble/amd64"}})
	got, err := clientOf(t, r).Inventory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got.Resources = nil
	want := Inventory{
		Ubuntu:        map[string][]string{"jammy": {"amd64", "arm64"}, "noble": {"amd64"}},
		Architectures: []string{"amd64/generic", "arm64/generic"},
	}
	got.Commissioning = ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestBoots is about downloads that have not ended.
func TestBoots(t *testing.T) {
	file := func(types ...string) map[string]File {
		files := map[string]File{}
		for _, filetype := range types {
			files[filetype] = File{Filetype: filetype}
		}
		return files
	}
	all := file("boot-kernel", "boot-initrd", "squashfs")
	for _, c := range []struct {
		what string
		sets map[string]Set
		want bool
	}{
		{"complete", map[string]Set{"1": {Complete: true, Files: all}}, true},
		{"under way", map[string]Set{"1": {Files: all}}, false},
		{"under way again", map[string]Set{"1": {Complete: true, Files: all}, "2": {Files: all}}, true},
		{"no kernel", map[string]Set{"1": {Complete: true, Files: file("boot-initrd", "squashfs")}}, false},
		{"nothing", nil, false},
	} {
		if got := (Resource{Sets: c.sets}).boots(); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}
