package regiontest

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"
)

// received is how much a client finds out to have been received.
func received(v string, f shownFile, regions int) int64 {
	if f.Complete || f.Progress == nil {
		return f.Size
	}
	if strings.HasPrefix(v, "3.2") || strings.HasPrefix(v, "3.3") || strings.HasPrefix(v, "3.4") {
		if *f.Progress == 0 {
			return 0
		}
		return int64(math.Round(float64(f.Size) / *f.Progress))
	}
	return int64(math.Round(*f.Progress / 100 * float64(f.Size) * float64(regions)))
}

func TestUpload(t *testing.T) {
	every(t, func(t *testing.T, version string) {
		for _, dir := range []string{"", t.TempDir()} {
			p := newPerson(t, Options{Version: version, Dir: dir})
			data := image(1_000_003, 20)
			s, f := p.announce(fields("mine", data))
			if received(version, f, 1) != 0 || f.Complete {
				t.Fatalf("announced: %+v", f)
			}
			p.sendAll(f.URI, data[:600_000], 70_000)
			if got := received(version, p.show(s.ID).file(t, f.SHA256), 1); got != 600_000 {
				t.Errorf("received %d, want 600000", got)
			}
			if err := p.r.Deployable("mine"); err == nil {
				t.Error("deployable in the middle of the upload")
			}
			p.sendAll(f.URI, data[600_000:], 70_000)
			if done := p.show(s.ID).file(t, f.SHA256); !done.Complete || done.Progress != nil || done.URI != "" {
				t.Errorf("at the end: %+v", done)
			}
			if err := p.r.Deployable("mine"); err != nil {
				t.Error(err)
			}
			p.wantContent(s.ID, data)
			p.want(p.put(f.URI, []byte("more")), 400, "Cannot upload to a complete file.")
			if got := p.r.Traffic(s.ID); got.Stored != int64(len(data)) || got.Sent != int64(len(data)+4) {
				t.Errorf("traffic %+v", got)
			}
		}
	})
}

func (p person) wantContent(id int, data []byte) {
	p.t.Helper()
	section, err := p.r.Content(id)
	if err != nil {
		p.t.Error(err)
		return
	}
	got, err := io.ReadAll(section)
	if err != nil || !bytes.Equal(got, data) {
		p.t.Errorf("stored bytes differ from those sent: %d, want %d; %v", len(got), len(data), err)
	}
}

func TestRefusedPieces(t *testing.T) {
	every(t, func(t *testing.T, version string) {
		p := newPerson(t, Options{Version: version})
		data := image(100, 21)
		_, f := p.announce(fields("mine", data))
		p.want(p.put(f.URI, nil), 400, "Missing data.")
		p.want(p.do("PUT", f.URI, "application/octet-stream", io.MultiReader(bytes.NewReader(data))), 400, "Missing data.")
		p.want(p.put(resourcesPath+"1/upload/1/", data), 403, "Cannot upload to a resource of type: 0.")
		p.want(p.put(resourcesPath+"77/upload/1/", data), 404, "No BootResource matches")
		p.want(p.put(resourcesPath+"3/upload/77/", data), 404, "No BootResourceFile matches")
		want := "Too much data received."
		if strings.HasPrefix(version, "3.2") {
			want = "Too much data recieved."
		}
		p.want(p.put(f.URI, image(101, 21)), 400, want)
	})
}

func TestTooLongAtNginx(t *testing.T) {
	p := newPerson(t, Options{})
	data := image(MaxBody+1, 22)
	s, f := p.announce(fields("mine", data))
	a := p.put(f.URI, data)
	p.want(a, 413, "<center>nginx/")
	if a.header.Get("Content-Type") != "text/html" {
		t.Errorf("Content-Type %q", a.header.Get("Content-Type"))
	}
	if got := p.r.Traffic(s.ID); got != (Traffic{Requests: 1}) {
		t.Errorf("traffic %+v of a request that is refused by its length", got)
	}
	p.sendAll(f.URI, data, MaxBody)
	p.wantContent(s.ID, data)

	p = newPerson(t, Options{Direct: true})
	_, f = p.announce(fields("mine", data))
	p.want(p.put(f.URI, data), 200, "OK")
}

