package regiontest

import (
	"fmt"
	"slices"
	"strings"
)

// apiPath is below what the API lives.
const apiPath = "/MAAS/api/2.0/"

// render writes a resource as the API shows it, in lists without its sets.
func (r *Region) render(res *resource, withSets bool) map[string]any {
	kind := "Uploaded"
	if res.synced {
		kind = "Synced"
	}
	shown := map[string]any{
		"id": res.id, "type": kind, "name": res.name, "architecture": res.arch,
		"resource_uri":  fmt.Sprintf("%sboot-resources/%d/", apiPath, res.id),
		"last_deployed": nil, "subarches": res.subarches,
	}
	if res.kernel != "" {
		shown["kflavor"] = res.kernel
	}
	if res.titled {
		shown["title"] = res.title
	}
	if res.base != "" {
		shown["base_image"] = res.base
	}
	if withSets {
		sets := map[string]any{}
		for _, s := range res.sets {
			sets[s.version] = r.renderSet(res, s)
		}
		shown["sets"] = sets
	}
	return shown
}

func (r *Region) renderSet(res *resource, s *imageSet) map[string]any {
	files := map[string]any{}
	for _, f := range s.files {
		shown := map[string]any{
			"filename": f.name, "filetype": f.kind, "sha256": f.sha256, "size": f.size, "complete": f.complete(),
		}
		if r.behaves.storage() != largeObjects {
			shown["filename_on_disk"] = f.disk
		}
		if !f.complete() {
			shown["progress"] = f.progress()
			shown["upload_uri"] = fmt.Sprintf("%sboot-resources/%d/upload/%d/", apiPath, res.id, f.id)
		}
		files[f.name] = shown
	}
	shown := map[string]any{
		"version": s.version, "label": s.label, "size": s.size(), "complete": s.complete(), "files": files,
	}
	if !s.complete() {
		shown["progress"] = s.progress()
	}
	return shown
}

// list answers for all resources of a type.
func (r *Region) list(kind string) *reply {
	shown := []*resource{}
	for _, res := range r.resources {
		if kind == "all" || kind == "synced" && res.synced || kind == "uploaded" && !res.synced {
			shown = append(shown, res)
		}
	}
	if !slices.Contains([]string{"all", "synced", "uploaded"}, kind) {
		return text(400, fmt.Sprintf("'%s' is not a valid boot resource type. Available types: ['synced', 'uploaded']", kind))
	}
	slices.SortStableFunc(shown, func(a, b *resource) int {
		if a.synced != b.synced {
			if a.synced {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name+" "+a.arch, b.name+" "+b.arch)
	})
	list := make([]map[string]any, len(shown))
	for i, res := range shown {
		list[i] = r.render(res, false)
	}
	return object(200, list)
}
