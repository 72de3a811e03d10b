package regiontest

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// call is a request that has come in whole, at one of the regions.
type call struct {
	req    *http.Request
	path   string
	body   []byte
	region int
	effect effect
	entry  *Request
}

// endpoint is what answers for a path.
type endpoint struct {
	path      *regexp.Regexp
	anonymous bool
	methods   map[string]func(*Region, call, []int) *reply
}

func at(pattern string) *regexp.Regexp { return regexp.MustCompile("^" + apiPath + pattern + "$") }

var endpoints = []endpoint{
	{at(`version/`), true, map[string]func(*Region, call, []int) *reply{"GET": (*Region).tellVersion}},
	{at(`describe/`), true, map[string]func(*Region, call, []int) *reply{"GET": (*Region).describe}},
	{at(`regioncontrollers/`), false, map[string]func(*Region, call, []int) *reply{"GET": (*Region).controllers}},
	{at(`users/`), false, map[string]func(*Region, call, []int) *reply{"GET": (*Region).users}},
	{at(`boot-resources/`), false, map[string]func(*Region, call, []int) *reply{
		"GET": (*Region).listResources, "POST": (*Region).postResources,
	}},
	{at(`boot-resources/(\d+)/`), false, map[string]func(*Region, call, []int) *reply{
		"GET": (*Region).getResource, "DELETE": (*Region).deleteResource,
	}},
	{at(`boot-resources/(\d+)/upload/(\d+)/`), false, map[string]func(*Region, call, []int) *reply{
		"PUT": (*Region).putFile,
	}},
}

// answer finds what a request is about, asks who it is, and does it. The
// region is locked.
func (r *Region) answer(c call) *reply {
	for _, e := range endpoints {
		m := e.path.FindStringSubmatch(c.path)
		if m == nil {
			continue
		}
		if !e.anonymous {
			k, refused := r.authenticate(c.req, r.options.Clock().Add(c.effect.clock))
			if refused != nil {
				return refused
			}
			if !k.admin && c.req.Method != http.MethodGet {
				return text(http.StatusForbidden, "This method is reserved for admin users.")
			}
		}
		method := e.methods[c.req.Method]
		if method == nil {
			return unrecognised(c.req.Method, c.req.URL.Query().Get("op"))
		}
		var ids []int
		for _, digits := range m[1:] {
			// A number too big for an id is none that exists.
			id, err := strconv.Atoi(digits)
			if err != nil {
				return missing("BootResource")
			}
			ids = append(ids, id)
		}
		return method(r, c, ids).with("X-MAAS-API-Hash", r.apiHash())
	}
	return text(http.StatusNotFound, "Unknown API endpoint: "+c.path+".")
}

func unrecognised(method, op string) *reply {
	if op == "" {
		op = "None"
	}
	return text(http.StatusBadRequest, fmt.Sprintf("Unrecognised signature: method=%s op=%s", method, op))
}

// capabilities are the same in all versions.
var capabilities = []string{
	"networks-management", "static-ipaddresses", "ipv6-deployment-ubuntu", "devices-management",
	"storage-deployment-ubuntu", "network-deployment-ubuntu", "bridging-interface-ubuntu",
	"bridging-automatic-ubuntu", "authenticate-api",
}

func (r *Region) tellVersion(call, []int) *reply {
	return object(200, map[string]any{"capabilities": capabilities, "version": r.options.Version, "subversion": ""})
}

func (r *Region) controllers(call, []int) *reply {
	list := make([]map[string]any, len(r.disks))
	for i := range list {
		id := regionID(i)
		list[i] = map[string]any{
			"system_id": id, "hostname": "region-" + strconv.Itoa(i+1), "fqdn": "region-" + strconv.Itoa(i+1) + ".maas",
			"node_type": 3, "node_type_name": "Region controller", "version": r.options.Version,
			"resource_uri": apiPath + "regioncontrollers/" + id + "/",
		}
	}
	return object(200, list)
}

func regionID(i int) string { return fmt.Sprintf("reg%03d", i+1) }

// users knows the one question that clients ask to see if a key is good.
func (r *Region) users(c call, _ []int) *reply {
	if op := c.req.URL.Query().Get("op"); op != "whoami" {
		return unrecognised(c.req.Method, op)
	}
	k, _ := oauthHeader(c.req.Header.Get("Authorization"))
	i := slices.IndexFunc(r.keys, func(known key) bool { return known.token == k["oauth_token"] })
	return object(200, map[string]any{
		"username": []string{"admin", "user"}[max(i, 0)], "email": "", "is_superuser": i == 0, "is_local": true,
		"resource_uri": apiPath + "users/" + []string{"admin", "user"}[max(i, 0)] + "/",
	})
}

func (r *Region) listResources(c call, _ []int) *reply {
	query := c.req.URL.Query()
	switch op := query.Get("op"); op {
	case "":
	case "is_importing":
		return object(200, false)
	default:
		return unrecognised("GET", op)
	}
	if !query.Has("type") {
		return r.list("all")
	}
	return r.list(query.Get("type"))
}

func (r *Region) postResources(c call, _ []int) *reply {
	f, refused := readForm(c.req.Header.Get("Content-Type"), c.body)
	if refused != nil {
		return refused
	}
	op := c.req.URL.Query().Get("op")
	if op == "" {
		op = f.fields["op"]
	}
	switch op {
	case "":
		return r.create(c.region, f)
	case "import":
		return text(200, "Import of boot resources started")
	case "stop_import":
		return text(200, "Import of boot resources is being stopped")
	}
	return unrecognised("POST", op)
}

func (r *Region) getResource(_ call, ids []int) *reply {
	res := r.find(ids[0])
	if res == nil {
		return missing("BootResource")
	}
	return object(200, r.render(res, true))
}

func (r *Region) deleteResource(_ call, ids []int) *reply {
	res := r.find(ids[0])
	if res == nil {
		// It is asked for in another way than in GET.
		return crash("BootResource matching query does not exist.")
	}
	var files []*imageFile
	for _, s := range res.sets {
		files = append(files, s.files...)
	}
	r.removeFiles(files)
	r.resources = slices.DeleteFunc(r.resources, func(o *resource) bool { return o == res })
	return &reply{status: http.StatusNoContent}
}

func (r *Region) putFile(c call, ids []int) *reply {
	res := r.find(ids[0])
	if res == nil {
		return missing("BootResource")
	}
	rows := r.rows()
	i := slices.IndexFunc(rows, func(f *imageFile) bool { return f.id == ids[1] })
	if i < 0 {
		return missing("BootResourceFile")
	}
	f := rows[i]
	before := r.has(c.region, f)
	c.entry.Chunk = &Chunk{Resource: res.id, File: f.id, Offset: before, Length: int64(len(c.body))}
	if c.req.ContentLength < 0 {
		// The handler goes by the header, whatever has come.
		return text(http.StatusBadRequest, "Missing data.")
	}
	p := r.upload(c.region, res, f, c.body, c.effect)
	c.entry.Chunk.Stored = r.has(c.region, f) - before
	return p
}

// has is how many bytes of a file a region counts as received.
func (r *Region) has(region int, f *imageFile) int64 {
	if f.large != nil {
		return f.large.data.size
	}
	return f.counts[region]
}

// now is the time on the region's clock.
func (r *Region) now() time.Time { return r.options.Clock() }
