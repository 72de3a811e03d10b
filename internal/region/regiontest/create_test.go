package regiontest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"mime/multipart"
	"slices"
	"strings"
	"testing"
)

func TestRefusedAnnouncements(t *testing.T) {
	const json400 = "application/json"
	data := image(100, 2)
	tests := []struct {
		name   string
		change map[string]string // "-" removes
		status int
		body   string
		kind   string
	}{
		{"no name", map[string]string{"name": "-"}, 400, `"name": [`, json400},
		{"no architecture", map[string]string{"architecture": "-"}, 400, "This field is required.", json400},
		{
			"arm64 is not synced",
			map[string]string{"architecture": "arm64/generic"},
			400,
			"'arm64/generic' is not a valid architecture.  It should be one of: 'amd64/generic'.", json400,
		},
		{"filetype", map[string]string{"filetype": "zip"}, 400, "Select a valid choice. zip is not one", json400},
		{"no filetype is tgz", map[string]string{"filetype": "-"}, 201, "root-tgz", ""},
		{"squashfs", map[string]string{"filetype": "squashfs"}, 400, `"filetype"`, json400},
		{"short hash", map[string]string{"sha256": "abc"}, 400, "at least 64 characters (it has 3)", json400},
		{"no hash and size", map[string]string{"sha256": "-", "size": "-"}, 400, `"size"`, json400},
		{"size", map[string]string{"size": "1 GB"}, 400, "Enter a whole number.", json400},
		{"long name", map[string]string{"name": strings.Repeat("x", 256)}, 400, "at most 255 characters (it has 256)", json400},
		{"unknown system", map[string]string{"name": "debian/12"}, 400, "Unsupport operating system debian", json400},
		{"three parts", map[string]string{"name": "a/b/c"}, 500, "too many values to unpack", "text/plain"},
		{"offered", map[string]string{"name": "ubuntu/noble"}, 400, "ubuntu/noble is a reserved name", json400},
		{"offered release", map[string]string{"name": "noble"}, 400, "noble is a reserved name", json400},
		{"driver", map[string]string{"name": "rhel"}, 400, "rhel is a reserved name", json400},
		{"centos of the future", map[string]string{"name": "centos99"}, 400, "centos99 is a reserved name", json400},
		{"centos of three digits", map[string]string{"name": "centos999"}, 201, "", ""},
		{"base of one part", map[string]string{"base_image": "noble"}, 400, "a base image must follow the format", json400},
		{"base of a version", map[string]string{"base_image": "ubuntu/22.04"}, 400, "please select a valid base image", json400},
		{"base of debian", map[string]string{"base_image": "debian/12"}, 400, "valid non-custom OS type base image", json400},
		{"base of rhel", map[string]string{"base_image": "RHEL/9-any"}, 201, `"base_image": "rhel/9-any"`, ""},
		{"no base", map[string]string{"base_image": "-"}, 201, `"base_image": "ubuntu/noble"`, ""},
		{"no base and a reserved name", map[string]string{"base_image": "-", "name": "noble"}, 500, "'name'", "text/plain"},
		{
			"no base and no such architecture",
			map[string]string{"base_image": "-", "architecture": "z/z"},
			500,
			"'architecture'", "text/plain",
		},
		{"base is no matter with a system", map[string]string{"name": "rhel/9", "base_image": "x"}, 201, `"name": "rhel/9"`, ""},
	}
	every(t, func(t *testing.T, version string) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				p := newPerson(t, Options{Version: version})
				f := fields("mine", data)
				maps.Copy(f, test.change)
				maps.DeleteFunc(f, func(_, v string) bool { return v == "-" })
				a := p.post(f)
				p.want(a, test.status, test.body)
				if kind := a.header.Get("Content-Type"); test.status != 201 && !strings.HasPrefix(kind, test.kind) {
					t.Errorf("Content-Type %q, want %q", kind, test.kind)
				}
			})
		}
	})
}

func TestSystemsOfVersions(t *testing.T) {
	for _, test := range []struct {
		version, name, base string
		status              int
	}{
		{"3.4.10", "ol/9", "", 400},
		{"3.5.0", "ol/9", "", 201},
		{"3.4.10", "mine", "ol/9", 400},
		{"3.5.0", "mine", "ol/9", 201},
		{"3.4.10", "caringo", "", 400},
		{"3.5.0", "caringo", "", 201},
		{"3.7.3", "onie", "", 201},
		{"3.8.0", "onie", "", 400},
	} {
		p := newPerson(t, Options{Version: test.version})
		f := fields(test.name, image(10, 3))
		if test.base != "" {
			f["base_image"] = test.base
		}
		p.want(p.post(f), test.status, "")
	}
}

