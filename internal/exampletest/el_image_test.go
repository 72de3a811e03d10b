package exampletest

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/packer-maas/packer-plugin-maas/internal/check"
	"github.com/packer-maas/packer-plugin-maas/internal/exampletest/anaconda"
	"github.com/packer-maas/packer-plugin-maas/internal/packertest"
	"github.com/packer-maas/packer-plugin-maas/internal/region/regiontest"
)

// inMAAS is what a system is called in MAAS, and what it is treated like.
type inMAAS struct{ name, title, base string }

// elImages are the names that people deploy by.
var elImages = map[string]inMAAS{
	"rhel7": {"rhel/7-custom", "RHEL 7 Custom", ""}, "rhel8": {"rhel/8-custom", "RHEL 8 Custom", ""},
	"rhel9": {"rhel/9-custom", "RHEL 9 Custom", ""}, "rhel10": {"rhel/10-custom", "RHEL 10 Custom", ""},
	"centos7": {"centos/7-custom", "CentOS 7 Custom", ""}, "centos8": {"centos/8-custom", "CentOS 8 Custom", ""},
	"centos8-stream":  {"centos/8-stream-custom", "CentOS Stream 8 Custom", ""},
	"centos9-stream":  {"centos9-stream", "CentOS Stream 9 Custom", "rhel/9"},
	"centos10-stream": {"centos10-stream", "CentOS Stream 10 Custom", "rhel/10"},
	"ol8":             {"ol/8.10", "Oracle Linux 8.10", ""}, "ol9": {"ol/9.6", "Oracle Linux 9.6", ""}, "ol10": {"ol/10.0", "Oracle Linux 10.0", ""},
	"rocky8": {"rocky8", "Rocky Linux 8 Custom", "rhel/8"}, "rocky9": {"rocky9", "Rocky Linux 9 Custom", "rhel/9"},
	"rocky10": {"rocky10", "Rocky Linux 10 Custom", "rhel/10"},
	"alma8":   {"alma8", "AlmaLinux 8 Custom", "rhel/8"}, "alma9": {"alma9", "AlmaLinux 9 Custom", "rhel/9"},
	"alma10": {"alma10", "AlmaLinux 10 Custom", "rhel/10"},
	"fedora": {"fedora43", "Fedora 43 Custom", "rhel/9"}, "openeuler": {"openeuler", "openEuler Custom", "rhel/9"},
}

// leftDisk makes the disk that a system's installer leaves after the kickstart
// of the template.
func leftDisk(t *testing.T, system anaconda.System, arch string, change func(*anaconda.Install)) (disk string, i *anaconda.Install) {
	t.Helper()
	i = &anaconda.Install{System: system, ARM64: arch == "arm64", Kickstart: kickstart(t, system.Name, arch)}
	if change != nil {
		change(i)
	}
	return i.Disk(t), i
}

// elTemplate is the template without a machine: its disk is there.
func elTemplate(t *testing.T, disk string) string {
	t.Helper()
	return withoutMachine(t, "el", `post-processor "maas-image" {`, fmt.Sprintf("post-processor \"maas-image\" {\n    input = %q", disk))
}

// TestELImages has the template make an image of each system's disk. The checks
// find nothing, MAAS takes it under its name, and nothing is lost.
func TestELImages(t *testing.T) {
	p := packertest.New(t)
	systems := anaconda.Systems()
	if files := Variables(t, "el"); len(files) != len(systems) {
		t.Errorf("%d systems, and %d variable files", len(systems), len(files))
	}
	region := regiontest.Start(t, regiontest.Options{Dir: t.TempDir(), Version: "3.7.1", Behaves: "3.7.1", Synced: []string{"noble/amd64", "noble/arm64"}})
	for _, system := range systems {
		for _, arch := range architectures(system) {
			t.Run(system.Name+"/"+arch+"/"+string(system.Layout), func(t *testing.T) {
				t.Parallel()
				disk, i := leftDisk(t, system, arch, nil)
				image := filepath.Join(t.TempDir(), system.Name+".tar.gz")
				cmd := p.Command("build", "-var-file="+Variables(t, "el")[system.Name], "-var", "architecture="+arch, "-var", "filename="+image, elTemplate(t, disk))
				cmd.Env = append(cmd.Env, "MAAS_URL="+region.URL, "MAAS_API_KEY="+regiontest.AdminKey)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				checkFindings(t, image, nil)
				checkELFiles(t, image, i)
				checkRegion(t, region, elImages[system.Name], arch)
			})
		}
	}
}

