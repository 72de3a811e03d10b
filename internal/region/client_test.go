package region

import (
	"bytes"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/region/regiontest"
)

func TestURLs(t *testing.T) {
	for text, want := range map[string]string{
		"http://host:5240":               "http://host:5240/MAAS/api/2.0/",
		"http://host:5240/":              "http://host:5240/MAAS/api/2.0/",
		"http://host:5240/MAAS":          "http://host:5240/MAAS/api/2.0/",
		"https://host/MAAS/":             "https://host/MAAS/api/2.0/",
		"http://host:5240/MAAS/api/2.0":  "http://host:5240/MAAS/api/2.0/",
		"http://host:5240/MAAS/api/2.0/": "http://host:5240/MAAS/api/2.0/",
		"http://host/lab/MAAS":           "http://host/lab/MAAS/api/2.0/",
		"http://[::1]:5240/MAAS":         "http://[::1]:5240/MAAS/api/2.0/",
		"":                               "",
		"host:5240":                      "",
		"ftp://host/":                    "",
		"http:///MAAS":                   "",
		"http://user:password@host/":     "",
		"http://host/?key=password":      "",
		"http://host/%zzpassword":        "",
	} {
		c, err := New(Config{URL: text})
		switch {
		case want == "" && err == nil:
			t.Errorf("%q is taken", text)
		case err != nil && (want != "" || strings.Contains(err.Error(), "password")):
			t.Errorf("%q: %v", text, err)
		case err == nil && c.api.String() != want:
			t.Errorf("%q: %s", text, c.api)
		}
	}
}

func TestKeys(t *testing.T) {
	for _, text := range []string{"secretone", "secretone:secrettwo", "secretone:secrettwo:secretthree:secretfour", "secretone::secretthree", "secretone:secret two:secretthree", "secretone:secrettwo:sécret"} {
		_, err := New(Config{URL: "http://host", APIKey: text})
		if err == nil || strings.Contains(err.Error(), "secretone") || strings.Contains(err.Error(), "two") {
			t.Errorf("%v", err)
		}
	}
	if _, err := New(Config{URL: "http://host", APIKey: " a:b:c\n"}); err != nil {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	r := regiontest.Start(t, regiontest.Options{TLS: true, Version: "3.6.0"})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	content := bytesOf(4, 100_000)
	for what, config := range map[string]Config{
		"CA file":  {URL: r.URL, APIKey: regiontest.AdminKey, CAFile: ca},
		"insecure": {URL: r.URL, APIKey: regiontest.AdminKey, InsecureSkipVerify: true},
	} {
		if _, err := newClient(t, config).Upload(t.Context(), imageOf(content), bytes.NewReader(content), 100_000, quick(30_000)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	start := time.Now()
	_, err := newClient(t, Config{URL: r.URL, APIKey: regiontest.AdminKey}).Upload(t.Context(), imageOf(content), bytes.NewReader(content), 100_000, Options{})
	if err == nil || !strings.Contains(err.Error(), "certificate") || time.Since(start) > 5*time.Second {
		t.Errorf("unknown certificate: %v after %s", err, time.Since(start))
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{URL: r.URL, CAFile: empty}); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("%v", err)
	}
}

// TestRedirect sees that nothing follows a redirect: net/http would turn the
// PUT and POST into GETs.
func TestRedirect(t *testing.T) {
	r := regiontest.Start(t, regiontest.Options{TLS: true})
	c := newClient(t, Config{URL: r.PlainURL, APIKey: regiontest.AdminKey})
	content := bytesOf(4, 1000)
	_, err := c.Upload(t.Context(), imageOf(content), bytes.NewReader(content), 1000, quick(1000))
	if err == nil || !strings.Contains(err.Error(), strings.TrimSuffix(r.URL, "/MAAS")) {
		t.Errorf("%v does not say %s", err, r.URL)
	}

	var puts, gets atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		switch {
		case strings.HasPrefix(request.URL.Path, "/elsewhere"):
			gets.Add(1)
		case request.Method == http.MethodPut:
			puts.Add(1)
			http.Redirect(w, request, "/elsewhere?key=secret", http.StatusMovedPermanently)
		}
	}))
	defer server.Close()
	u := &upload{c: newClient(t, Config{URL: server.URL, APIKey: "a:b:c"}), content: bytes.NewReader(content), size: 1000}
	_, err = u.put(t.Context(), &target{path: "boot-resources/1/upload/2/"}, 0, 1000)
	var refusal *StatusError
	if !errors.As(err, &refusal) || puts.Load() != 1 || gets.Load() != 0 || strings.Contains(err.Error(), "secret") || refusal.passes() {
		t.Errorf("%v after %d PUTs and %d requests elsewhere", err, puts.Load(), gets.Load())
	}
}

// TestProxy runs itself again with a proxy in the environment, which net/http
// reads once in a process.
func TestProxy(t *testing.T) {
	const inside = "REGION_TEST_PROXY"
	if os.Getenv(inside) != "" {
		v, err := newClient(t, Config{URL: "http://maas.invalid:5240"}).Version(t.Context())
		if err != nil || v.String() != "3.6.0" {
			t.Errorf("%v, %v", v, err)
		}
		return
	}
	var asked atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		asked.Store(request.URL.String())
		_, _ = w.Write([]byte(`{"version": "3.6.0", "capabilities": []}`))
	}))
	defer proxy.Close()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxy$")
	cmd.Env = append(os.Environ(), inside+"=1", "HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "NO_PROXY=", "no_proxy=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := asked.Load(); got != "http://maas.invalid:5240/MAAS/api/2.0/version/" {
		t.Errorf("the proxy was asked for %v", got)
	}
}

func TestInfo(t *testing.T) {
	r := regiontest.Start(t, regiontest.Options{Version: "3.8.0~beta6"})
	info, err := newClient(t, Config{URL: r.URL}).Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.Text != "3.8.0~beta6" || info.Version != (Version{3, 8, 0, "beta", 6}) || len(info.Capabilities) != 9 {
		t.Errorf("%+v", info)
	}
	if _, err := newClient(t, Config{URL: r.URL}).Resources(t.Context()); !errors.Is(err, errNoKey) {
		t.Errorf("%v", err)
	}
}

func TestNotMAAS(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<html>hello</html>"))
	}))
	defer server.Close()
	if _, err := newClient(t, Config{URL: server.URL}).Info(t.Context()); err == nil {
		t.Error("any page is taken for a region")
	}
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 20 {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	if _, err := newClient(t, Config{URL: endless.URL}).Info(t.Context()); err == nil || !strings.Contains(err.Error(), "longer than 16 MiB") {
		t.Errorf("%v", err)
	}
}

func TestDelete(t *testing.T) {
	r := regiontest.Start(t, regiontest.Options{})
	c := clientOf(t, r)
	content := bytesOf(5, 1000)
	resource, err := c.Upload(t.Context(), imageOf(content), bytes.NewReader(content), 1000, quick(1000))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // gone is gone
		if err := c.Delete(t.Context(), resource.ID); err != nil {
			t.Error(err)
		}
	}
	controllers, err := c.Controllers(t.Context())
	if err != nil || len(controllers) != 1 || controllers[0].SystemID == "" {
		t.Errorf("%v, %v", controllers, err)
	}
}
