package region

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/region/regiontest"
)

// TestResume interrupts an upload ten times, each time with a new client. No
// byte that the region has may be sent again.
func TestResume(t *testing.T) {
	const size = 5_000_003
	content := bytesOf(11, size)
	for _, version := range series {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			r := regiontest.Start(t, regiontest.Options{Version: version})
			for try := range 10 {
				ctx, cancel := context.WithCancel(t.Context())
				opts := quick(100_000)
				opts.Report = stopper{after: int64(try+1) * 400_000, stop: cancel}
				c := newClient(t, Config{URL: r.URL, APIKey: regiontest.AdminKey})
				if _, err := c.Upload(ctx, imageOf(content), bytes.NewReader(content), size, opts); err == nil {
					t.Fatal("not interrupted")
				}
				c.Close()
			}
			resource, err := clientOf(t, r).Upload(t.Context(), imageOf(content), bytes.NewReader(content), size, quick(100_000))
			if err != nil {
				t.Fatal(err)
			}
			checkStored(t, r, resource.ID, content)
			if traffic := r.Traffic(resource.ID); traffic.Stored != size || traffic.Sent != size {
				t.Errorf("traffic = %+v for %d bytes", traffic, size)
			}
		})
	}
}

// stopper stops an upload at a place.
type stopper struct {
	after int64
	stop  func()
}

func (s stopper) Say(string) {}

func (s stopper) Progress(done, _ int64) {
	if done >= s.after {
		s.stop()
	}
}

// counter is a region that only counts and hashes what it gets, so that an
// image can be of any size.
type counter struct {
	mu       sync.Mutex
	size     int64
	sum      string
	received int64
	sent     int64
	hash     interface {
		io.Writer
		Sum([]byte) []byte
	}
}

func (c *counter) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	resource := fmt.Sprintf(`{"id": 1, "type": "Uploaded", "name": "debian12", "title": "Debian 12", "architecture": "amd64/generic", "base_image": "ubuntu/jammy",
		"sets": {"20261123": {"complete": %v, "files": {"root.tgz": {"filetype": "root-tgz", "sha256": %q, "size": %d, "complete": %v, "progress": %s,
		"upload_uri": "/MAAS/api/2.0/boot-resources/1/upload/1/"}}}}}`, c.received == c.size, c.sum, c.size, c.received == c.size,
		strconv.FormatFloat(100*float64(c.received)/float64(c.size), 'g', -1, 64))
	switch path := strings.TrimPrefix(request.URL.Path, "/MAAS/api/2.0/"); {
	case path == "version/":
		_, _ = io.WriteString(w, `{"version": "3.6.0"}`)
	case path == "regioncontrollers/":
		_, _ = io.WriteString(w, `[{"system_id": "abc"}]`)
	case path == "boot-resources/" && request.Method == http.MethodGet && c.sent == 0:
		_, _ = io.WriteString(w, "[]")
	case path == "boot-resources/" && request.Method == http.MethodGet:
		_, _ = io.WriteString(w, "["+resource+"]")
	case request.Method == http.MethodPut:
		n, err := io.CopyBuffer(struct{ io.Writer }{c.hash}, request.Body, make([]byte, 1<<20))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		c.received += n
		c.sent += n
		if c.received == c.size && hex.EncodeToString(c.hash.Sum(nil)) != c.sum {
			http.Error(w, "Saved content does not match given SHA256 value.", http.StatusBadRequest)
		}
	default:
		_, _ = io.WriteString(w, resource)
	}
}

// holes is a file of zeros of any size.
type holes struct{}

func (holes) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}

// TestBigImage uploads 512 MiB, or REGION_IMAGE_GIB, interrupted ten times,
// in little memory.
func TestBigImage(t *testing.T) {
	size := int64(512 << 20)
	if text := os.Getenv("REGION_IMAGE_GIB"); text != "" {
		gib, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatalf("REGION_IMAGE_GIB: %v", err)
		}
		size = gib << 30
	}
	sum := sha256.New()
	if _, err := io.CopyN(sum, io.NewSectionReader(holes{}, 0, size), size); err != nil {
		t.Fatal(err)
	}
	server := &counter{size: size, sum: hex.EncodeToString(sum.Sum(nil)), hash: sha256.New()}
	r := httptest.NewServer(server)
	defer r.Close()
	image := good
	image.SHA256 = server.sum
	start := time.Now()
	var before runtime.MemStats
	debug.FreeOSMemory() // what other tests left
	runtime.ReadMemStats(&before)
	highest := before.HeapInuse
	for try := range 11 {
		ctx, cancel := context.WithCancel(t.Context())
		opts := quick(DefaultChunkSize)
		watch := memory{stopper{after: size*int64(try+1)/11 - 1, stop: cancel}, &highest}
		opts.Report = watch
		c := newClient(t, Config{URL: r.URL, APIKey: "a:b:c"})
		_, err := c.Upload(ctx, image, holes{}, size, opts)
		c.Close()
		cancel()
		if err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
	}
	if server.received != size || server.sent != size {
		t.Errorf("sent %d bytes of %d, the region has %d", server.sent, size, server.received)
	}
	t.Logf("%d bytes, %.0f MB/s, at most %d MB of heap", size, float64(size)/1e6/time.Since(start).Seconds(), highest/1e6)
	if highest-before.HeapInuse > 50<<20 {
		t.Errorf("%d MB of heap, %d MB before", highest/1e6, before.HeapInuse/1e6)
	}
}

// memory watches the heap of an upload, with the stand-in's.
type memory struct {
	stopper
	highest *uint64
}

func (m memory) Progress(done, total int64) {
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	*m.highest = max(*m.highest, now.HeapInuse)
	m.stopper.Progress(done, total)
}