// architectures are those that a system's disk is tried for: arm64 once for each
// kind of hook and folder.
func architectures(system anaconda.System) []string {
	if slices.Contains([]string{"rhel9", "ol8", "rocky9", "alma10", "centos8", "fedora", "openeuler"}, system.Name) {
		return []string{"amd64", "arm64"}
	}
	return []string{"amd64"}
}

// checkFindings compares the checks that failed with those that should.
func checkFindings(t *testing.T, image string, want []string) {
	t.Helper()
	text, err := os.ReadFile(image + ".checks.json")
	if err != nil {
		t.Fatal(err)
	}
	var report check.Report
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	var failed []string
	for _, result := range report.Results {
		if result.Outcome == check.Failed {
			failed = append(failed, result.Check)
			t.Logf("%s: %q", result.Check, result.Problems)
		}
	}
	slices.Sort(failed)
	slices.Sort(want)
	if !slices.Equal(failed, want) || len(report.Notes) > 0 {
		t.Errorf("checks failed: %q, want %q; notes: %q", failed, want, report.Notes)
	}
}

// checkELFiles looks at the image: packages, hooks, and a label of SELinux on all
// that a volume of Linux held.
func checkELFiles(t *testing.T, image string, i *anaconda.Install) {
	t.Helper()
	packages, err := os.ReadFile(image + ".packages")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(packages)); !slices.Equal(got, i.Packages()) {
		t.Errorf("packages are\n%q, want\n%q", got, i.Packages())
	}
	hooks, capable := false, false
	for _, header := range entries(t, image) {
		name := strings.Trim(strings.TrimPrefix(header.Name, "."), "/")
		hooks = hooks || name == "curtin/curtin-hooks"
		capable = capable || name == "usr/bin/newuidmap" && header.PAXRecords["SCHILY.xattr.security.capability"] != ""
		foreign := strings.HasPrefix(name+"/", "curtin/") || i.ARM64 && strings.HasPrefix(name+"/", "boot/efi/")
		if !foreign && !strings.HasSuffix(header.PAXRecords["SCHILY.xattr.security.selinux"], ":s0\x00") {
			t.Errorf("no label on %s", header.Name)
		}
	}
	if !capable {
		t.Error("newuidmap has lost its capability")
	}
	variables, err := os.ReadFile(Variables(t, "el")[i.Name])
	if err != nil {
		t.Fatal(err)
	}
	if want := i.ARM64 || regexp.MustCompile(`(?m)^hooks *= *true$`).Match(variables); hooks != want {
		t.Errorf("hooks in the image: %v", hooks)
	}
}

// entries are those of an image.
func entries(t *testing.T, image string) []*tar.Header {
	t.Helper()
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var list []*tar.Header
	for archive := tar.NewReader(unpacked); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, header)
	}
}

// checkRegion looks for the image in MAAS.
func checkRegion(t *testing.T, region *regiontest.Region, want inMAAS, arch string) {
	t.Helper()
	columns := []string{want.name, want.title, arch + "/generic"}
	if want.base != "" {
		columns = append(columns, want.base)
	}
	pattern := regexp.QuoteMeta(strings.Join(columns, "\x00"))
	pattern = strings.ReplaceAll(pattern, "\x00", `\s{2,}`)
	if report := region.Report(); !regexp.MustCompile(`(?m)\s{2,}` + pattern + `\s{2,}root-tgz\s{2,}\d+\s{2,}yes\s{2,}yes$`).MatchString(report) {
		t.Errorf("MAAS has no %q:\n%s", columns, report)
	}
}
