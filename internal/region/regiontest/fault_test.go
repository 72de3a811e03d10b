package regiontest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestReplies(t *testing.T) {
	for _, test := range []struct {
		do     Action
		status int
		body   string
		retry  string
	}{
		{Conflict(5 * time.Second), 409, "Conflict error.", "5"},
		{Unavailable(10 * time.Second), 503, "", "10"},
		{Unavailable(0), 503, "", "0"},
		{TooLarge(), 413, "<center>nginx/", ""},
		{Crash(), 500, "", ""},
		{Cut(40), 0, "", ""},
		{Restart(0, 0), 0, "", ""},
	} {
		every(t, func(t *testing.T, version string) {
			p := newPerson(t, Options{Version: version, Faults: []Fault{{Do: test.do}}})
			data := image(100, 40)
			s, f := p.announce(fields("mine", data))
			a := p.put(f.URI, data)
			p.want(a, test.status, test.body)
			if got := a.header.Get("Retry-After"); got != test.retry {
				t.Errorf("Retry-After %q, want %q", got, test.retry)
			}
			if got := p.r.Traffic(s.ID); got.Stored != 0 {
				t.Errorf("stored %d of a request that failed", got.Stored)
			}
			// Once, and nothing is left of it.
			p.sendAll(f.URI, data, 100)
			p.wantContent(s.ID, data)
		})
	}
}

func TestConflictAfterWrite(t *testing.T) {
	data := image(1000, 41)
	run := func(t *testing.T, version string) (person, shown, shownFile) {
		p := newPerson(t, Options{Version: version, Faults: []Fault{{Skip: 1, Do: ConflictAfterWrite(0)}}})
		s, f := p.announce(fields("mine", data))
		p.sendAll(f.URI, data[:400], 400)
		p.want(p.put(f.URI, data[400:800]), 409, "")
		if got := received(version, p.show(s.ID).file(t, f.SHA256), 1); got != 400 {
			t.Errorf("received %d, want 400", got)
		}
		p.want(p.put(f.URI, data[400:500]), 200, "OK")
		return p, s, f
	}
	good := func(t *testing.T, version string) {
		p, s, f := run(t, version)
		p.sendAll(f.URI, data[500:], 500)
		p.wantContent(s.ID, data)
	}
	family(t, largeObjects, good)
	family(t, allocated, good)
	family(t, appended, func(t *testing.T, version string) {
		p, _, f := run(t, version)
		p.want(p.put(f.URI, data[500:]), 400, "Too much data received.")
	})
}

func TestRestart(t *testing.T) {
	data := image(1000, 42)
	every(t, func(t *testing.T, version string) {
		p := newPerson(t, Options{Version: version, Faults: []Fault{{Skip: 1, Do: Restart(150, 100*time.Millisecond)}}})
		s, f := p.announce(fields("mine", data))
		p.sendAll(f.URI, data[:400], 400)
		p.want(p.put(f.URI, data[400:800]), 0, "")
		p.want(p.get(resourcesPath), 502, "502 Bad Gateway")
		time.Sleep(120 * time.Millisecond)
		if got := received(version, p.show(s.ID).file(t, f.SHA256), 1); got != 400 {
			t.Errorf("received %d, want 400", got)
		}
		if strings.HasPrefix(version, "3.8") {
			p.want(p.put(f.URI, data[400:]), 400, "Too much data received.")
			return
		}
		p.sendAll(f.URI, data[400:], 600)
		p.wantContent(s.ID, data)
	})
}

