package region

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/canonical/gomaasclient/client"
	"github.com/canonical/gomaasclient/entity"
)

// Info is what a region says of itself to everybody.
type Info struct {
	Version Version
	// Text is the version in the region's own words.
	Text string
	// Capabilities are the same nine words in every MAAS from 3.2 to 3.8; what
	// a region can do follows from its version.
	Capabilities []string
}

// Info asks the region what it is. It needs no key.
func (c *Client) Info(ctx context.Context) (Info, error) {
	answer, err := (&client.Version{APIClient: c.maas(ctx)}).Get()
	if err != nil {
		return Info{}, c.unreachable(plain(err))
	}
	if answer.Version == "None" || answer.Version == "" {
		return Info{}, fmt.Errorf("ask %s for its version: it does not know it yet, because none of its controllers has reported; try again in a minute", c.URL())
	}
	version, err := ParseVersion(answer.Version)
	if err != nil {
		return Info{}, fmt.Errorf("ask %s for its version: %w", c.URL(), err)
	}
	return Info{Version: version, Text: answer.Version, Capabilities: answer.Capabilities}, nil
}

// unreachable says what a failure of the first request probably means.
func (c *Client) unreachable(err error) error {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return fmt.Errorf("the region %s cannot be reached: this machine's DNS does not know its name: %w", c.URL(), err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("the region %s cannot be reached: is the address right, port included, and does MAAS run there? %w", c.URL(), err)
	}
	return fmt.Errorf("ask the region %s for its version: %w", c.URL(), err)
}

// Version asks the region for its version. It needs no key.
func (c *Client) Version(ctx context.Context) (Version, error) {
	info, err := c.Info(ctx)
	return info.Version, err
}

// Resource is a boot resource: a name and architecture with its images.
type Resource struct {
	ID           int            `json:"id"`
	Type         string         `json:"type"` // Synced or Uploaded
	Name         string         `json:"name"`
	Title        string         `json:"title"`
	Architecture string         `json:"architecture"` // amd64/generic
	Subarches    string         `json:"subarches"`    // with commas between
	BaseImage    string         `json:"base_image"`
	URI          string         `json:"resource_uri"`
	Sets         map[string]Set `json:"sets"` // by version; absent in lists
}

// Set is one version of a resource.
type Set struct {
	Version  string          `json:"version"` // YYYYMMDD, or YYYYMMDD.n
	Label    string          `json:"label"`
	Size     int64           `json:"size"`     // bytes
	Complete bool            `json:"complete"` // on every region controller
	Files    map[string]File `json:"files"`    // by file name
}

// File is one file of a set.
type File struct {
	Filename string `json:"filename"`
	Filetype string `json:"filetype"` // MAAS's word for what it stores, such as root-tgz
	SHA256   string `json:"sha256"`
	Size     int64  `json:"size"` // bytes
	Complete bool   `json:"complete"`
	// Progress is what an incomplete file has; see received for what it means.
	Progress float64 `json:"progress"`
	// UploadURI is where an incomplete file's chunks go.
	UploadURI string `json:"upload_uri"`
}

const uploaded = "uploaded"

// IsUploaded says whether a person uploaded the resource, as opposed to MAAS
// having downloaded it.
func (r Resource) IsUploaded() bool { return strings.EqualFold(r.Type, uploaded) }

// Newest is the newest set for which want says yes.
func (r Resource) Newest(want func(Set) bool) (Set, bool) {
	var newest Set
	found := false
	for version, set := range r.Sets {
		set.Version = or(set.Version, version)
		if want(set) && (!found || compareSets(set.Version, newest.Version) > 0) {
			newest, found = set, true
		}
	}
	return newest, found
}

// compareSets orders sets' versions by number: 20261123.10 is newer than
// 20261123.9, although it sorts before it as text.
func compareSets(a, b string) int {
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		return cmp.Or(cmp.Compare(number(x), number(y)), cmp.Compare(x, y))
	})
}

// Resources lists the region's resources, without their sets. gomaasclient's
// filter by type does not reach the region; the caller filters.
func (c *Client) Resources(ctx context.Context) ([]Resource, error) {
	if c.key == (key{}) {
		return nil, fmt.Errorf("list the region's images: %w", errNoKey)
	}
	list, err := (&client.BootResources{APIClient: c.maas(ctx)}).Get(&entity.BootResourcesReadParams{})
	if err != nil {
		return nil, fmt.Errorf("list the region's images: %w", plain(err))
	}
	resources := make([]Resource, 0, len(list))
	for _, r := range list {
		resources = append(resources, Resource{
			ID: r.ID, Type: r.Type, Name: r.Name, Title: r.Title, Architecture: r.Architecture,
			Subarches: r.Subarches, BaseImage: r.BaseImage, URI: r.ResourceURI,
		})
	}
	return resources, nil
}

// Resource reads one resource with its sets and files.
func (c *Client) Resource(ctx context.Context, id int) (Resource, error) {
	var resource Resource
	if err := c.getJSON(ctx, fmt.Sprintf("boot-resources/%d/", id), &resource); err != nil {
		return Resource{}, fmt.Errorf("read image %d: %w", id, err)
	}
	return resource, nil
}

// Delete removes a resource with all its sets. One that is gone already is no
// error.
func (c *Client) Delete(ctx context.Context, id int) error {
	if c.key == (key{}) {
		return fmt.Errorf("delete image %d: %w", id, errNoKey)
	}
	err := plain((&client.BootResource{APIClient: c.maas(ctx)}).Delete(id))
	if isStatus(err, http.StatusInternalServerError) {
		// MAAS answers so for a resource that does not exist.
		if _, gone := c.Resource(ctx, id); gone != nil {
			err = gone
		}
	}
	if err == nil || isStatus(err, http.StatusNotFound) {
		return nil
	}
	return fmt.Errorf("delete image %d: %w", id, err)
}

// isStatus says whether an error is a reply with the status.
func isStatus(err error, status int) bool {
	var refusal *StatusError
	return errors.As(err, &refusal) && refusal.Status == status
}

// Controller is a region controller.
type Controller struct {
	SystemID string `json:"system_id"`
	Hostname string `json:"hostname"`
	Version  string `json:"version"`
}

// Controllers lists the region controllers. Each holds a copy of each image.
func (c *Client) Controllers(ctx context.Context) ([]Controller, error) {
	var controllers []Controller
	if err := c.getJSON(ctx, "regioncontrollers/", &controllers); err != nil {
		return nil, fmt.Errorf("list region controllers: %w", err)
	}
	return controllers, nil
}

// setting reads one of the region's settings that is a text.
func (c *Client) setting(ctx context.Context, name string) (string, error) {
	text, err := (&client.MAASServer{APIClient: c.maas(ctx)}).Get(name)
	if err != nil {
		return "", fmt.Errorf("read setting %s: %w", name, plain(err))
	}
	return strings.Trim(strings.TrimSpace(string(text)), `"`), nil
}
