package region

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/region/regiontest"
)

// TestMessages runs into each refusal. Each must end at once, say what to do,
// and never show the key.
func TestMessages(t *testing.T) {
	content := bytesOf(7, 100_000)
	fault := func(do regiontest.Action, match func(string, string) bool) regiontest.Options {
		return regiontest.Options{Faults: []regiontest.Fault{{Match: match, Times: -1, Do: do}}}
	}
	for _, c := range []struct {
		what    string
		options regiontest.Options
		key     string
		change  func(*Image)
		content []byte
		says    []string
	}{
		{what: "wrong key", key: "wrongconsumer:wrongtoken:wrongsecret", says: []string{"401", "not one of this region"}},
		{what: "right token, wrong secret", key: secretless(), says: []string{"401"}},
		{what: "no administrator", key: regiontest.UserKey, says: []string{"403", "administrator"}},
		{what: "no key", key: "-", says: []string{"API key"}},
		{what: "clock", options: regiontest.Options{Clock: func() time.Time { return time.Now().Add(time.Hour) }}, says: []string{"401", "clock"}},
		{what: "clock, at a chunk", options: fault(regiontest.WrongClock(time.Hour), nil), says: []string{"401", "clock", "goes on there"}},
		{what: "chunk too large", options: fault(regiontest.TooLarge(), nil), says: []string{"413", "lower the chunk size"}},
		{what: "disk full", options: fault(regiontest.DiskFull(), nil), says: []string{"No space left on device", "give it more room", "run the upload again"}},
		{what: "disk full, 3.8", options: with(fault(regiontest.DiskFull(), nil), "3.8.0"), says: []string{"No space left on device", "was removed", "run the upload again"}},
		{what: "disk full, 3.4", options: with(fault(regiontest.DiskFull(), nil), "3.4.4"), says: []string{"No space left on device", "run the upload again"}},
		{what: "damaged on the way", options: fault(regiontest.Corrupt(), nil), says: []string{"does not match given SHA256", "damages data"}},
		{what: "file is not its checksum", change: func(i *Image) { i.SHA256 = strings.Repeat("0", 64) }, says: []string{"make it again"}},
		{what: "no checksum", change: func(i *Image) { i.SHA256 = "" }, says: []string{"64 hexadecimal digits"}},
		{what: "file cut", content: content[:50_000], says: []string{"ends 10000 bytes early"}},
		{what: "crash", options: fault(regiontest.Crash(), nil), says: []string{"500", "5 times", "log"}},
		{what: "crash at creation", options: fault(regiontest.Crash(), regiontest.Method("POST")), says: []string{"500", "check name"}},
		{what: "reserved name", change: func(i *Image) { i.Name = "noble" }, says: []string{"noble is a reserved name", "choose another name"}},
		{what: "bad architecture", change: func(i *Image) { i.Architecture = "arm64" }, says: []string{"not a valid architecture"}},
		{what: "busy for too long", options: fault(regiontest.Unavailable(0), nil), says: []string{"503", "tried"}},
		{what: "retry after for too long", options: fault(regiontest.Unavailable(time.Hour), nil), says: []string{"503", "tried 1 times"}},
		{what: "no replies", options: fault(regiontest.LostReply(), regiontest.Path("GET", "boot-resources/")), says: []string{"EOF", "tried"}},
		{what: "several regions, no stickiness", options: regiontest.Options{Regions: 2, Balance: regiontest.PerRequest}, says: []string{"image"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			r := regiontest.Start(t, c.options)
			key := strings.TrimPrefix(or(c.key, regiontest.AdminKey), "-")
			image, sent := imageOf(content), content
			if c.change != nil {
				c.change(&image)
			}
			if c.content != nil {
				sent = c.content
			}
			n := &notes{}
			opts := quick(30_000)
			opts.Report = n
			_, err := newClient(t, Config{URL: r.URL, APIKey: key}).Upload(t.Context(), image, bytes.NewReader(sent), int64(len(content)), opts)
			if err == nil {
				t.Fatal("no error")
			}
			for _, words := range c.says {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%v does not say %q", err, words)
				}
			}
			for part := range strings.SplitSeq(key+":"+regiontest.AdminKey, ":") {
				if part != "" && strings.Contains(err.Error()+n.text()+fmt.Sprintf("%+v %#v", err, err), part) {
					t.Errorf("the key is shown: %v", err)
				}
			}
			if err := r.Deployable("debian12"); err == nil {
				t.Error("a failed upload can be deployed")
			}
		})
	}
}

func with(o regiontest.Options, version string) regiontest.Options {
	o.Version = version
	return o
}