func TestCustomPrefix(t *testing.T) {
	for version, stored := range map[string]string{"3.2.0": "foo", "3.7.3": "foo", "3.8.0": "custom/foo"} {
		p := newPerson(t, Options{Version: version})
		data := image(100, 4)
		s, f := p.announce(fields("custom/foo", data))
		if s.Name != stored {
			t.Errorf("%s: stored as %q, want %q", version, s.Name, stored)
		}
		p.sendAll(f.URI, data, 100)
		if err := p.r.Deployable("custom/foo"); (err == nil) != (stored == "foo") {
			t.Errorf("%s: deployable: %v", version, err)
		}
	}
}

func TestNewVersionsOfAName(t *testing.T) {
	every(t, func(t *testing.T, version string) {
		p := newPerson(t, Options{Version: version})
		first, second, third := image(1000, 5), image(1000, 6), image(1000, 7)
		f := fields("mine", first)
		f["title"], f["base_image"] = "One", "ubuntu/jammy"
		s, file := p.announce(f)
		p.sendAll(file.URI, first, 1000)
		if err := p.r.Deployable("mine"); err != nil {
			t.Fatal(err)
		}

		again, file := p.announce(fields("mine", second))
		if again.ID != s.ID || again.Base != "ubuntu/jammy" || again.Title != "" || len(again.Sets) != 2 {
			t.Errorf("second version %+v", again)
		}
		// The old file is gone, and the new one not yet there.
		if err := p.r.Deployable("mine"); err == nil || !strings.Contains(err.Error(), "no complete version") {
			t.Errorf("deployable: %v", err)
		}
		p.sendAll(file.URI, second, 1000)

		f = fields("mine", third)
		f["keep_old"] = "true"
		again, _ = p.announce(f)
		if err := p.r.Deployable("mine"); err != nil {
			t.Errorf("the version before is kept: %v", err)
		}
		keys := slices.Sorted(maps.Keys(again.Sets))
		day := p.r.now().UTC().Format("20060102")
		if want := []string{day, day + ".1", day + ".2"}; !slices.Equal(keys, want) {
			t.Errorf("versions %v, want %v", keys, want)
		}
	})
}

func TestVersionsAreMoreThanTen(t *testing.T) {
	p := newPerson(t, Options{})
	var s shown
	for i := range 12 {
		s, _ = p.announce(fields("mine", image(10, byte(i))))
	}
	day := p.r.now().UTC().Format("20060102")
	files := 0
	for _, set := range s.Sets {
		files += len(set.Files)
	}
	if len(s.Sets[day+".11"].Files) != 1 || len(s.Sets) != 12 || files != 1 {
		t.Errorf("%d versions, %d files", len(s.Sets), files)
	}
}

func TestSameHashOtherSize(t *testing.T) {
	every(t, func(t *testing.T, version string) {
		p := newPerson(t, Options{Version: version})
		f := fields("mine", image(10, 8))
		p.announce(f)
		f["name"], f["size"] = "yours", "11"
		p.want(p.post(f), 400, "File already exists with sha256 that is of different size.")
	})
}

// postMultipart sends an announcement as the command line client does.
func (p person) postMultipart(f map[string]string, content []byte) answer {
	p.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range f {
		if err := w.WriteField(name, value); err != nil {
			p.t.Fatal(err)
		}
	}
	if content != nil {
		part, err := w.CreateFormFile("content", "content")
		if err != nil {
			p.t.Fatal(err)
		}
		if _, err := part.Write(content); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		p.t.Fatal(err)
	}
	return p.do("POST", resourcesPath, w.FormDataContentType(), &body)
}

func TestMultipart(t *testing.T) {
	every(t, func(t *testing.T, version string) {
		p := newPerson(t, Options{Version: version, Regions: 2})
		data := image(1000, 9)
		f := fields("mine", data)
		p.want(p.postMultipart(f, nil), 201, "upload_uri")
		delete(f, "sha256")
		delete(f, "size")
		f["name"] = "whole"
		a := p.postMultipart(f, data)
		if strings.HasPrefix(version, "3.8") {
			p.want(a, 400, `"sha256"`)
			return
		}
		p.want(a, 201, sumOf(data))
		if err := p.r.Deployable("whole"); err != nil {
			t.Error(err)
		}
	})
}

