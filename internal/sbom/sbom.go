// Package sbom lists an image's packages in the form that scanners for
// vulnerabilities and licences take: CycloneDX, with package URLs.
package sbom

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"

	"github.com/packer-maas/packer-plugin-maas/internal/facts"
)

// Image is what the packages are in.
type Image struct {
	Name    string // the file's
	SHA256  string
	Release map[string]string // os-release(5)
	// Time is when it counts as made; zero to say nothing of it.
	Time time.Time
	// Tool and Version are what made the list.
	Tool, Version string
}

// CycloneDX is the bill of materials as JSON. The same image gives the same
// bytes: the serial number is made of the image's checksum.
func CycloneDX(image Image, packages facts.Packages) ([]byte, error) {
	bom := cdx.NewBOM()
	bom.SerialNumber = serial(image.SHA256)
	bom.Metadata = &cdx.Metadata{
		Tools: &cdx.ToolsChoice{Components: &[]cdx.Component{{Type: cdx.ComponentTypeApplication, Name: image.Tool, Version: image.Version}}},
		Component: &cdx.Component{
			BOMRef: "image", Type: cdx.ComponentTypeContainer, Name: image.Name,
			Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: image.SHA256}},
		},
	}
	if !image.Time.IsZero() {
		bom.Metadata.Timestamp = image.Time.UTC().Format(time.RFC3339)
	}
	components := []cdx.Component{{
		BOMRef: "system", Type: cdx.ComponentTypeOS, Name: image.Release["ID"], Version: image.Release["VERSION_ID"],
		Description: image.Release["PRETTY_NAME"],
	}}
	for _, p := range packages.List {
		components = append(components, component(p, packages.Format, image.Release))
	}
	bom.Components = &components
	var out bytes.Buffer
	if err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return nil, fmt.Errorf("write the bill of materials: %w", err)
	}
	return out.Bytes(), nil
}

// component is a package, by its package URL (github.com/package-url/purl-spec).
func component(p facts.Package, format string, release map[string]string) cdx.Component {
	version := p.Version
	qualifiers := map[string]string{"distro": strings.Trim(release["ID"]+"-"+release["VERSION_ID"], "-")}
	if p.Architecture != "" {
		qualifiers["arch"] = p.Architecture
	}
	if epoch, rest, ok := strings.Cut(version, ":"); ok && format == "rpm" {
		version, qualifiers["epoch"] = rest, epoch
	}
	url := packageurl.NewPackageURL(format, release["ID"], p.Name, version, packageurl.QualifiersFromMap(qualifiers), "").ToString()
	c := cdx.Component{
		BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: p.Name, Version: p.Version, PackageURL: url, Description: p.Summary,
	}
	if p.Vendor != "" {
		c.Supplier = &cdx.OrganizationalEntity{Name: p.Vendor}
	}
	if p.License != "" {
		c.Licenses = &cdx.Licenses{{License: &cdx.License{Name: p.License}}}
	}
	if p.Source != "" {
		c.Properties = &[]cdx.Property{{Name: "packer-maas:source", Value: p.Source}}
	}
	return c
}

// serial is a UUID of version 8 (RFC 9562), which is the maker's own, out of a
// checksum.
func serial(sum string) string {
	b := sha256.Sum256([]byte("packer-plugin-maas:" + sum))
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
