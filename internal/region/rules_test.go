package region

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-maas/packer-plugin-maas/internal/region/regiontest"
)

// good is an image that breaks no rule.
var good = Image{Name: "debian12", Title: "Debian 12", Architecture: "amd64/generic", BaseImage: "ubuntu/jammy", Filetype: "tgz"}

func TestRules(t *testing.T) {
	named := func(name string) func(*Image) { return func(i *Image) { i.Name = name } }
	prefixed := func(name, filetype string) func(*Image) {
		return func(i *Image) { i.Name, i.BaseImage, i.Filetype = name, "", filetype }
	}
	base := func(base string) func(*Image) { return func(i *Image) { i.BaseImage = base } }
	arch := func(arch string) func(*Image) { return func(i *Image) { i.Architecture = arch } }
	for _, c := range []struct {
		what    string
		version string
		change  func(*Image)
		want    []string // rules, errors first
		says    string
	}{
		{"bare name", "", func(*Image) {}, nil, ""},
		{"custom prefix", "3.8.0", named("custom/debian12"), nil, ""},
		{"no name", "", named(""), []string{"name"}, ""},
		{"three parts", "", named("a/b/c"), []string{"name"}, "2 slashes"},
		{"empty release", "", prefixed("rhel/", "tgz"), []string{"name"}, ""},
		{"empty system", "", prefixed("/9", "tgz"), []string{"name"}, ""},
		{"system MAAS lacks", "", prefixed("debian/12", "tgz"), []string{"name-system"}, `"debian12"`},
		{"rhel", "3.2.0", prefixed("rhel/9.4", "tgz"), nil, ""},
		{"ol with 3.5", "3.5.0", prefixed("ol/9.4", "tgz"), nil, ""},
		{"ol with 3.4", "3.4.4", prefixed("ol/9.4", "tgz"), []string{"name-system"}, "3.5"},
		{"ol with any", "", prefixed("ol/9.4", "tgz"), nil, ""},
		{"onie", "3.8.0", prefixed("onie/x", "tgz"), []string{"name-system"}, ""},
		{"bootloader", "", prefixed("bootloader/x", "tgz"), []string{"name-system"}, ""},
		{"caringo with 3.4", "3.4.0", prefixed("caringo/9", "tgz"), nil, ""},
		{"caringo with 3.5", "3.5.0", prefixed("caringo/9", "tgz"), []string{"name-system"}, ""},
		{"sles with 3.4", "3.4.0", prefixed("suse/sles15.5", "tgz"), nil, ""},
		{"sles with 3.3", "3.3.5", prefixed("suse/sles15.5", "tgz"), []string{"name-suse"}, "3.4"},
		{"opensuse with 3.3", "3.3.5", prefixed("suse/opensuse15.6-mine", "tgz"), nil, ""},
		{"tumbleweed", "", prefixed("suse/tumbleweed", "tgz"), nil, ""},
		{"suse by number", "", prefixed("suse/15.5", "tgz"), []string{"name-suse"}, ""},
		{"ubuntu by number", "", prefixed("ubuntu/my-own", "tgz"), []string{"name-ubuntu"}, ""},
		{"long name", "", named(strings.Repeat("x", 256)), []string{"name-length"}, ""},

		{"reserved: code name", "", named("noble"), []string{"name-reserved"}, ""},
		{"reserved: offered image", "", prefixed("ubuntu/noble", "tgz"), []string{"name-reserved"}, ""},
		{"reserved: centos8", "", named("centos8"), []string{"name-reserved"}, ""},
		{"reserved: centos70", "", named("centos70"), []string{"name-reserved"}, ""},
		{"centos7-mine", "", named("centos7-mine"), nil, ""},
		{"reserved: centos/8", "", prefixed("centos/8", "tgz"), []string{"name-reserved"}, ""},
		{"reserved: driver", "3.4.0", named("windows"), []string{"name-reserved"}, ""},
		{"reserved: custom", "", named("custom"), []string{"name-reserved"}, ""},
		{"reserved: ol with 3.5", "3.5.0", named("ol"), []string{"name-reserved"}, ""},
		{"free: ol with 3.4", "3.4.0", named("ol"), nil, ""},
		{"reserved: onie with 3.8", "3.8.0", named("onie"), []string{"name-reserved"}, ""},
		{"free: onie with 3.7", "3.7.0", named("onie"), nil, ""},
		{"free: caringo with 3.5", "3.5.0", named("caringo"), nil, ""},

		{"filetype", "", func(i *Image) { i.Filetype = "qcow2" }, []string{"filetype"}, "ddgz"},
		{"synced filetype", "", func(i *Image) { i.Filetype = "squashfs" }, []string{"filetype"}, "by itself"},
		{"zstd", "", func(i *Image) { i.Filetype = "tzst" }, []string{"filetype"}, "no zstd"},
		{"dd for custom", "", func(i *Image) { i.Filetype = "ddgz" }, nil, ""},
		{"dd for rhel", "", prefixed("rhel/9", "ddgz"), []string{"filetype-system"}, "tgz"},
		{"dd for centos", "", prefixed("centos/9-mine", "ddraw"), []string{"filetype-system"}, ""},
		{"dd for ol", "3.5.0", prefixed("ol/9", "ddxz"), []string{"filetype-system"}, ""},
		{"dd for suse", "", prefixed("suse/sles15", "ddtgz"), []string{"filetype-system"}, ""},
		{"tgz for windows", "", prefixed("windows/win2022", "tgz"), []string{"filetype-system"}, "ddgz"},
		{"tgz for esxi", "", prefixed("esxi/8", "txz"), []string{"filetype-system"}, ""},
		{"dd for windows", "", prefixed("windows/win2022", "ddgz"), nil, ""},
		{"dd for esxi", "", prefixed("esxi/8.0-custom", "ddgz"), nil, ""},

		{"base: rhel", "", base("rhel/9"), nil, ""},
		{"base: centos", "", base("centos/7"), nil, ""},
		{"base: ol with 3.5", "3.5.0", base("ol/9"), nil, ""},
		{"base: ol with 3.4", "3.4.4", base("ol/9"), []string{"base-image"}, "3.5"},
		{"base: debian", "", base("debian/12"), []string{"base-image"}, "jammy"},
		{"base: suse", "", base("suse/sles15"), []string{"base-image"}, ""},
		{"base: windows", "", base("windows/win2022"), []string{"base-image"}, ""},
		{"base: no series", "", base("ubuntu"), []string{"base-image"}, ""},
		{"base: three parts", "", base("ubuntu/jammy/x"), []string{"base-image"}, ""},
		{"base: number", "", base("ubuntu/22.04"), []string{"base-image-series"}, "ubuntu/jammy"},
		{"base: no code name", "", base("ubuntu/jammy-x"), []string{"base-image-series"}, ""},
		{"base: none", "", base(""), []string{"base-image-missing"}, ""},
		{"base: no use", "", func(i *Image) { i.Name = "rhel/9" }, []string{"base-image-ignored"}, ""},

		{"architecture: short", "", arch("arm64"), nil, ""},
		{"architecture: none", "", arch(""), []string{"architecture"}, ""},
		{"architecture: other name", "", arch("x86_64"), []string{"architecture"}, "amd64/generic"},
		{"architecture: unknown", "", arch("sparc/generic"), []string{"architecture"}, ""},
		{"architecture: kernel", "", arch("amd64/ga-22.04"), []string{"architecture"}, ""},

		{"windows under a bare name", "", func(i *Image) { i.System, i.Filetype = "windows", "ddgz" }, []string{"system"}, "windows/"},
		{"esxi under windows", "", func(i *Image) { prefixed("windows/x", "ddgz")(i); i.System = "esxi" }, []string{"system"}, ""},
		{"debian under windows", "", func(i *Image) { prefixed("windows/x", "ddgz")(i); i.System = "debian" }, []string{"system"}, ""},
		{"debian", "", func(i *Image) { i.System = "debian" }, nil, ""},

		{"title: rhel10", "", untitled("rhel/rhel10"), []string{"title"}, `"Redhat Enterprise Linux 1.0"`},
		{"title: 10", "", untitled("rhel/10"), []string{"title"}, `"Red Hat Enterprise Linux 10"`},
		{"title: rhel9.4", "", untitled("rhel/rhel9.4"), []string{"title"}, `"Redhat Enterprise Linux 9 4"`},
		{"title: rhel94", "", untitled("rhel/rhel94"), nil, ""},
		{"title: 9", "", untitled("rhel/9"), nil, ""},
		{"title: 9-mine", "", untitled("rhel/9-mine"), nil, ""},
		{"long title", "", func(i *Image) { i.Title = strings.Repeat("é", 256) }, []string{"title-length"}, ""},

		{"checksum", "", func(i *Image) { i.SHA256 = strings.Repeat("A", 64) }, nil, ""},
		{"short checksum", "", func(i *Image) { i.SHA256 = "abc" }, []string{"sha256"}, ""},
		{"old region", "2.9.2", func(*Image) {}, []string{"region-version"}, ""},

		{"nothing known yet", "", func(i *Image) {
			*i = Image{Name: Unknown, Title: Unknown, Architecture: Unknown, BaseImage: "ubuntu/" + Unknown, Filetype: Unknown, System: Unknown, SHA256: Unknown}
		}, nil, ""},
		{"name known in part", "", prefixed("rhel/"+Unknown, "ddgz"), nil, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			image := good
			c.change(&image)
			plan := PlanFor(image, parsed(t, c.version))
			var got []string
			var said strings.Builder
			for _, p := range plan.Problems {
				got = append(got, p.Rule)
				said.WriteString(p.String())
				if p.Message == "" || p.Fact == "" {
					t.Errorf("%+v lacks words", p)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("rules (-want +got):\n%s%s", diff, said.String())
			}
			if !strings.Contains(said.String(), c.says) {
				t.Errorf("%q does not say %q", said.String(), c.says)
			}
		})
	}
}

