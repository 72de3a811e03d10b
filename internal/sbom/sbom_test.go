package sbom_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/packer-maas/packer-plugin-maas/internal/facts"
	"github.com/packer-maas/packer-plugin-maas/internal/sbom"
)

func TestCycloneDX(t *testing.T) {
	image := sbom.Image{Name: "x.tar.gz", SHA256: strings.Repeat("ab", 32), Release: map[string]string{"ID": "rocky", "VERSION_ID": "9.4"}, Tool: "t", Version: "1"}
	packages := facts.Packages{Format: "rpm", List: []facts.Package{
		{Name: "bind", Version: "32:9.16-1.el9", Architecture: "x86_64", License: "MPLv2.0", Vendor: "Rocky", Source: "bind"},
		{Name: "gtk+", Version: "1-1", Architecture: "noarch"},
	}}
	first, err := sbom.CycloneDX(image, packages)
	if err != nil {
		t.Fatal(err)
	}
	again, err := sbom.CycloneDX(image, packages)
	if err != nil || !bytes.Equal(first, again) || bytes.Contains(first, []byte("timestamp")) {
		t.Errorf("the same image gives other bytes (%v)", err)
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(first), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, c := range *bom.Components {
		urls = append(urls, c.PackageURL)
	}
	want := "|pkg:rpm/rocky/bind@9.16-1.el9?arch=x86_64&distro=rocky-9.4&epoch=32|pkg:rpm/rocky/gtk%2B@1-1?arch=noarch&distro=rocky-9.4"
	if got := strings.Join(urls, "|"); got != want {
		t.Errorf("packages are %s\nwant %s", got, want)
	}
	image.SHA256, image.Time = strings.Repeat("cd", 32), time.Unix(1, 0)
	other, err := sbom.CycloneDX(image, packages)
	if err != nil || !bytes.Contains(other, []byte(`"timestamp": "1970-01-01T00:00:01Z"`)) || bytes.Contains(other, []byte(bom.SerialNumber)) {
		t.Errorf("another image (%v):\n%.400s", err, other)
	}
}