// secretless is the administrator's key with another secret: MAAS answers with
// the one that it expected.
func secretless() string {
	parts := strings.Split(regiontest.AdminKey, ":")
	return parts[0] + ":" + parts[1] + ":" + parts[2][:8] + strings.Repeat("x", len(parts[2])-8)
}

// TestRedact is about a server that shows the headers it was sent: all of them,
// or cut wherever the longest words end.
func TestRedact(t *testing.T) {
	before := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, before+request.Header.Get("Authorization"))
	}))
	defer server.Close()
	c := newClient(t, Config{URL: server.URL, APIKey: "qqqqqqqqqqqq:wwwwwwwwwwww:zzzzzzzzzzzz"})
	for n := 0; n <= longestWords; n += 5 {
		before = strings.Repeat("-", n)
		_, err := c.Resources(t.Context())
		_, again := c.Resource(t.Context(), 1)
		for _, err := range []error{err, again} {
			text := fmt.Sprint(err)
			if err == nil || strings.Contains(text, "qq") || strings.Contains(text, "ww") || strings.Contains(text, "zz") {
				t.Errorf("%v", err)
			}
			if n == 0 && !strings.Contains(text, "***") {
				t.Errorf("%v does not show what was there", err)
			}
		}
	}
}

// TestCancel stops an upload while a chunk waits for its answer.
func TestCancel(t *testing.T) {
	r := regiontest.Start(t, regiontest.Options{Faults: []regiontest.Fault{{Skip: 2, Do: regiontest.Slow(time.Minute)}}})
	content := bytesOf(8, 200_000)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := clientOf(t, r).Upload(ctx, imageOf(content), bytes.NewReader(content), 200_000, quick(30_000))
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 2*time.Second || !strings.Contains(fmt.Sprint(err), "goes on there") {
		t.Fatalf("%v after %s", err, time.Since(start))
	}
	resource, err := clientOf(t, r).Upload(t.Context(), imageOf(content), bytes.NewReader(content), 200_000, quick(30_000))
	if err != nil {
		t.Fatal(err)
	}
	checkStored(t, r, resource.ID, content)
	if traffic := r.Traffic(resource.ID); traffic.Sent > 200_000+30_000 {
		t.Errorf("traffic = %+v", traffic)
	}
}

// TestTimeouts sees that the last chunk has more time than the others.
func TestTimeouts(t *testing.T) {
	for _, last := range []bool{false, true} {
		skip := 0
		if last {
			skip = 2
		}
		r := regiontest.Start(t, regiontest.Options{Faults: []regiontest.Fault{{Skip: skip, Times: -1, Do: regiontest.Slow(300 * time.Millisecond)}}})
		c := newClient(t, Config{URL: r.URL, APIKey: regiontest.AdminKey, ChunkTimeout: 100 * time.Millisecond, LastChunkTimeout: 5 * time.Second})
		content := bytesOf(8, 90_000)
		opts := quick(30_000)
		opts.Patience = 50 * time.Millisecond
		resource, err := c.Upload(t.Context(), imageOf(content), bytes.NewReader(content), 90_000, opts)
		if err != nil {
			t.Fatal(err)
		}
		checkStored(t, r, resource.ID, content)
		var chunks, questions int
		for _, request := range r.Requests() {
			switch {
			case request.Method == http.MethodPut:
				chunks++
			case strings.Contains(request.Path, "boot-resources/3/"):
				questions++
			}
		}
		if chunks != 3 || last && questions != 1 {
			t.Errorf("last %v: %d chunks, %d questions", last, chunks, questions)
		}
	}
}

// TestSharedBytes is about MAAS 3.8, which deletes a file that is sent again
// under another name.
func TestSharedBytes(t *testing.T) {
	r := regiontest.Start(t, regiontest.Options{Version: "3.8.0"})
	c := clientOf(t, r)
	content := bytesOf(10, 50_000)
	first, err := c.Upload(t.Context(), imageOf(content), bytes.NewReader(content), 50_000, quick(20_000))
	if err != nil {
		t.Fatal(err)
	}
	other := imageOf(content)
	other.Name = "other"
	if _, err := c.Upload(t.Context(), other, bytes.NewReader(content), 50_000, quick(20_000)); err == nil || !strings.Contains(err.Error(), `as "debian12"`) {
		t.Errorf("%v", err)
	}
	checkStored(t, r, first.ID, content)
	// The same name and another filetype: what is there gives way.
	again := imageOf(content)
	again.Filetype = "ddgz"
	second, err := c.Upload(t.Context(), again, bytes.NewReader(content), 50_000, quick(20_000))
	if err != nil {
		t.Fatal(err)
	}
	checkStored(t, r, second.ID, content)
}