func TestFileNames(t *testing.T) {
	for version, want := range map[string]string{"3.4.10": "root-tgz", "3.5.0": "root.tgz"} {
		p := newPerson(t, Options{Version: version})
		_, f := p.announce(fields("mine", image(10, 10)))
		if f.Name != want || f.Kind != "root-tgz" {
			t.Errorf("%s: file %q of type %q, want %q", version, f.Name, f.Kind, want)
		}
		for _, kind := range filetypes {
			f := fields("mine-"+kind.upload, image(10, 11))
			f["filetype"] = kind.upload
			if _, file := p.announce(f); file.Kind != kind.stored {
				t.Errorf("%s is stored as %s, want %s", kind.upload, file.Kind, kind.stored)
			}
		}
	}
}

func TestListing(t *testing.T) {
	p := newPerson(t, Options{Regions: 3})
	p.announce(fields("zebra", image(10, 12)))
	p.announce(fields("ape", image(10, 13)))
	names := func(query string) string {
		t.Helper()
		var list []shown
		if err := json.Unmarshal([]byte(p.get(resourcesPath+query).body), &list); err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, s := range list {
			if s.Sets != nil {
				t.Errorf("%s has sets in a list", s.Name)
			}
			all = append(all, s.Name)
		}
		return strings.Join(all, " ")
	}
	for query, want := range map[string]string{
		"": "ubuntu/jammy ubuntu/noble ape zebra", "?type=all": "ubuntu/jammy ubuntu/noble ape zebra",
		"?type=uploaded": "ape zebra", "?type=synced": "ubuntu/jammy ubuntu/noble",
		// What is not asked for in the right letters is not asked for.
		"?Type=uploaded": "ubuntu/jammy ubuntu/noble ape zebra",
	} {
		if got := names(query); got != want {
			t.Errorf("list %q: %s, want %s", query, got, want)
		}
	}
	p.want(p.get(resourcesPath+"?type=mine"), 400, "'mine' is not a valid boot resource type.")
	p.want(p.get(resourcesPath+"?op=is_importing"), 200, "false")
	p.want(p.get(resourcesPath+"99/"), 404, "No BootResource matches the given query.")
	p.want(p.get(resourcesPath+"99999999999999999999/"), 404, "")
	p.want(p.get(apiPath+"nothing/"), 404, "Unknown API endpoint")
	p.want(p.do("PATCH", resourcesPath, "", nil), 400, "Unrecognised signature: method=PATCH op=None")
	var regions []map[string]any
	if err := json.Unmarshal([]byte(p.get(apiPath+"regioncontrollers/").body), &regions); err != nil || len(regions) != 3 {
		t.Errorf("%d regions, %v", len(regions), err)
	}
	p.want(p.get("/"), 200, "zebra")
}

func TestDelete(t *testing.T) {
	every(t, func(t *testing.T, version string) {
		p := newPerson(t, Options{Version: version})
		s, f := p.announce(fields("mine", image(10, 14)))
		path := fmt.Sprintf("%s%d/", resourcesPath, s.ID)
		p.want(p.do("DELETE", path, "", nil), 204, "")
		p.want(p.get(path), 404, "")
		p.want(p.put(f.URI, image(10, 14)), 404, "")
		p.want(p.do("DELETE", path, "", nil), 500, "BootResource matching query does not exist.")
	})
}

// TestMultipartOfMail is how MAAS's clients in Python write a form.
func TestMultipartOfMail(t *testing.T) {
	p := newPerson(t, Options{})
	var body strings.Builder
	for name, value := range fields("mine", image(10, 15)) {
		fmt.Fprintf(&body, "--x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=\"utf-8\"\r\n"+
			"Content-Transfer-Encoding: base64\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n\r\n",
			name, base64.StdEncoding.EncodeToString([]byte(value)))
	}
	body.WriteString("--x--\r\n")
	p.want(p.do("POST", resourcesPath, "multipart/form-data; boundary=x", strings.NewReader(body.String())), 201, `"mine"`)
}