func TestDiskFull(t *testing.T) {
	every(t, func(t *testing.T, version string) {
		first, second := image(600, 43), image(600, 44)
		p := newPerson(t, Options{Version: version, StorageLimit: 1000})
		_, f := p.announce(fields("mine", first))
		p.sendAll(f.URI, first, 600)
		s, f := p.announce(fields("yours", second))
		status := 500
		if strings.HasPrefix(version, "3.8") {
			status = 400
		}
		a := p.put(f.URI, second[:300])
		if a.status == 200 {
			a = p.put(f.URI, second[300:])
		}
		p.want(a, status, "No space left on device")
		p.want(p.do("DELETE", fmt.Sprintf("%s%d/", resourcesPath, s.ID), "", nil), 204, "")
		if err := p.r.Deployable("mine"); err != nil {
			t.Error(err)
		}
	})
	// What had come before the disk was full is gone in 3.8, and still counted.
	p := newPerson(t, Options{Version: "3.8.0", Faults: []Fault{{Skip: 1, Do: DiskFull()}}})
	data := image(100, 45)
	s, f := p.announce(fields("mine", data))
	p.sendAll(f.URI, data[:60], 60)
	p.want(p.put(f.URI, data[60:]), 400, "No space left on device")
	p.want(p.put(f.URI, data[60:]), 200, "OK")
	p.wantContent(s.ID, data[60:])
}

func TestImageTooBigForMemory(t *testing.T) {
	p := newPerson(t, Options{})
	for i, size := range []string{"9000000000000", "-5"} {
		f := fields("mine", image(10, byte(46+i)))
		f["size"] = size
		_, file := p.announce(f)
		p.want(p.put(file.URI, []byte("x")), 500, "[Errno ")
	}
}

func TestCorrupt(t *testing.T) {
	every(t, func(t *testing.T, version string) {
		p := newPerson(t, Options{Version: version, Faults: []Fault{{Skip: 1, Do: Corrupt()}}})
		data := image(300, 47)
		_, f := p.announce(fields("mine", data))
		p.sendAll(f.URI, data[:200], 100)
		p.want(p.put(f.URI, data[200:]), 400, "Saved content does not match given SHA256 value.")
		if err := p.r.Deployable("mine"); err == nil {
			t.Error("deployable")
		}
	})
}

func TestSlow(t *testing.T) {
	p := newPerson(t, Options{Faults: []Fault{{Do: Slow(time.Hour)}}})
	data := image(100, 48)
	s, f := p.announce(fields("mine", data))
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "PUT", strings.TrimSuffix(p.r.URL, "/MAAS")+f.URI, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", header(AdminKey, time.Now()))
	if a := p.send(req); a.status != 0 {
		t.Errorf("answer %d of a region that is slow", a.status)
	}
	p.wantContent(s.ID, data)
}

// TestRandom has an uploader that looks before it sends again get through.
func TestRandom(t *testing.T) {
	every(t, func(t *testing.T, version string) {
		run := func() (trace []string) {
			p := newPerson(t, Options{Version: version, Faults: []Fault{
				Random(7, 0.4, LostReply(), Cut(10), Conflict(0), Unavailable(0), Crash()),
			}})
			data := image(5000, 49)
			s, f := p.announce(fields("mine", data))
			for range 500 {
				now := p.show(s.ID).file(t, f.SHA256)
				if now.Complete {
					break
				}
				off := received(version, now, 1)
				p.put(f.URI, data[off:min(off+100, 5000)])
			}
			p.wantContent(s.ID, data)
			if got := p.r.Traffic(s.ID); got.Stored != 5000 {
				t.Errorf("traffic %+v", got)
			}
			for _, q := range p.r.Requests() {
				trace = append(trace, q.Fault)
			}
			return trace
		}
		first := run()
		if second := run(); !slices.Equal(first, second) || len(slices.Compact(slices.Sorted(slices.Values(first)))) < 5 {
			t.Errorf("faults %q, and %q in a second run", first, second)
		}
	})
}

func TestFaultOfOthers(t *testing.T) {
	p := newPerson(t, Options{Faults: []Fault{{Match: Path("POST", "boot-resources"), Times: 2, Do: LostReply()}}})
	for range 2 {
		p.want(p.post(fields("mine", image(10, 50))), 0, "")
	}
	s, _ := p.announce(fields("mine", image(10, 50)))
	if len(s.Sets) != 3 {
		t.Errorf("%d versions, want 3: the lost ones were made", len(s.Sets))
	}
	p.r.AddFault(Fault{Match: Method("GET"), Times: -1, Do: Crash()})
	for range 5 {
		p.want(p.get(resourcesPath), 500, "")
	}
}
