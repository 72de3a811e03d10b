package regiontest

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Request is one that the region has had. It holds no header and no body.
type Request struct {
	Time   time.Time
	Region int    // which controller, from 0
	Conn   string // the client's end of the connection
	Method string
	Path   string
	Op     string // the op of the query
	Body   int64  // bytes of the body that came
	Status int    // 0 where no reply was sent
	Fault  string // what was made to go wrong
	Reason string // the reply's first line, where it is no success
	Chunk  *Chunk // what of a file it carried
}

// Chunk is a piece of a file.
type Chunk struct {
	Resource, File int
	// Offset is how many bytes the region counted before, Length how many
	// came, and Stored how many it counts since.
	Offset, Length, Stored int64
}

// String is a line of a log.
func (q Request) String() string {
	s := fmt.Sprintf("%s %s", q.Method, q.Path)
	if q.Op != "" {
		s += "?op=" + q.Op
	}
	s += fmt.Sprintf(" -> %d, %d bytes", q.Status, q.Body)
	if q.Chunk != nil {
		s += fmt.Sprintf(" at %d, stored %d", q.Chunk.Offset, q.Chunk.Stored)
	}
	if q.Fault != "" {
		s += ", fault: " + q.Fault
	}
	if q.Reason != "" {
		s += ": " + q.Reason
	}
	return s
}

// Requests are all requests until now, in the order in which they ended.
func (r *Region) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// Traffic sums up what a resource's uploads have cost.
type Traffic struct {
	Requests int   // PUTs
	Sent     int64 // bytes that came, in whole or cut requests
	Stored   int64 // bytes that the regions took
}

// Traffic of a resource. A client that never sends what the region has stored
// ends with Stored equal to the size of the file, and with Sent above it by
// no more than what was refused or cut.
func (r *Region) Traffic(resource int) Traffic {
	var t Traffic
	for _, q := range r.Requests() {
		if q.Method != "PUT" || !pathOf(resource, q.Path) {
			continue
		}
		t.Requests++
		t.Sent += q.Body
		if q.Chunk != nil {
			t.Stored += q.Chunk.Stored
		}
	}
	return t
}

func pathOf(resource int, path string) bool {
	m := at(`boot-resources/(\d+)/upload/\d+/`).FindStringSubmatch(path)
	return m != nil && m[1] == strconv.Itoa(resource)
}
