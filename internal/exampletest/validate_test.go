package exampletest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/packertest"
)

// TestValidate has a real Packer validate each system's template, on each
// architecture that it has, from the folder above it as `make` does.
func TestValidate(t *testing.T) {
	packer := packertest.New(t)
	iso := filepath.Join(t.TempDir(), "system.iso")
	if err := os.WriteFile(iso, []byte("an ISO"), 0o600); err != nil {
		t.Fatal(err)
	}
	families := map[string][][]string{
		"el": {
			{"-var", "iso_path=" + iso, "-var", "architecture=amd64"},
			{"-var", "iso_path=" + iso, "-var", "architecture=arm64", "-var", "provision=true"},
		},
		"esxi":    {{"-var", "vmware_esxi_iso_path=" + iso}},
		"windows": {{"-var", "iso_path=" + iso}},
	}
	for family, choices := range families {
		for system, file := range Variables(t, family) {
			for _, options := range choices {
				args := append([]string{"validate", "-var-file=" + file}, options...)
				cmd := packer.Command(append(args, family)...)
				cmd.Dir = filepath.Join(Root, "example")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("packer %s: %v\n%s", cmd.Args[1:], err, out)
				}
			}
			t.Log("valid:", system)
		}
	}
}
