package version

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/packer-maas/packer-plugin-maas/internal/region/regiontest"
)

// noRegion takes the region that the environment may name away.
func noRegion(t *testing.T) {
	t.Helper()
	t.Setenv("MAAS_URL", "")
	t.Setenv("MAAS_API_KEY", "")
}

func TestConfigure(t *testing.T) {
	noRegion(t)
	const url = "http://maas.example:5240/MAAS"
	for _, c := range []struct {
		what   string
		config map[string]any
		wrong  string // empty for none
	}{
		{"region", map[string]any{"url": url}, ""},
		{"all", map[string]any{"url": url, "api_key": "a:b:c", "minimum": "3.5", "timeout": "3s", "insecure_skip_tls_verify": true}, ""},
		{"no region", nil, "url is not set"},
		{"no region, optional", map[string]any{"optional": true, "minimum": "3.5"}, ""},
		{"not known yet", map[string]any{"url": "http://<unknown>", "api_key": "<unknown>", "minimum": "<unknown>"}, ""},
		{"no URL", map[string]any{"url": "maas.example"}, "must begin with http"},
		{"no scheme", map[string]any{"url": "127.0.0.1:5240/MAAS"}, "it must be like http://"},
		{"half a key", map[string]any{"url": url, "api_key": "secretpart:other"}, "has 2"},
		{"minimum", map[string]any{"url": url, "minimum": "new"}, `minimum: "new" is no version`},
		{"timeout", map[string]any{"url": url, "timeout": "-1s"}, "negative"},
		{"no CA file", map[string]any{"url": url, "ca_file": "/nonexistent.pem"}, "read CA file"},
		{"unknown option", map[string]any{"url": url, "minimal": "3.5"}, "minimal"},
	} {
		t.Run(c.what, func(t *testing.T) {
			err := new(Datasource).Configure(c.config)
			if (err != nil) != (c.wrong != "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%v; want %q", err, c.wrong)
			}
			if err != nil && strings.Contains(err.Error(), "secretpart") {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}

func execute(t *testing.T, config map[string]any) (cty.Value, error) {
	t.Helper()
	var d Datasource
	if err := d.Configure(config); err != nil {
		t.Fatal(err)
	}
	return d.Execute()
}

func TestExecute(t *testing.T) {
	noRegion(t)
	r := regiontest.Start(t, regiontest.Options{Version: "3.5.0~beta1", Synced: []string{"jammy/amd64", "jammy/arm64", "noble/amd64"}})
	t.Setenv("MAAS_API_KEY", regiontest.UserKey)
	value, err := execute(t, map[string]any{"url": r.URL, "minimum": "3.4"})
	if err != nil {
		t.Fatal(err)
	}
	got := value.AsValueMap()
	for name, want := range map[string]cty.Value{
		"asked": cty.True, "version": cty.StringVal("3.5.0~beta1"), "qualifier": cty.StringVal("beta1"),
		"major": cty.NumberIntVal(3), "minor": cty.NumberIntVal(5), "point": cty.NumberIntVal(0),
		"architectures": texts("amd64/generic", "arm64/generic"),
		"base_systems":  texts("ubuntu", "centos", "rhel", "ol"),
		"ubuntu":        cty.MapVal(map[string]cty.Value{"jammy": texts("amd64", "arm64"), "noble": texts("amd64")}),
	} {
		if !got[name].RawEquals(want) {
			t.Errorf("%s = %#v, want %#v", name, got[name], want)
		}
	}
	if n := got["capabilities"].LengthInt(); n != 9 {
		t.Errorf("%d capabilities", n)
	}
	if rhel := got["systems"].AsValueMap()["rhel"]; !rhel.RawEquals(texts("tbz", "tgz", "txz")) {
		t.Errorf("systems.rhel = %#v", rhel)
	}
}

func texts(words ...string) cty.Value {
	var list []cty.Value
	for _, word := range words {
		list = append(list, cty.StringVal(word))
	}
	return cty.ListVal(list)
}

func TestExecuteWithoutKey(t *testing.T) {
	noRegion(t)
	r := regiontest.Start(t, regiontest.Options{Version: "3.7.1"})
	t.Setenv("MAAS_URL", r.URL)
	value, err := execute(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v := value.GetAttr("version"); !v.RawEquals(cty.StringVal("3.7.1")) || value.GetAttr("ubuntu").LengthInt() != 0 {
		t.Errorf("%#v", value)
	}
	if n := len(r.Requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestExecuteSkipped(t *testing.T) {
	noRegion(t)
	value, err := execute(t, map[string]any{"optional": true, "minimum": "3.5"})
	if err != nil {
		t.Fatal(err)
	}
	if value.GetAttr("asked").True() || value.GetAttr("version").AsString() != "" || value.GetAttr("systems").LengthInt() != 0 {
		t.Errorf("%#v", value)
	}
}

func TestExecuteErrors(t *testing.T) {
	noRegion(t)
	old := regiontest.Start(t, regiontest.Options{Version: "3.4.4"})
	beta := regiontest.Start(t, regiontest.Options{Version: "3.5.0~beta1"})
	unborn := regiontest.Start(t, regiontest.Options{Version: "None"})
	slow := regiontest.Start(t, regiontest.Options{Faults: []regiontest.Fault{{Match: regiontest.Method("GET"), Do: regiontest.Slow(time.Minute)}}})
	gone := regiontest.Start(t, regiontest.Options{})
	_ = gone.Close()
	for _, c := range []struct {
		what   string
		config map[string]any
		wrong  []string
	}{
		{"too old", map[string]any{"url": old.URL, "minimum": "3.5"}, []string{"MAAS 3.4.4", "3.5 or later"}},
		{"beta", map[string]any{"url": beta.URL, "minimum": "3.5"}, []string{"3.5.0~beta1"}},
		{"optional is for no region", map[string]any{"url": old.URL, "minimum": "3.5", "optional": true}, []string{"MAAS 3.4.4"}},
		{"no version yet", map[string]any{"url": unborn.URL}, []string{"none of its controllers"}},
		{"slow", map[string]any{"url": slow.URL, "timeout": "100ms"}, []string{"100ms"}},
		{"gone", map[string]any{"url": gone.URL}, []string{"connection refused"}},
		{"wrong key", map[string]any{"url": old.URL, "api_key": "aaaaaaaaaa:bbbbbbbbbb:cccccccccc"}, []string{"401", "API key"}},
		{"no MAAS", map[string]any{"url": old.URL + "/here"}, []string{"there is no MAAS API at this URL"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			start := time.Now()
			_, err := execute(t, c.config)
			if err == nil {
				t.Fatal("no error")
			}
			for _, words := range c.wrong {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%v does not say %q", err, words)
				}
			}
			if spent := time.Since(start); spent > 5*time.Second {
				t.Errorf("took %s", spent)
			}
		})
	}
}

func TestOutputSpec(t *testing.T) {
	var d Datasource
	want := map[string]bool{}
	for name := range new(DatasourceOutput).FlatMapstructure().HCL2Spec() {
		want[name] = true
	}
	got := map[string]bool{}
	for name := range d.OutputSpec() {
		got[name] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
