package region

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// BenchmarkUpload compares an upload with curl -T of the same file to the same
// server, which throws all bytes away.
func BenchmarkUpload(b *testing.B) {
	const size = 1 << 30
	path := filepath.Join(b.TempDir(), "image")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if err := file.Truncate(size); err != nil {
		b.Fatal(err)
	}
	server := &counter{size: size, sum: strings.Repeat("0", 64)}
	buffers := sync.Pool{New: func() any { return new([256 << 10]byte) }}
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.Method != http.MethodPut {
			server.ServeHTTP(w, request)
			return
		}
		buf := buffers.Get().(*[256 << 10]byte)
		n, _ := io.CopyBuffer(struct{ io.Writer }{io.Discard}, request.Body, buf[:])
		buffers.Put(buf)
		server.mu.Lock()
		defer server.mu.Unlock()
		server.received += n
	}))
	defer r.Close()

	if _, err := io.Copy(io.Discard, file); err != nil { // into memory, for both
		b.Fatal(err)
	}
	b.Run("region", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			server.received, server.sent = 0, 0
			c, err := New(Config{URL: r.URL, APIKey: "a:b:c"})
			if err != nil {
				b.Fatal(err)
			}
			image := good
			image.SHA256 = server.sum
			if _, err := c.Upload(context.Background(), image, file, size, Options{}); err != nil {
				b.Fatal(err)
			}
			c.Close()
		}
	})
	b.Run("curl", func(b *testing.B) {
		curl, err := exec.LookPath("curl")
		if err != nil {
			b.Skip("curl is not installed")
		}
		b.SetBytes(size)
		for b.Loop() {
			if out, err := exec.Command(curl, "-sS", "-T", path, r.URL+"/sink").CombinedOutput(); err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
		}
	})
}
