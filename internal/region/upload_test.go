package region

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/region/regiontest"
)

// series are the MAAS series with a storage or a rule of their own.
var series = []string{"3.2.9", "3.3.5", "3.4.4", "3.5.1", "3.6.0", "3.7.1", "3.8.0~beta6"}

// bytesOf are bytes that look like a compressed image.
func bytesOf(seed uint64, size int) []byte {
	content := make([]byte, size)
	chacha := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), 1})
	_, _ = chacha.Read(content) // never fails
	return content
}

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func imageOf(content []byte) Image {
	return Image{
		Name: "debian12", Title: "Debian 12", Architecture: "amd64/generic", BaseImage: "ubuntu/jammy",
		Filetype: "tgz", SHA256: sumOf(content),
	}
}

// quick are options with hardly any waits.
func quick(chunk int64) Options {
	return Options{
		ChunkSize: chunk, Patience: time.Second, WaitLimit: 3 * time.Second,
		pace: pace{first: time.Millisecond, longest: 8 * time.Millisecond, settle: 20 * time.Millisecond, poll: 2 * time.Millisecond, stall: 100 * time.Millisecond},
	}
}

// clientOf is a client of a stand-in region, with an administrator's key.
func clientOf(t *testing.T, r *regiontest.Region) *Client {
	t.Helper()
	return newClient(t, Config{URL: r.URL, APIKey: regiontest.AdminKey})
}

func newClient(t *testing.T, config Config) *Client {
	t.Helper()
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// checkStored fails unless the region has the image, byte for byte, and would
// deploy it.
func checkStored(t *testing.T, r *regiontest.Region, id int, content []byte) {
	t.Helper()
	stored, err := r.Content(id)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(stored)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, content) {
		t.Errorf("the region has %d bytes that differ from the image's %d", len(got), len(content))
	}
	if err := r.Deployable("debian12"); err != nil {
		t.Errorf("not deployable: %v", err)
	}
}

// notes is a Reporter that remembers.
type notes struct {
	mu    sync.Mutex
	lines []string
	done  []int64
}

func (n *notes) Say(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, line)
}

func (n *notes) Progress(done, _ int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.done = append(n.done, done)
}

func (n *notes) text() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.lines, "\n")
}

func TestUpload(t *testing.T) {
	for _, version := range series {
		for _, controllers := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s/%d", version, controllers), func(t *testing.T) {
				t.Parallel()
				r := regiontest.Start(t, regiontest.Options{Version: version, Regions: controllers, SyncTime: 20 * time.Millisecond})
				content := bytesOf(1, 1000_003)
				n := &notes{}
				opts := quick(64 << 10)
				opts.Report = n
				resource, err := clientOf(t, r).Upload(t.Context(), imageOf(content), bytes.NewReader(content), int64(len(content)), opts)
				if err != nil {
					t.Fatal(err)
				}
				checkStored(t, r, resource.ID, content)
				if resource.Name != "debian12" || resource.Title != "Debian 12" {
					t.Errorf("resource = %+v", resource)
				}
				if traffic := r.Traffic(resource.ID); traffic.Sent != int64(len(content)) || traffic.Requests != 16 {
					t.Errorf("traffic = %+v", traffic)
				}
				if len(n.done) != 16 || n.done[15] != int64(len(content)) {
					t.Errorf("progress = %v", n.done)
				}
				oneConnection(t, r)
			})
		}
	}
}

// oneConnection fails if the region saw more than one.
func oneConnection(t *testing.T, r *regiontest.Region) {
	t.Helper()
	seen := map[string]bool{}
	for _, request := range r.Requests() {
		seen[request.Conn] = true
	}
	if len(seen) != 1 {
		t.Errorf("%d connections", len(seen))
	}
}

func TestUploadTwice(t *testing.T) {
	for _, version := range series {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			r := regiontest.Start(t, regiontest.Options{Version: version})
			c := clientOf(t, r)
			content := bytesOf(2, 300_000)
			first, err := c.Upload(t.Context(), imageOf(content), bytes.NewReader(content), int64(len(content)), quick(64<<10))
			if err != nil {
				t.Fatal(err)
			}
			n := &notes{}
			opts := quick(64 << 10)
			opts.Report = n
			second, err := c.Upload(t.Context(), imageOf(content), bytes.NewReader(content), int64(len(content)), opts)
			if err != nil {
				t.Fatal(err)
			}
			if first.ID != second.ID || !strings.Contains(n.text(), "has this image already") {
				t.Errorf("ids %d, %d; said %q", first.ID, second.ID, n.text())
			}
			if traffic := r.Traffic(first.ID); traffic.Sent != int64(len(content)) {
				t.Errorf("traffic = %+v", traffic)
			}
			// Another image takes the place of the first.
			other := bytesOf(3, 200_000)
			third, err := c.Upload(t.Context(), imageOf(other), bytes.NewReader(other), int64(len(other)), quick(64<<10))
			if err != nil {
				t.Fatal(err)
			}
			checkStored(t, r, third.ID, other)
		})
	}
}

// TestUploadFaults uploads through random faults. Each upload must end with
// the image complete and the same, or with an error; the region must never
// call an image complete that is not the one.
func TestUploadFaults(t *testing.T) {
	rounds := faultRounds(t)
	var mu sync.Mutex
	ended := map[string]int{}
	seeds := make(chan uint64)
	var workers sync.WaitGroup
	for range 24 { // they mostly wait
		workers.Go(func() {
			for seed := range seeds {
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					how := faultRound(t, seed)
					mu.Lock()
					defer mu.Unlock()
					ended[how]++
				})
			}
		})
	}
	for seed := range rounds {
		seeds <- uint64(seed)
	}
	close(seeds)
	workers.Wait()
	t.Logf("%d uploads: %v", rounds, ended)
	if ended["complete"] < rounds/2 {
		t.Errorf("only %d of %d uploads were completed: %v", ended["complete"], rounds, ended)
	}
}

// TestLostReplies loses many replies, to a chunk or a question. What the
// region took must not be sent again, nor a signature be used twice.
func TestLostReplies(t *testing.T) {
	const size = 300_000
	content := bytesOf(12, size)
	for _, version := range series {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			fault := regiontest.Random(12, 0.4, regiontest.LostReply())
			fault.Match = func(method, _ string) bool { return method != http.MethodPost }
			r := regiontest.Start(t, regiontest.Options{Version: version, Faults: []regiontest.Fault{fault}})
			resource, err := clientOf(t, r).Upload(t.Context(), imageOf(content), bytes.NewReader(content), size, quick(20_000))
			if err != nil {
				t.Fatal(err)
			}
			checkStored(t, r, resource.ID, content)
			if traffic := r.Traffic(resource.ID); traffic.Sent != size || traffic.Stored != size {
				t.Errorf("traffic = %+v", traffic)
			}
			lost := 0
			for _, request := range r.Requests() {
				if request.Status == http.StatusUnauthorized {
					t.Error(request)
				}
				if request.Status == 0 && request.Method == http.MethodPut {
					lost++
				}
			}
			if lost == 0 {
				t.Error("no chunk's reply was lost")
			}
		})
	}
}
