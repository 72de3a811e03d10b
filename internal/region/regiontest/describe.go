package regiontest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// action is a method of an API resource, as the description has it.
type action struct {
	Name    string  `json:"name"`
	Method  string  `json:"method"`
	Op      *string `json:"op"`
	Restful bool    `json:"restful"`
	Doc     string  `json:"doc"`
}

// described is a resource of the API with its actions, for clients that build
// themselves from it.
type described struct {
	name, path string
	params     []string
	actions    []action
	anonymous  bool
}

func operation(method, name string) action {
	return action{Name: name, Method: method, Op: &name, Doc: name}
}

func crud(method, name string) action {
	return action{Name: name, Method: method, Restful: true, Doc: name}
}

var description = []described{
	{"VersionHandler", "version/", nil, []action{crud("GET", "read")}, true},
	{"UsersHandler", "users/", nil, []action{operation("GET", "whoami")}, false},
	{"RegionControllersHandler", "regioncontrollers/", nil, []action{crud("GET", "read")}, false},
	{"BootResourcesHandler", "boot-resources/", nil, []action{
		crud("GET", "read"), crud("POST", "create"), operation("GET", "is_importing"),
		operation("POST", "import"), operation("POST", "stop_import"),
	}, false},
	{"BootResourceHandler", "boot-resources/{id}/", []string{"id"}, []action{
		crud("GET", "read"), crud("DELETE", "delete"),
	}, false},
	{
		"BootResourceFileUploadHandler", "boot-resources/{resource_id}/upload/{id}/",
		[]string{"resource_id", "id"},
		[]action{crud("PUT", "update")},
		false,
	},
}

// describe tells what the API has, of what is here.
func (r *Region) describe(c call, _ []int) *reply {
	scheme := "http://"
	if c.req.TLS != nil {
		scheme = "https://"
	}
	resources := make([]map[string]any, len(description))
	for i, d := range description {
		params := d.params
		if params == nil {
			params = []string{}
		}
		side := map[string]any{
			"name": d.name, "doc": d.name, "path": apiPath + d.path, "params": params,
			"uri": scheme + c.req.Host + apiPath + d.path, "actions": d.actions,
		}
		resources[i] = map[string]any{"name": d.name, "auth": side, "anon": nil}
		if d.anonymous {
			resources[i]["anon"] = side
		}
	}
	return object(200, map[string]any{"doc": "MAAS API", "hash": r.apiHash(), "resources": resources})
}

// apiHash is of the description: the same for all replies of a version.
func (r *Region) apiHash() string {
	b, err := json.Marshal([]any{r.options.Version, capabilities})
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	// The real one has 40 digits too, of SHA-1.
	return hex.EncodeToString(sum[:20])
}
