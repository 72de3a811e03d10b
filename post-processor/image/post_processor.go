// Package image is the post-processor `maas-image`: it packs the disk that a
// builder made as an image that MAAS can deploy, and uploads it.
package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hcldec"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-maas/packer-plugin-maas/internal/image"
	"github.com/packer-maas/packer-plugin-maas/internal/pack"
)

// PostProcessor is `maas-image`.
type PostProcessor struct {
	config Config
}

var _ packersdk.PostProcessor = (*PostProcessor)(nil)

// ConfigSpec describes the options to Packer.
func (p *PostProcessor) ConfigSpec() hcldec.ObjectSpec { return p.config.FlatMapstructure().HCL2Spec() }

// Configure reads the options. Packer calls it twice: before the build, and
// again right before PostProcess.
func (p *PostProcessor) Configure(raws ...any) error {
	p.config = Config{}
	return p.config.decode(raws)
}

// PostProcess packs the image and uploads it. The builder's artifact is not
// kept unless the user says keep_input_artifact.
func (p *PostProcessor) PostProcess(ctx context.Context, ui packersdk.Ui, input packersdk.Artifact) (_ packersdk.Artifact, keep, force bool, err error) {
	a := &artifact{filetype: p.config.Filetype}
	if input != nil {
		a.generated = input.State("generated_data")
	}
	refused := p.config.askRegion(ctx, ui)
	if refused != nil && p.config.losesNothing() {
		return nil, false, false, refused
	}
	if p.config.Image != "" {
		err = p.config.takeReady(ctx, a)
	} else {
		err = p.config.pack(ctx, ui, input, a)
	}
	if err != nil {
		return nil, false, false, err
	}
	if err := p.config.examine(ctx, ui, a); err != nil {
		return nil, false, false, errors.Join(refused, err)
	}
	if err := p.config.upload(ctx, ui, a, refused); err != nil {
		return nil, false, false, err
	}
	return a, false, false, nil
}

// losesNothing says whether an error now costs no build: Packer deletes the
// builder's artifact with it.
func (c *Config) losesNothing() bool { return c.Image != "" || c.Input != "" }

// askRegion asks the region what it would make of the image, before anything
// heavy is done.
func (c *Config) askRegion(ctx context.Context, ui packersdk.Ui) error {
	if c.Upload == nil || c.Upload.Skipped() {
		return nil
	}
	err := c.Upload.ask(ctx, ui, c.Upload.image(c.Filetype, "", ""))
	if err != nil && !c.losesNothing() {
		ui.Error(fmt.Sprintf("MAAS cannot take the image now; it is packed all the same, so that the build is not lost: %s", err))
	}
	return err
}

// takeReady takes an image that was made earlier.
func (c *Config) takeReady(ctx context.Context, a *artifact) error {
	info, err := os.Stat(c.Image)
	if err != nil {
		return err
	}
	if err := matchesFiletype(c.Image, c.Filetype); err != nil {
		return err
	}
	for _, path := range beside(c.Image) {
		if pack.Replaces(path, []string{c.Image}) != "" {
			return fmt.Errorf("image = %q leads to %s, where a file about it goes: name the image itself", c.Image, path)
		}
	}
	a.path, a.ready = c.Image, true
	a.result.Size = info.Size()
	a.result.SHA256, err = image.Digest(ctx, c.Image)
	return err
}

// pack makes the image.
func (c *Config) pack(ctx context.Context, ui packersdk.Ui, input packersdk.Artifact, a *artifact) error {
	source, err := c.source(input)
	if err != nil {
		return err
	}
	if image.IsDisk(c.Filetype) && len(source.more) > 0 {
		ui.Say(fmt.Sprintf("Whole-disk images are one disk: of the builder's %d, this one has the first, %s", len(source.more)+1, source.path))
		source.more = nil
	}
	job := c.job(source)
	if dir := source.deletedWith(job.Output); dir != "" {
		// An error here would delete the build as well.
		job.Output = filepath.Join(filepath.Dir(dir), filepath.Base(job.Output))
		ui.Error(fmt.Sprintf("output = %q is inside the builder's folder, which Packer deletes; the image goes to %s", c.Output, job.Output))
	}
	job.Beside = beside(job.Output)
	if err := os.MkdirAll(filepath.Dir(job.Output), 0o755); err != nil {
		return fmt.Errorf("create the folder of %s: %w", job.Output, err)
	}
	ui.Say(fmt.Sprintf("Packing %s as %s", strings.Join(append([]string{job.Disk}, job.MoreDisks...), ", "), job.Output))
	report := newReporter(ui, "Packing "+filepath.Base(job.Output))
	a.result, err = pack.Run(ctx, job, report)
	err = errors.Join(err, report.close())
	if err != nil {
		return err
	}
	a.path = job.Output
	ui.Say(fmt.Sprintf("Packed in %s.", a.result.Elapsed.Round(100*time.Millisecond)))
	return nil
}

// upload sends the image to the region, unless it was refused before.
func (c *Config) upload(ctx context.Context, ui packersdk.Ui, a *artifact, refused error) error {
	u := c.Upload
	if u == nil {
		return nil
	}
	if u.Skipped() {
		ui.Say("Not uploaded: no MAAS region is configured.")
		return nil
	}
	if err := u.fill(a.result.Release); err != nil {
		return errors.Join(refused, fmt.Errorf("%w\nThe image is complete in %s; the option image sends it under another name", err, a.path))
	}
	err := refused
	if err == nil {
		err = c.sendTo(ctx, ui, a)
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("upload %s to MAAS: %w\nThe image is complete in %s", u.Name, err, a.path)
	command, failed := u.again(a.path, a.filetype, nil)
	if failed != nil {
		return errors.Join(err, failed)
	}
	return fmt.Errorf("%w. To send it without building again, with the key in MAAS_API_KEY:\n  %s", err, command)
}

func (c *Config) sendTo(ctx context.Context, ui packersdk.Ui, a *artifact) error {
	u := c.Upload
	image := u.image(a.filetype, a.result.Release["ID"], a.result.SHA256)
	if err := u.ask(ctx, ui, image); err != nil {
		return err
	}
	resource, err := u.send(ctx, ui, image, a.path)
	if err != nil {
		return err
	}
	a.region, a.resource = u.URL, resource
	ui.Say(fmt.Sprintf("In MAAS now: %s (%s), resource %d of %s", resource.Name, resource.Architecture, resource.ID, u.URL))
	return nil
}