func untitled(name string) func(*Image) {
	return func(i *Image) { i.Name, i.Title, i.BaseImage = name, "", "" }
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		image Image
		want  Plan
	}{
		{
			Image{Name: "custom/debian12", Architecture: "arm64", BaseImage: "ubuntu/noble", Filetype: "ddgz", SHA256: strings.Repeat("AB", 32)},
			Plan{
				Image:  Image{Name: "debian12", Architecture: "arm64/generic", BaseImage: "ubuntu/noble", Filetype: "ddgz", SHA256: strings.Repeat("ab", 32)},
				System: "custom", Release: "debian12", Title: "debian12", StoredFiletype: "root-dd.gz", CurtinType: "dd-gz",
				Ubuntu: "noble", Needs: []string{"bash", "cloud-init", "netplan"},
			},
		}, {
			Image{Name: "rocky9", Title: "Rocky Linux 9", Architecture: "amd64/generic", BaseImage: "rhel/9"},
			Plan{
				Image:  Image{Name: "rocky9", Title: "Rocky Linux 9", Architecture: "amd64/generic", BaseImage: "rhel/9", Filetype: "tgz"},
				System: "custom", Release: "rocky9", Title: "Rocky Linux 9", StoredFiletype: "root-tgz", CurtinType: "tgz",
				Needs: []string{"bash", "cloud-init"},
			},
		}, {
			Image{Name: "suse/sles15.5", Architecture: "amd64/generic", Filetype: "txz"},
			Plan{
				Image:  Image{Name: "suse/sles15.5", Architecture: "amd64/generic", Filetype: "txz"},
				System: "suse", Release: "sles15.5", Title: "SUSE Linux Enterprise Server 15 SP5", StoredFiletype: "root-txz", CurtinType: "txz",
			},
		}, {
			Image{Name: "ol/ol9.2", Architecture: "amd64/generic", Filetype: "tgz"},
			Plan{
				Image:  Image{Name: "ol/ol9.2", Architecture: "amd64/generic", Filetype: "tgz"},
				System: "ol", Release: "ol9.2", Title: "Oracle Linux 9.2", StoredFiletype: "root-tgz", CurtinType: "tgz",
			},
		},
	} {
		if diff := cmp.Diff(c.want, PlanFor(c.image, Version{Major: 3, Minor: 6})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.image.Name, diff)
		}
	}
}

