package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-maas/packer-plugin-maas/internal/check"
	"github.com/packer-maas/packer-plugin-maas/internal/facts"
	"github.com/packer-maas/packer-plugin-maas/internal/image"
	"github.com/packer-maas/packer-plugin-maas/internal/sbom"
	"github.com/packer-maas/packer-plugin-maas/version"
)

// What the option checks may be.
const (
	checksOn   = "on"
	checksWarn = "warn"
	checksOff  = "off"
)

// Endings of the files beside an image.
const (
	reportEnding   = ".checks.json"
	packagesEnding = ".packages"
	sbomEnding     = ".sbom.cdx.json"
)

// beside are all files that may be written about an image, but for its checksum.
func beside(image string) []string {
	return []string{image + reportEnding, image + packagesEnding, image + sbomEnding, image + againEnding}
}

// checkChecks says what is wrong with the options about checks.
func (c *Config) checkChecks() error {
	if c.Checks == "" {
		c.Checks = checksOn
	}
	if !isUnknown(c.Checks) && !slices.Contains([]string{checksOn, checksWarn, checksOff}, c.Checks) {
		return fmt.Errorf("checks = %q is none of on, warn and off", c.Checks)
	}
	unknown := slices.DeleteFunc(check.Unknown(c.IgnoreChecks), isUnknown)
	if len(unknown) > 0 {
		return fmt.Errorf("ignore_checks: no check is called %q; there are %s", unknown, strings.Join(check.Names(), ", "))
	}
	return nil
}

// looks says whether the image's content is looked at.
func (c *Config) looks() bool { return c.Checks != checksOff }

// examine checks the image, and puts beside it what was found and which
// packages are in it.
func (c *Config) examine(ctx context.Context, ui packersdk.Ui, a *artifact) error {
	if !c.looks() {
		return nil
	}
	if a.ready {
		ui.Say("Looking into " + a.path)
		seen, err := facts.ReadImage(ctx, a.path, a.filetype)
		if err != nil {
			return fmt.Errorf("look into %s: %w", a.path, err)
		}
		a.result.Facts = seen
		if seen.Tree != nil {
			a.result.System, a.result.Release = seen.Tree.Release["PRETTY_NAME"], seen.Tree.Release
		}
	}
	results := check.Run(a.result.Facts, c.target(), c.IgnoreChecks)
	if err := a.writeBeside(results); err != nil {
		if !a.ready {
			return err
		}
		// It may be where nothing can be written.
		ui.Error("What was found is not kept: " + err.Error())
	}
	show(ui, results, a.path+reportEnding)
	failed := check.Failures(results, check.Error)
	if len(failed) == 0 || c.Checks == checksWarn {
		return nil
	}
	return c.refuse(a, failed)
}

// target is what the image is to be in MAAS, as far as the options say.
func (c *Config) target() check.Target {
	t := check.Target{Filetype: c.Filetype, InMemory: c.InMemory}
	if c.Upload == nil {
		return t
	}
	t.BaseImage = c.Upload.BaseImage
	t.Architecture, _, _ = strings.Cut(c.Upload.Architecture, "/")
	t.System = "custom"
	if system, _, ok := strings.Cut(c.Upload.Name, "/"); ok {
		t.System = system
	}
	return t
}

// show tells a person what came out, errors first.
func show(ui packersdk.Ui, results []check.Result, report string) {
	failed, warned := check.Failures(results, check.Error), check.Failures(results, check.Warning)
	line := fmt.Sprintf("Checks: %d passed, %s, %s", check.Count(results, check.Passed), counted(len(failed), "error"), counted(len(warned), "warning"))
	if n := check.Count(results, check.Ignored); n > 0 {
		line += fmt.Sprintf(", %d ignored", n)
	}
	ui.Say(line + " (" + filepath.Base(report) + ")")
	for _, r := range failed {
		ui.Error("  ERROR    " + r.String())
	}
	for _, r := range warned {
		ui.Say("  warning  " + r.String())
	}
}

// counted is a number of things in words.
func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// refuse is the error of an image that fails checks. It is complete, and stays:
// Packer deletes the disk that it was made of.
func (c *Config) refuse(a *artifact, failed []check.Result) error {
	var names []string
	for _, r := range failed {
		names = append(names, r.Check)
	}
	if slices.Contains(names, "whole") {
		return fmt.Errorf("%s was not uploaded: %s", a.path, failed[slices.Index(names, "whole")])
	}
	where := fmt.Sprintf("It is complete in %s, and was not uploaded", a.path)
	if a.ready {
		where = a.path + " was not uploaded"
	}
	quoted := strconv.Quote(strings.Join(names, `", "`))
	quoted = strings.ReplaceAll(quoted, `\"`, `"`)
	err := fmt.Errorf("the image fails checks: %s. %s; %s says all about it. If it is meant so: ignore_checks = [%s]",
		strings.Join(names, ", "), where, a.path+reportEnding, quoted)
	if c.Upload == nil || c.Upload.Skipped() || isTemplate(c.Upload.Name) || isTemplate(c.Upload.Title) {
		return err
	}
	command, writing := c.Upload.again(a.path, a.filetype, append(slices.Clone(c.IgnoreChecks), names...))
	if writing != nil {
		return errors.Join(err, writing)
	}
	return fmt.Errorf("%w. To send it all the same, without building again, with the key in MAAS_API_KEY:\n  %s", err, command)
}

// writeBeside writes the report, and the packages if there are any.
func (a *artifact) writeBeside(results []check.Result) error {
	base := filepath.Base(a.path)
	report := check.Report{
		Image: base, SHA256: a.result.SHA256, Size: a.result.Size, Filetype: a.filetype, System: a.result.System,
		Results: results, Notes: a.result.Facts.Notes(),
	}
	content, err := report.JSON()
	if err != nil {
		return err
	}
	if err := a.put(reportEnding, content); err != nil {
		return err
	}
	t := a.result.Facts.Tree
	if t == nil || len(t.Packages.List) == 0 {
		return a.removeOld(packagesEnding, sbomEnding)
	}
	if err := a.put(packagesEnding, []byte(strings.Join(t.Packages.Lines(), "\n")+"\n")); err != nil {
		return err
	}
	content, err = sbom.CycloneDX(sbom.Image{
		Name: base, SHA256: a.result.SHA256, Release: t.Release, Time: sourceDate(), Tool: "packer-plugin-maas", Version: version.Version,
	}, t.Packages)
	if err != nil {
		return err
	}
	return a.put(sbomEnding, content)
}

// put writes a file beside the image.
func (a *artifact) put(ending string, content []byte) error {
	if err := image.WriteBeside(a.path+ending, content); err != nil {
		return err
	}
	a.beside = append(a.beside, a.path+ending)
	return nil
}

// removeOld removes files of an image that was here before.
func (a *artifact) removeOld(endings ...string) error {
	var errs []error
	for _, ending := range endings {
		if err := os.Remove(a.path + ending); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// sourceDate is SOURCE_DATE_EPOCH, as a time; zero if it is not set.
func sourceDate() time.Time {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
