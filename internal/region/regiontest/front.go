package regiontest

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// MaxBody is the longest request that the nginx in front lets through: its
// client_max_body_size of 10M.
const MaxBody = 10 << 20

// directBody is the longest without it, so that memory stays bounded.
const directBody = 1 << 30

// ServeHTTP is the whole way of a request: the front, the region that the
// connection is with, what is made to go wrong, and the answer.
func (r *Region) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	entry := &Request{
		Conn: req.RemoteAddr, Method: req.Method, Path: req.URL.Path, Op: req.URL.Query().Get("op"),
	}
	r.mu.Lock()
	entry.Time = r.now()
	entry.Region = r.pickRegion(req.RemoteAddr)
	p := r.plan(req.Method, req.URL.Path)
	away := time.Now().Before(r.down)
	r.mu.Unlock()
	entry.Fault = p.name

	var answer *reply
	switch {
	case r.options.TLS && req.TLS == nil:
		answer = r.redirect(req)
	case away && r.options.Direct:
		answer = &reply{abort: true}
	case away:
		answer = nginx(http.StatusBadGateway, "Bad Gateway")
	default:
		answer = r.serve(w, req, p, entry)
	}
	if p.delay > 0 {
		select {
		case <-time.After(p.delay):
		case <-req.Context().Done():
		}
	}
	if p.lose {
		answer = &reply{abort: true}
	}
	r.finish(entry, answer)
	answer.send(w)
}

// serve reads the body and answers.
func (r *Region) serve(w http.ResponseWriter, req *http.Request, p plan, entry *Request) *reply {
	limit := int64(MaxBody)
	if r.options.Direct {
		limit = directBody
	}
	tooLarge := nginx(http.StatusRequestEntityTooLarge, "Request Entity Too Large")
	if req.ContentLength > limit {
		return tooLarge
	}
	reader := io.Reader(http.MaxBytesReader(w, req.Body, limit))
	if p.cut >= 0 {
		reader = io.LimitReader(reader, p.cut)
	}
	body, err := io.ReadAll(reader)
	entry.Body = int64(len(body))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return tooLarge
	case err != nil || p.cut >= 0:
		return &reply{abort: true}
	case p.instead != nil:
		return p.instead
	}
	if !strings.HasPrefix(req.URL.Path, apiPath) {
		return r.page(req)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle()
	answer := r.answer(call{
		req: req, path: req.URL.Path, body: body, region: entry.Region, effect: p.effect, entry: entry,
	})
	if p.down > 0 {
		r.down = time.Now().Add(p.down)
	}
	return answer
}

// pickRegion is the region that a connection is with. The region is locked.
func (r *Region) pickRegion(conn string) int {
	region, known := r.conns[conn]
	if !known || r.options.Balance == PerRequest {
		region = r.turn % len(r.disks)
		r.turn++
		r.conns[conn] = region
	}
	return region
}

// redirect is what the plain port does when TLS is on.
func (r *Region) redirect(req *http.Request) *reply {
	target := strings.TrimSuffix(r.URL, "/MAAS") + req.URL.RequestURI()
	return nginx(http.StatusMovedPermanently, "Moved Permanently").with("Location", target)
}

// page is for a person with a browser: what the region has.
func (r *Region) page(req *http.Request) *reply {
	switch req.URL.Path {
	case "/", "/MAAS", "/MAAS/":
		return text(http.StatusOK, r.Report())
	}
	return text(http.StatusNotFound, "Not Found")
}

// finish writes the log.
func (r *Region) finish(entry *Request, answer *reply) {
	if !answer.abort {
		entry.Status = answer.status
	}
	if entry.Status >= 400 && entry.Status != http.StatusUnauthorized {
		// A refused signature is answered with a secret.
		entry.Reason, _, _ = strings.Cut(string(answer.body), "\n")
	}
	r.mu.Lock()
	r.requests = append(r.requests, *entry)
	r.mu.Unlock()
	r.options.Logf("%s", entry)
}