// TestRulesAndRegion asks the stand-in region what the rules foretell: what
// they pass must be taken and be deployable, what they refuse must not be.
func TestRulesAndRegion(t *testing.T) {
	names := []string{
		"debian12", "custom/debian12", "rhel/9.4", "ol/9.4", "suse/sles15.5", "windows/win2022", "esxi/8", "centos/9-mine",
		"debian/12", "noble", "ubuntu/noble", "centos8", "windows", "ol", "onie", "caringo", "a/b/c",
	}
	content := bytesOf(9, 1000)
	for _, version := range series {
		t.Run(version, func(t *testing.T) {
			for _, name := range names {
				for _, filetype := range []string{"tgz", "ddgz", "ddraw", "squashfs"} {
					for _, base := range []string{"ubuntu/jammy", "ubuntu/22.04", "rhel/9", "ol/9", "debian/12", "ubuntu"} {
						r := regiontest.Start(t, regiontest.Options{Version: version})
						image := imageOf(content)
						image.Name, image.Filetype, image.BaseImage = name, filetype, base
						plan := PlanFor(image, parsed(t, version))
						_, err := clientOf(t, r).Upload(t.Context(), image, strings.NewReader(string(content)), int64(len(content)), quick(500))
						if err == nil {
							err = r.Deployable(plan.Image.Name)
						}
						if name == "suse/sles15.5" && !parsed(t, version).Family(3, 4) {
							err = errors.New("the stand-in does not know that MAAS had no SLES yet")
						}
						if foretold := len(Errors(plan.Problems)) > 0; foretold != (err != nil) {
							t.Errorf("%s, %s, %s: rules say %v; the region says %v", name, filetype, base, plan.Problems, err)
						}
						_ = r.Close() // not to have hundreds at a time
					}
				}
			}
		})
	}
}

func TestSystems(t *testing.T) {
	got := Systems(Version{Major: 3, Minor: 4})
	if _, ok := got["ol"]; ok {
		t.Error("MAAS 3.4 deploys Oracle Linux")
	}
	if !slices.Equal(got["rhel"], []string{"tbz", "tgz", "txz"}) || slices.Contains(got["windows"], "tgz") || len(got["custom"]) != 11 {
		t.Errorf("systems = %v", got)
	}
}
