package regiontest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// versions are one of each family and its edges.
var versions = []string{"3.2.10", "3.3.7", "3.4.0~beta2", "3.5.0", "3.6.5", "3.7.3", "3.8.0~beta6"}

// family runs a test for each version that keeps bytes in one of the ways.
func family(t *testing.T, s storage, test func(t *testing.T, version string)) {
	for _, told := range versions {
		v, err := parseVersion(told)
		if err != nil {
			t.Fatal(err)
		}
		if v.storage() == s {
			t.Run(told, func(t *testing.T) { test(t, told) })
		}
	}
}

func every(t *testing.T, test func(t *testing.T, version string)) {
	for _, told := range versions {
		t.Run(told, func(t *testing.T) { test(t, told) })
	}
}

var nonce atomic.Int64

// header signs a request as the command line client of MAAS does.
func header(key string, at time.Time) string {
	parts := strings.Split(key, ":")
	return fmt.Sprintf(`OAuth oauth_nonce="%d", oauth_timestamp="%d", oauth_version="1.0", `+
		`oauth_signature_method="PLAINTEXT", oauth_consumer_key="%s", oauth_token="%s", oauth_signature="%%26%s"`,
		nonce.Add(1), at.Unix(), parts[0], parts[1], parts[2])
}

// person uses a region by hand.
type person struct {
	t    *testing.T
	r    *Region
	key  string
	http *http.Client
}

func newPerson(t *testing.T, o Options) person {
	t.Helper()
	r := Start(t, o)
	return person{t, r, AdminKey, r.Client()}
}

// answer is what came back; status is 0 where the connection broke.
type answer struct {
	status int
	header http.Header
	body   string
}

func (p person) do(method, path, contentType string, body io.Reader) answer {
	p.t.Helper()
	u := path
	if !strings.HasPrefix(path, "http") {
		u = strings.TrimSuffix(p.r.URL, "/MAAS") + path
	}
	req, err := http.NewRequest(method, u, body)
	if err != nil {
		p.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if p.key != "" {
		req.Header.Set("Authorization", header(p.key, time.Now()))
	}
	return p.send(req)
}

func (p person) send(req *http.Request) answer {
	p.t.Helper()
	res, err := p.http.Do(req)
	if err != nil {
		return answer{body: err.Error()}
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

func (p person) get(path string) answer { p.t.Helper(); return p.do("GET", path, "", nil) }

const resourcesPath = apiPath + "boot-resources/"

// post announces an image.
func (p person) post(fields map[string]string) answer {
	p.t.Helper()
	values := url.Values{}
	for name, value := range fields {
		values.Set(name, value)
	}
	return p.do("POST", resourcesPath, "application/x-www-form-urlencoded", strings.NewReader(values.Encode()))
}

// shown is a resource as the API shows it.
type shown struct {
	ID    int
	Name  string
	Title string
	Base  string `json:"base_image"`
	Sets  map[string]struct {
		Complete bool
		Progress float64
		Files    map[string]shownFile
	}
}

type shownFile struct {
	Name     string `json:"filename"`
	Kind     string `json:"filetype"`
	SHA256   string
	Size     int64
	Complete bool
	Progress *float64
	URI      string `json:"upload_uri"`
}

// file is the one with the hash, wherever it is.
func (s shown) file(t *testing.T, sum string) shownFile {
	t.Helper()
	for _, set := range s.Sets {
		for _, f := range set.Files {
			if f.SHA256 == sum {
				return f
			}
		}
	}
	t.Fatalf("resource %d has no file %s", s.ID, sum)
	return shownFile{}
}

func (p person) decode(a answer, status int) shown {
	p.t.Helper()
	if a.status != status {
		p.t.Fatalf("answer %d %s, want %d", a.status, a.body, status)
	}
	var s shown
	if err := json.Unmarshal([]byte(a.body), &s); err != nil {
		p.t.Fatalf("%v in %s", err, a.body)
	}
	return s
}

func (p person) show(id int) shown {
	p.t.Helper()
	return p.decode(p.get(fmt.Sprintf("%s%d/", resourcesPath, id)), 200)
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// fields are those of a good announcement of data.
func fields(name string, data []byte) map[string]string {
	return map[string]string{
		"name": name, "architecture": "amd64/generic", "filetype": "tgz", "base_image": "ubuntu/noble",
		"sha256": sumOf(data), "size": strconv.Itoa(len(data)),
	}
}

// announce posts fields and returns the resource and the file to send.
func (p person) announce(f map[string]string) (shown, shownFile) {
	p.t.Helper()
	s := p.decode(p.post(f), 201)
	return s, s.file(p.t, f["sha256"])
}

func (p person) put(uri string, data []byte) answer {
	p.t.Helper()
	return p.do("PUT", uri, "application/octet-stream", bytes.NewReader(data))
}

// sendAll puts data in pieces that have to succeed.
func (p person) sendAll(uri string, data []byte, piece int) {
	p.t.Helper()
	for len(data) > 0 {
		n := min(piece, len(data))
		p.want(p.put(uri, data[:n]), 200, "OK")
		data = data[n:]
	}
}

func (p person) want(a answer, status int, body string) {
	p.t.Helper()
	if a.status != status || body != "" && !strings.Contains(a.body, body) {
		p.t.Errorf("answer %d %q, want %d %q", a.status, a.body, status, body)
	}
}

// image is size bytes that no other image has.
func image(size int, seed byte) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i*7) ^ byte(i>>8) ^ seed
	}
	return data
}
