package region

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Inventory is what a region has, as far as images are concerned.
type Inventory struct {
	// Resources are all boot resources, without their sets.
	Resources []Resource
	// Ubuntu says for each release that the region can boot machines with, for
	// which architectures (amd64, arm64).
	Ubuntu map[string][]string
	// Architectures are those that the region takes custom images for
	// (amd64/generic), sorted.
	Architectures []string
	// Commissioning is the Ubuntu release that the region takes where an image
	// does not say one; empty if it does not tell.
	Commissioning string
}

// Inventory asks the region what it has. It needs a key, but not an
// administrator's.
func (c *Client) Inventory(ctx context.Context) (Inventory, error) {
	resources, err := c.Resources(ctx)
	if err != nil {
		return Inventory{}, err
	}
	inv := Inventory{Resources: resources, Ubuntu: map[string][]string{}}
	ready := map[string]bool{}
	for _, r := range resources {
		release, isUbuntu := strings.CutPrefix(r.Name, "ubuntu/")
		arch, _, _ := strings.Cut(r.Architecture, "/")
		if r.IsUploaded() || !isUbuntu || slices.Contains(inv.Ubuntu[release], arch) {
			continue
		}
		// The list does not say whether the download has ended.
		if r, err = c.Resource(ctx, r.ID); err != nil {
			return Inventory{}, err
		}
		if !r.boots() {
			continue
		}
		inv.Ubuntu[release] = append(inv.Ubuntu[release], arch)
		for _, sub := range r.generic() {
			ready[arch+"/"+sub] = true
		}
	}
	inv.Architectures = slices.Sorted(maps.Keys(ready))
	for _, archs := range inv.Ubuntu {
		slices.Sort(archs)
	}
	inv.Commissioning, err = c.setting(ctx, "commissioning_distro_series")
	var refusal *StatusError
	if errors.As(err, &refusal) { // not everybody may ask
		inv.Commissioning, err = "", nil
	}
	return inv, err
}

// boots says whether machines can be booted with the resource: kernel, initrd
// and root file system are there, on every region controller.
func (r Resource) boots() bool {
	_, found := r.Newest(func(s Set) bool {
		has := map[string]bool{}
		for _, f := range s.Files {
			has[f.Filetype] = true
		}
		return s.Complete && has["boot-kernel"] && has["boot-initrd"] && (has["squashfs"] || has["root-image.gz"])
	})
	return found
}

// generic are the resource's sub-architectures that are no kernel's.
func (r Resource) generic() []string {
	_, own, _ := strings.Cut(r.Architecture, "/")
	subs := append(strings.Split(r.Subarches, ","), own)
	return slices.DeleteFunc(subs, func(s string) bool {
		return s == "" || strings.HasPrefix(s, "ga-") || strings.HasPrefix(s, "hwe-")
	})
}

// Check says what the region would make of an image: by its version, and by
// what it has. It changes nothing and sends nothing heavy.
func (c *Client) Check(ctx context.Context, image Image) (Plan, error) {
	version, err := c.Version(ctx)
	if err != nil {
		return Plan{}, err
	}
	inv, err := c.Inventory(ctx)
	if err != nil {
		return Plan{}, err
	}
	plan := PlanFor(image, version)
	plan.Problems = append(plan.Problems, inv.problems(plan, version)...)
	slices.SortStableFunc(plan.Problems, func(a, b Problem) int { return int(b.Severity) - int(a.Severity) })
	return plan, nil
}

// problems are those of an image that follow from what the region has.
func (inv Inventory) problems(plan Plan, version Version) []Problem {
	var problems []Problem
	add := func(name string, severity Severity, fact, format string, args ...any) {
		problems = append(problems, Problem{name, severity, fmt.Sprintf(format, args...), fact})
	}
	image := plan.Image
	if !slices.Contains(inv.Architectures, image.Architecture) && image.Architecture != "" {
		add("region-architecture", Error,
			"MAAS takes architectures that it can commission machines of",
			"architecture = %q: the region has Ubuntu images for %s; let it download one for this architecture first", image.Architecture, listed(inv.Architectures))
	}
	arch, _, _ := strings.Cut(image.Architecture, "/")
	ubuntu := plan.Ubuntu
	if ubuntu == "" {
		ubuntu = inv.Commissioning
	}
	if ubuntu != "" && image.Architecture != "" && !slices.Contains(inv.Ubuntu[ubuntu], arch) {
		add("region-ubuntu", Error,
			"MAAS boots the Ubuntu release of the base image, else its commissioning release, to write an image to a machine",
			"the region has no complete Ubuntu %s for %s, which deploys this image; let it download that release first", ubuntu, arch)
	}
	for _, r := range inv.Resources {
		if r.IsUploaded() {
			if r.Name == image.Name {
				problems = append(problems, sameName(r, plan, version)...)
			}
			continue
		}
		system, release, _ := strings.Cut(r.Name, "/")
		if image.Name != "" && slices.Contains([]string{r.Name, system, release}, image.Name) && !plan.broken("name-reserved") {
			add("name-reserved", Error, "MAAS reserves all names that its image sources offer",
				"name = %q is the name of an image that the region downloads; choose another", image.Name)
		}
	}
	return slices.CompactFunc(problems, func(a, b Problem) bool { return a.Message == b.Message })
}

func (p Plan) broken(rule string) bool {
	return slices.ContainsFunc(p.Problems, func(p Problem) bool { return p.Rule == rule })
}

// sameName are the problems with an uploaded resource of the image's name.
func sameName(r Resource, plan Plan, version Version) []Problem {
	image := plan.Image
	var problems []Problem
	switch {
	case image.Architecture == "":
	case r.Architecture != image.Architecture && plan.System == custom && !version.twoArchitectures():
		problems = append(problems, Problem{
			"region-two-architectures", Error,
			fmt.Sprintf("the region has %q for %s (image %d) already, and MAAS %s cannot deploy a name with two architectures; use a name per architecture, such as %q", r.Name, r.Architecture, r.ID, version, image.Name+"-"+strings.ReplaceAll(image.Architecture, "/generic", "")),
			"MAAS before 3.6.3 and 3.7.1 looks custom images up by name alone (Launchpad bug 2138312)",
		})
	case r.Architecture != image.Architecture:
	case plan.System == custom && image.BaseImage != "" && r.BaseImage != "" && r.BaseImage != image.BaseImage:
		problems = append(problems, Problem{
			"region-base-image", Error,
			fmt.Sprintf("the region has %q with base_image %q (image %d) and keeps that; delete it there first, or choose another name", r.Name, r.BaseImage, r.ID),
			"an upload under a name that exists never changes its base image",
		})
	}
	if r.Architecture == image.Architecture && image.Title == "" && r.Title != "" {
		problems = append(problems, Problem{
			"region-title", Warning,
			fmt.Sprintf("the region shows %q as %q; an upload without a title takes that away", r.Name, r.Title),
			"each upload overwrites the title, also with nothing",
		})
	}
	return problems
}

func listed(names []string) string {
	if len(names) == 0 {
		return "no architecture"
	}
	return strings.Join(names, ", ")
}
