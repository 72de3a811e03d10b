//go:generate go tool packer-sdc struct-markdown

package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-maas/packer-plugin-maas/internal/connection"
	"github.com/packer-maas/packer-plugin-maas/internal/region"
)

// Upload holds the options of an `upload` block, which sends the image to a
// MAAS region.
type Upload struct {
	connection.Config `mapstructure:",squash"`

	// The image's name in MAAS: a bare name such as `debian12`, or the name of
	// a system that MAAS knows with a release: `rhel/9.4`, `ol/9.4`,
	// `windows/win2022`, `esxi/8.0`. `{{ .ID }}`, `{{ .VersionID }}` and
	// `{{ .VersionCodename }}` stand for what the image's os-release says, so
	// that `ol/{{ .VersionID }}` becomes `ol/9.4`.
	Name string `mapstructure:"name" required:"true"`
	// What MAAS's pages show. The default is MAAS's own title for the name. It
	// knows the same templates as `name`.
	Title string `mapstructure:"title" required:"false"`
	// The machines that the image is for. The default is `amd64/generic`.
	Architecture string `mapstructure:"architecture" required:"false"`
	// For a bare name, the system that the image is made like, such as
	// `ubuntu/noble` or `rhel/9`. It chooses the Ubuntu that deploys the
	// image, and how MAAS writes its network settings. MAAS keeps the one
	// that an image had when it first got its name.
	BaseImage string `mapstructure:"base_image" required:"false"`
	// How much is sent at a time, in MiB, from 1 to 10. The default is 4.
	ChunkSize int `mapstructure:"chunk_size" required:"false"`
	// How long the region may be out of reach, or refuse for a while, before
	// the upload fails, such as `"10m"`, the default.
	Patience time.Duration `mapstructure:"patience" required:"false"`
	// Do not wait until every region controller has the image. Machines can
	// be deployed with it only then.
	NoWait bool `mapstructure:"no_wait" required:"false"`
	// How long to wait for that, such as `"1h"`, the default.
	WaitTimeout time.Duration `mapstructure:"wait_timeout" required:"false"`

	warned []string // what the user was told of
}

// check says what is wrong with the options, as far as that can be known
// without the region.
func (u *Upload) check(filetype string) error {
	if u.Architecture == "" {
		u.Architecture = "amd64/generic"
	}
	var errs *packersdk.MultiError
	if err := u.Prepare(); err != nil {
		errs = packersdk.MultiErrorAppend(errs, fmt.Errorf("upload: %w", err))
	} else if u.APIKey == "" && !u.Skipped() {
		errs = packersdk.MultiErrorAppend(errs, errors.New("upload: api_key is not set, nor is MAAS_API_KEY; an upload needs an administrator's key"))
	}
	for option, d := range map[string]time.Duration{"patience": u.Patience, "wait_timeout": u.WaitTimeout} {
		if d < 0 {
			errs = packersdk.MultiErrorAppend(errs, fmt.Errorf("upload: %s = %q is negative", option, d))
		}
	}
	if u.Name == "" {
		errs = packersdk.MultiErrorAppend(errs, errors.New("upload: name is not set; MAAS needs a name for the image"))
	}
	if err := u.checkTemplates(); err != nil {
		errs = packersdk.MultiErrorAppend(errs, err)
	}
	if u.ChunkSize < 0 || u.ChunkSize > region.MaxChunkSize>>20 {
		errs = packersdk.MultiErrorAppend(errs, fmt.Errorf("upload: chunk_size = %d is not between 1 and %d (MiB)", u.ChunkSize, region.MaxChunkSize>>20))
	}
	if u.Name != "" {
		for _, problem := range region.Errors(region.PlanFor(u.image(filetype, "", ""), region.Version{}).Problems) {
			errs = packersdk.MultiErrorAppend(errs, fmt.Errorf("upload: %s", problem))
		}
	}
	if errs != nil {
		return errs
	}
	return nil
}

// image is what the region is to have.
func (u *Upload) image(filetype, system, sha256 string) region.Image {
	return region.Image{
		Name: before(u.Name), Title: before(u.Title), Architecture: u.Architecture, BaseImage: u.BaseImage,
		Filetype: filetype, System: system, SHA256: sha256,
	}
}

// ask says what the region would make of the image: warnings are shown, each
// once, and errors returned.
func (u *Upload) ask(ctx context.Context, ui packersdk.Ui, image region.Image) error {
	client, err := u.Client(0)
	if err != nil {
		return err
	}
	defer client.Close()
	plan, err := client.Check(ctx, image)
	if err != nil {
		return err
	}
	var errs []error
	for _, problem := range plan.Problems {
		text := problem.String()
		switch {
		case problem.Severity == region.Error:
			errs = append(errs, errors.New(text))
		case !slices.Contains(u.warned, text):
			u.warned = append(u.warned, text)
			ui.Say("Note: " + text)
		}
	}
	return errors.Join(errs...)
}

// send uploads the image in the file path.
func (u *Upload) send(ctx context.Context, ui packersdk.Ui, image region.Image, path string) (_ region.Resource, err error) {
	file, err := os.Open(path)
	if err != nil {
		return region.Resource{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return region.Resource{}, err
	}
	client, err := u.Client(0)
	if err != nil {
		return region.Resource{}, err
	}
	defer client.Close()
	report := newReporter(ui, "Uploading "+u.Name)
	defer func() { err = errors.Join(err, report.close()) }()
	return client.Upload(ctx, image, file, info.Size(), region.Options{
		ChunkSize: int64(u.ChunkSize) << 20, Patience: u.Patience, NoWait: u.NoWait, WaitLimit: u.WaitTimeout, Report: report,
	})
}
