package version

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/packertest"
	"github.com/packer-maas/packer-plugin-maas/internal/region/regiontest"
)

// What a template sees of a region through a real Packer, and how a build ends
// for one that is too old.
func TestPacker(t *testing.T) {
	p := packertest.New(t)
	r := regiontest.Start(t, regiontest.Options{Version: "3.4.2", Synced: []string{"jammy/amd64"}})
	template := filepath.Join(t.TempDir(), "test.pkr.hcl")
	err := os.WriteFile(template, fmt.Appendf(nil, `
packer {
  required_plugins {
    maas = { version = ">= 0.1.0", source = "github.com/packer-maas/maas" }
  }
}
variable "minimum" { default = "" }
variable "url" { default = "" }
data "maas-version" "region" {
  url      = var.url
  api_key  = %q
  minimum  = var.minimum
  optional = true
}
locals {
  r = data.maas-version.region
  o = local.r.asked ? "MAAS ${local.r.major}.${local.r.minor} has ${join("+", keys(local.r.ubuntu))}, ol is ${contains(keys(local.r.systems), "ol")}" : "no region"
}
source "null" "x" { communicator = "none" }
build {
  sources = ["source.null.x"]
  provisioner "shell-local" { inline = ["echo 'seen: ${local.o}'"] }
}
`, regiontest.AdminKey), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ url, minimum, want string }{
		{r.URL, "3.2", "seen: MAAS 3.4 has jammy, ol is false"},
		{"", "3.5", "seen: no region"},
		{r.URL, "3.5", "is MAAS 3.4.2, and this template needs 3.5"},
	} {
		cmd := p.Command("build", "-var", "url="+test.url, "-var", "minimum="+test.minimum, template)
		cmd.Env = append(cmd.Env, "MAAS_URL=")
		out, err := cmd.CombinedOutput()
		said := strings.Join(strings.Fields(string(out)), " ")
		if !strings.Contains(said, test.want) || (err == nil) != strings.HasPrefix(test.want, "seen") {
			t.Errorf("%+v: error %v:\n%s", test, err, out)
		}
	}
}
