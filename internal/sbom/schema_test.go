package sbom_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/exampletest"
	"github.com/packer-maas/packer-plugin-maas/internal/facts"
	"github.com/packer-maas/packer-plugin-maas/internal/sbom"
)

// validate holds files to CycloneDX's own schema, and says what is wrong.
const validate = `
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
schema = JsonStrictValidator(SchemaVersion.V1_6)
errors = [(name, error) for name in sys.argv[1:] for error in [schema.validate_str(open(name).read())] if error]
sys.exit("\n".join("%s: %s" % e for e in errors) or None)
`

// Whatever is in an image's database, the list is what the schema wants.
func TestSchema(t *testing.T) {
	python := exampletest.PythonTool(t, "python")
	dir := t.TempDir()
	args := []string{"-c", validate}
	for name, packages := range map[string]facts.Packages{
		"none": {},
		"rpm": {Format: "rpm", List: []facts.Package{
			{Name: "bind", Version: "32:9.16-1.el9", Architecture: "x86_64", License: "MPLv2.0 and (GPL+ or \"x\")", Vendor: "Rocky", Summary: "a\tb\u2028\x00", Source: "bind"},
			{Name: "gpg-pubkey", Version: "350d275d-6279464b"},
			{Name: "gpg-pubkey", Version: "8d8b756f-629e59ec"},
			{Name: "", Version: ""},
		}},
		"deb": {Format: "deb", List: []facts.Package{
			{Name: "g++", Version: "4:12.2.0-3", Architecture: "amd64", Vendor: "A <a@b>"},
			{Name: "libc6", Version: "2.36~x+b1", Architecture: "amd64", SameArch: true},
			{Name: "libc6", Version: "2.36~x+b1", Architecture: "i386", SameArch: true},
		}},
	} {
		for _, release := range []map[string]string{nil, {"ID": "rocky", "VERSION_ID": "9.4", "PRETTY_NAME": "Rocky"}} {
			content, err := sbom.CycloneDX(sbom.Image{Name: "x", SHA256: strings.Repeat("ab", 32), Release: release, Time: time.Unix(1, 0), Tool: "t", Version: "1"}, packages)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, name+release["ID"])
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, path)
		}
	}
	if out, err := exec.Command(python, args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%.2000s", err, out)
	}
}
