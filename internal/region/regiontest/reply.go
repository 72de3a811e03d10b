package regiontest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// reply is what a request ends with.
type reply struct {
	status int
	kind   string // Content-Type
	header map[string]string
	body   []byte
	abort  bool // no reply: the connection is closed
}

func (p *reply) with(name, value string) *reply {
	if p.header == nil {
		p.header = map[string]string{}
	}
	p.header[name] = value
	return p
}

// text is an answer of MAAS in words.
func text(status int, message string) *reply {
	return &reply{status: status, kind: "text/plain; charset=utf-8", body: []byte(message)}
}

// crash is an exception in MAAS that nothing expects.
func crash(message string) *reply { return text(http.StatusInternalServerError, message) }

// missing is what Django's get_object_or_404 says.
func missing(model string) *reply {
	return &reply{status: http.StatusNotFound, kind: "text/plain", body: []byte("No " + model + " matches the given query.")}
}

func jsonReply(status int, kind string, v any) *reply {
	body, err := json.MarshalIndent(v, "", "    ")
	if err != nil {
		return crash(err.Error())
	}
	return &reply{status: status, kind: kind, body: body}
}

// object is an answer of MAAS in JSON.
func object(status int, v any) *reply { return jsonReply(status, "application/json; charset=utf-8", v) }

// fieldErrors are the complaints about a form, by field.
type fieldErrors map[string][]string

func (e fieldErrors) add(field, format string, args ...any) {
	e[field] = append(e[field], fmt.Sprintf(format, args...))
}

func (e fieldErrors) reply() *reply { return jsonReply(http.StatusBadRequest, "application/json", e) }

// nginx is a page that the server in front makes by itself.
func nginx(status int, reason string) *reply {
	title := strconv.Itoa(status) + " " + reason
	page := "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
		"</h1></center>\r\n<hr><center>nginx/1.18.0 (Ubuntu)</center>\r\n</body>\r\n</html>\r\n"
	return &reply{status: status, kind: "text/html", body: []byte(page)}
}

// retryAfter tells to come again, in whole seconds.
func (p *reply) retryAfter(d time.Duration) *reply {
	return p.with("Retry-After", strconv.Itoa(int(d.Seconds())))
}

func (p *reply) send(w http.ResponseWriter) {
	if p.abort {
		panic(http.ErrAbortHandler)
	}
	for name, value := range p.header {
		w.Header().Set(name, value)
	}
	if p.kind != "" {
		w.Header().Set("Content-Type", p.kind)
	}
	w.WriteHeader(p.status)
	//nolint:gosec,errcheck // G705: no page for a browser; a client that is gone is no error here.
	w.Write(p.body)
}