// TestSentTwice is what a blind retry does in every version.
func TestSentTwice(t *testing.T) {
	every(t, func(t *testing.T, version string) {
		p := newPerson(t, Options{Version: version, Faults: []Fault{{Skip: 1, Do: LostReply()}}})
		data := image(300, 23)
		s, f := p.announce(fields("mine", data))
		p.sendAll(f.URI, data[:100], 100)
		if a := p.put(f.URI, data[100:200]); a.status != 0 {
			t.Fatalf("answer %d to a request that gets none", a.status)
		}
		if got := received(version, p.show(s.ID).file(t, f.SHA256), 1); got != 200 {
			t.Errorf("received %d, want 200", got)
		}
		p.want(p.put(f.URI, data[100:200]), 400, "Saved content does not match given SHA256 value.")
		if err := p.r.Deployable("mine"); err == nil {
			t.Error("deployable with a piece that came twice")
		}
	})
}

func TestSharedLargeObject(t *testing.T) {
	family(t, largeObjects, func(t *testing.T, version string) {
		p := newPerson(t, Options{Version: version})
		data := image(1000, 24)
		_, f := p.announce(fields("mine", data))
		p.sendAll(f.URI, data[:300], 300)
		s, f := p.announce(fields("yours", data))
		if got := received(version, f, 1); got != 300 {
			t.Errorf("another name starts at %d, want 300", got)
		}
		p.sendAll(f.URI, data[300:], 1000)
		p.wantContent(s.ID, data)
		if _, f := p.announce(fields("hers", data)); !f.Complete {
			t.Error("a third name has to be uploaded")
		}
		for _, name := range []string{"mine", "yours", "hers"} {
			if err := p.r.Deployable(name); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestOverflowKeeps and TestOverflowRemoves are what is left of a file that
// gets too long.
func TestOverflowKeeps(t *testing.T) {
	test := func(t *testing.T, version string) {
		p := newPerson(t, Options{Version: version})
		data := image(1000, 25)
		s, f := p.announce(fields("mine", data))
		p.sendAll(f.URI, data[:600], 600)
		p.want(p.put(f.URI, data[:600]), 400, "Too much data rec")
		p.sendAll(f.URI, data[600:], 400)
		p.wantContent(s.ID, data)
	}
	family(t, largeObjects, test)
	family(t, allocated, test)
}

func TestOverflowRemoves(t *testing.T) {
	family(t, appended, func(t *testing.T, version string) {
		p := newPerson(t, Options{Version: version})
		data := image(1000, 25)
		s, f := p.announce(fields("mine", data))
		p.sendAll(f.URI, data[:600], 600)
		p.want(p.put(f.URI, data[:600]), 400, "Too much data received.")
		// The count is not undone with the file: a client that goes on where
		// the region says it is ends with an image that is complete and short.
		if got := received(version, p.show(s.ID).file(t, f.SHA256), 1); got != 600 {
			t.Errorf("received %d, want 600", got)
		}
		p.want(p.put(f.URI, data[600:]), 200, "OK")
		if !p.show(s.ID).file(t, f.SHA256).Complete {
			t.Error("not complete")
		}
		if err := p.r.Deployable("mine"); err == nil || !strings.Contains(err.Error(), "other bytes than announced: 400") {
			t.Errorf("deployable: %v", err)
		}
	})
}

func TestSameHashAgain(t *testing.T) {
	family(t, allocated, func(t *testing.T, version string) {
		p := newPerson(t, Options{Version: version})
		data := image(1000, 26)
		for _, name := range []string{"mine", "mine", "yours"} {
			s, f := p.announce(fields(name, data))
			if f.Complete || received(version, f, 1) != 0 {
				t.Errorf("%s: %+v", name, f)
			}
			p.sendAll(f.URI, data, 400)
			p.wantContent(s.ID, data)
		}
		// The file that is there is what gets checked.
		_, f := p.announce(fields("hers", data))
		p.sendAll(f.URI, image(1000, 27), 400)
		if err := p.r.Deployable("hers"); err == nil || !strings.Contains(err.Error(), "other bytes") {
			t.Errorf("deployable: %v", err)
		}
	})
	family(t, appended, func(t *testing.T, version string) {
		p := newPerson(t, Options{Version: version})
		data := image(1000, 26)
		_, f := p.announce(fields("mine", data))
		p.sendAll(f.URI, data, 400)
		s, f := p.announce(fields("yours", data))
		p.want(p.put(f.URI, data[:400]), 400, "Too much data received.")
		if err := p.r.Deployable("mine"); err == nil {
			t.Error("the stored file is still there")
		}
		if got := received(version, p.show(s.ID).file(t, f.SHA256), 1); got != 0 {
			t.Errorf("received %d, want 0", got)
		}
		p.sendAll(f.URI, data, 400)
		p.wantContent(s.ID, data)
		if err := p.r.Deployable("mine"); err != nil {
			t.Error(err)
		}
	})
}

// TestPartialFileOfAnOldRow announces again in place of going on: the new row
// counts from 0, and in 3.8 the file does not.
func TestPartialFileOfAnOldRow(t *testing.T) {
	data := image(1000, 28)
	family(t, allocated, func(t *testing.T, version string) {
		p := newPerson(t, Options{Version: version})
		_, f := p.announce(fields("mine", data))
		p.sendAll(f.URI, data[:400], 400)
		s, f := p.announce(fields("mine", data))
		p.sendAll(f.URI, data, 400)
		p.wantContent(s.ID, data)
	})
	family(t, appended, func(t *testing.T, version string) {
		p := newPerson(t, Options{Version: version})
		s, f := p.announce(fields("mine", data))
		p.sendAll(f.URI, data[:400], 400)
		_, f = p.announce(fields("mine", data))
		p.sendAll(f.URI, data[:300], 300)
		p.want(p.put(f.URI, data[300:]), 400, "Too much data received.")
		// Deleted and begun anew it works.
		p.want(p.do("DELETE", fmt.Sprintf("%s%d/", resourcesPath, s.ID), "", nil), 204, "")
		s, f = p.announce(fields("mine", data))
		p.sendAll(f.URI, data, 400)
		p.wantContent(s.ID, data)
	})
}

func TestSeveralRegions(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	data := image(1000, 29)
	test := func(t *testing.T, version string) {
		now = time.Now()
		p := newPerson(t, Options{Version: version, Regions: 3, SyncTime: time.Minute, Clock: clock})
		s, f := p.announce(fields("mine", data))
		p.sendAll(f.URI, data[:500], 100)
		if got := received(version, p.show(s.ID).file(t, f.SHA256), 3); got != 500 {
			t.Errorf("received %d, want 500", got)
		}
		p.sendAll(f.URI, data[500:], 100)
		if p.show(s.ID).file(t, f.SHA256).Complete {
			t.Error("complete before the other regions have it")
		}
		now = now.Add(30 * time.Second)
		if got := received(version, p.show(s.ID).file(t, f.SHA256), 3); got != 2000 {
			t.Errorf("half way the regions have %d, want 2000", got)
		}
		p.want(p.put(f.URI, []byte("x")), 400, "Cannot upload to a complete file.")
		now = now.Add(30 * time.Second)
		if !p.show(s.ID).file(t, f.SHA256).Complete {
			t.Error("not complete when all regions have it")
		}
		if err := p.r.Deployable("mine"); err != nil {
			t.Error(err)
		}
	}
	family(t, allocated, test)
	family(t, appended, test)
}

// TestConnections sends pieces over new connections: they land on other
// regions, and none ever has the whole.
func TestConnections(t *testing.T) {
	data := image(1000, 30)
	test := func(t *testing.T, version string) {
		for _, balance := range []Balance{PerConnection, PerRequest} {
			p := newPerson(t, Options{Version: version, Regions: 2, Balance: balance})
			s, f := p.announce(fields("mine", data))
			for off := 0; off < 1000; off += 250 {
				if balance == PerConnection {
					p.http.CloseIdleConnections()
				}
				p.want(p.put(f.URI, data[off:off+250]), 200, "OK")
			}
			if p.show(s.ID).file(t, f.SHA256).Complete {
				t.Error("complete from halves")
			}
			if err := p.r.Deployable("mine"); err == nil {
				t.Error("deployable from halves")
			}
		}
	}
	family(t, allocated, test)
	family(t, appended, test)
}

func TestDeployableTypes(t *testing.T) {
	data := image(100, 31)
	for _, test := range []struct{ name, kind, problem string }{
		{"rhel/9", "tgz", ""},
		{"rhel/9", "ddgz", "rhel installs no root-dd.gz"},
		{"ol/9", "ddtgz", "ol installs no root-dd"},
		{"suse/sles15.5", "txz", ""},
		{"windows/win2022", "ddgz", ""},
		{"windows/win2022", "tgz", "windows installs no root-tgz"},
		{"esxi/8", "ddraw", ""},
		{"mine", "ddraw", ""},
		{"mine", "tbz", ""},
	} {
		t.Run(test.name+" "+test.kind, func(t *testing.T) {
			p := newPerson(t, Options{})
			f := fields(test.name, data)
			f["filetype"] = test.kind
			_, file := p.announce(f)
			p.sendAll(file.URI, data, 100)
			err := p.r.Deployable(test.name)
			if test.problem == "" && err != nil || test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)) {
				t.Errorf("deployable: %v, want %q", err, test.problem)
			}
		})
	}
}

func TestDeployableBases(t *testing.T) {
	p := newPerson(t, Options{Version: "3.5.0", Synced: []string{"noble/amd64", "noble/arm64"}})
	upload := func(name, arch, base string) {
		t.Helper()
		data := image(100, byte(len(name)))
		f := fields(name, data)
		f["architecture"], f["base_image"] = arch, base
		_, file := p.announce(f)
		p.sendAll(file.URI, data, 100)
	}
	upload("one", "amd64/generic", "ubuntu/jammy")
	upload("three", "amd64/generic", "rhel/9")
	upload("three.", "amd64/generic", "ubuntu/noble")
	upload("three.", "arm64/generic", "ubuntu/noble")
	for name, problem := range map[string]string{
		"one": "ubuntu/jammy is not synced for amd64", "three": "", "custom/three": "",
		"three.": "2 architectures are named three.", "none": "missing boot image custom/none",
	} {
		err := p.r.Deployable(name)
		if problem == "" && err != nil || problem != "" && (err == nil || !strings.Contains(err.Error(), problem)) {
			t.Errorf("%s: %v, want %q", name, err, problem)
		}
	}
}

func TestTLS(t *testing.T) {
	p := newPerson(t, Options{TLS: true})
	data := image(100, 32)
	s, f := p.announce(fields("mine", data))
	p.sendAll(f.URI, data, 50)
	p.wantContent(s.ID, data)

	p.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	a := p.put(strings.TrimSuffix(p.r.PlainURL, "/MAAS")+f.URI, data)
	p.want(a, 301, "<center>nginx/")
	if want := strings.TrimSuffix(p.r.URL, "/MAAS") + f.URI; a.header.Get("Location") != want {
		t.Errorf("Location %q, want %q", a.header.Get("Location"), want)
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{
		{Version: "3.1.0"},
		{Version: "4.0.0"},
		{Version: "three"},
		{AdminKey: "secret"},
		{UserKey: "a:b"},
		{Synced: []string{"noble"}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("no complaint about %+v", o)
		}
	}
	p := newPerson(t, Options{Version: "None", Behaves: "3.4.0"})
	p.want(p.get(apiPath+"version/"), 200, `"version": "None"`)
	if _, f := p.announce(fields("mine", image(10, 33))); f.Name != "root-tgz" {
		t.Errorf("file %q, want that of 3.4", f.Name)
	}
	p = newPerson(t, Options{Synced: []string{}})
	p.want(p.post(fields("mine", image(10, 33))), 400, "is not a valid architecture")
}
