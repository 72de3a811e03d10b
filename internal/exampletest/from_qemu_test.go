package exampletest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/packertest"
)

// TestShortestTemplate has a real Packer validate the template that the
// documentation has for a system with a kickstart: under 40 lines, with all that
// is needed.
func TestShortestTemplate(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(Root, "docs", "from-qemu.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "\nAfter")
	_, after, _ = strings.Cut(after, "```hcl\n")
	template, _, found := strings.Cut(after, "```\n")
	if lines := strings.Count(template, "\n"); !found || lines >= 40 {
		t.Errorf("it has %d lines", lines)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{"rocky9.pkr.hcl": template, "rocky9.ks": "poweroff\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	packer := packertest.New(t)
	packer.Must("validate", "-var", "iso="+filepath.Join(dir, "rocky9.ks"), dir)
	packer.Must("fmt", "-check", dir)
	if out, err := packer.Run("validate", dir); err == nil {
		t.Errorf("valid without an ISO:\n%s", out)
	}
}
