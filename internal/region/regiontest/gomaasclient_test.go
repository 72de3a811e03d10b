package regiontest

import (
	"testing"

	"github.com/canonical/gomaasclient/client"
	"github.com/canonical/gomaasclient/entity"
)

// TestGomaasclient lets a client that knows real regions talk to this one.
func TestGomaasclient(t *testing.T) {
	every(t, func(t *testing.T, version string) {
		p := newPerson(t, Options{Version: version})
		data := image(1000, 60)
		f := fields("mine", data)
		f["title"] = "My own"
		s, file := p.announce(f)
		p.sendAll(file.URI, data, 300)

		c, err := client.GetClient(p.r.URL, AdminKey, "2.0")
		if err != nil {
			t.Fatal(err)
		}
		if v, err := c.Version.Get(); err != nil || v.Version != version || len(v.Capabilities) != 9 {
			t.Errorf("version %+v, %v", v, err)
		}
		list, err := c.BootResources.Get(&entity.BootResourcesReadParams{})
		if err != nil || len(list) != 3 || list[2].Name != "mine" || list[2].Type != "Uploaded" {
			t.Errorf("list %+v, %v", list, err)
		}
		res, err := c.BootResource.Get(s.ID)
		if err != nil {
			t.Fatal(err)
		}
		if res.Title != "My own" || res.BaseImage != "ubuntu/noble" || res.Subarches != "generic" || len(res.Sets) != 1 {
			t.Errorf("resource %+v", res)
		}
		for _, set := range res.Sets {
			if got := set.Files[file.Name]; !set.Complete || got.SHA256 != sumOf(data) || got.Size != 1000 || set.Label != "uploaded" {
				t.Errorf("set %+v", set)
			}
		}
		if importing, err := c.BootResources.IsImporting(); importing || err != nil {
			t.Errorf("importing %v, %v", importing, err)
		}
		if err := c.BootResource.Delete(s.ID); err != nil {
			t.Error(err)
		}
		if _, err := c.BootResource.Get(s.ID); err == nil {
			t.Error("still there")
		}
	})
}
