package image

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strconv"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	registryimage "github.com/hashicorp/packer-plugin-sdk/packer/registry/image"

	"github.com/packer-maas/packer-plugin-maas/internal/pack"
	"github.com/packer-maas/packer-plugin-maas/internal/region"
)

// builderID is the id of this post-processor's artifacts.
const builderID = "packer-maas.post-processor.image"

// artifact is an image on this machine and, if it was uploaded, in a region.
type artifact struct {
	path     string
	filetype string
	ready    bool // it was there before, and is not ours to delete
	result   pack.Result
	beside   []string // what was written about it

	region   string // the region's address; "" if it was not uploaded
	resource region.Resource

	// generated is the builder's generated data, copied because Packer closes
	// the way to the builder's artifact when PostProcess returns.
	generated any
}

var _ packersdk.Artifact = (*artifact)(nil)

func (*artifact) BuilderId() string { return builderID }

// Files are the image, its checksum, if it was made here, and what was written
// about it.
func (a *artifact) Files() []string {
	files := []string{a.path}
	if !a.ready {
		files = append(files, a.path+".sha256")
	}
	return append(files, a.beside...)
}

// Id is the region's number for the image or, of one that was not uploaded,
// its checksum.
func (a *artifact) Id() string { //nolint:revive,staticcheck // the interface's name
	if a.region != "" {
		return strconv.Itoa(a.resource.ID)
	}
	return "sha256:" + a.result.SHA256
}

func (a *artifact) String() string {
	text := fmt.Sprintf("MAAS image %s (%s)", a.path, a.filetype)
	if !a.ready {
		text = fmt.Sprintf("MAAS image %s (%s, %s): %s", a.path, a.filetype, a.result.System, a.result.Summary)
	}
	if a.region != "" {
		text += fmt.Sprintf("; resource %d, %s, of %s", a.resource.ID, a.resource.Name, a.region)
	}
	return text
}

// State answers what Packer and later post-processors ask for.
func (a *artifact) State(name string) any {
	switch name {
	case "generated_data":
		return a.generated
	case registryimage.ArtifactStateURI:
		return a.metadata()
	}
	return nil
}

// metadata is what the HCP Packer registry keeps of the image.
func (a *artifact) metadata() any {
	labels := map[string]any{
		"filetype": a.filetype, "path": a.path, "sha256": a.result.SHA256, "system": a.result.System,
		"os": a.result.Release["ID"], "os_version": a.result.Release["VERSION_ID"],
	}
	place := "local"
	if a.region != "" {
		place = a.region
		labels["name"], labels["architecture"] = a.resource.Name, a.resource.Architecture
	}
	maps.DeleteFunc(labels, func(_ string, v any) bool { return v == "" })
	img, err := registryimage.FromArtifact(a,
		registryimage.WithProvider("maas"), registryimage.WithRegion(place), registryimage.SetLabels(labels))
	if err != nil {
		return nil
	}
	return img
}

// Destroy removes the image and its checksum, if they were made here. What is
// in the region stays: machines may be deployed with it by now.
func (a *artifact) Destroy() error {
	if a.ready {
		return nil
	}
	var errs []error
	for _, file := range a.Files() {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
