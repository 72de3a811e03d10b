package regiontest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Content gives the bytes of the newest version of a resource, from the first
// region that has a whole file.
func (r *Region) Content(resource int) (*io.SectionReader, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle()
	res := r.find(resource)
	if res == nil {
		return nil, fmt.Errorf("resource %d: none", resource)
	}
	for _, s := range slices.Backward(res.sets) {
		for _, f := range s.files {
			for region := range r.disks {
				if b := r.stored(region, f); b != nil {
					return io.NewSectionReader(b, 0, b.size), nil
				}
			}
		}
	}
	return nil, fmt.Errorf("resource %d: no bytes stored", resource)
}

// stored is where a region has a file that it counts as whole.
func (r *Region) stored(region int, f *imageFile) *blob {
	if f.large != nil {
		if f.complete() {
			return f.large.data
		}
		return nil
	}
	if f.counts[region] == f.size {
		return r.disks[region][f.disk]
	}
	return nil
}

// Deployable tells what MAAS would do with a machine that is deployed with an
// image: nil, or why it fails. name is what a person says to MAAS: "rhel/9",
// "custom/foo", or "foo" for short. It looks for all architectures of a name.
func (r *Region) Deployable(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle()
	osystem, release, prefixed := strings.Cut(name, "/")
	if !prefixed {
		osystem, release = "custom", name
	}
	if osystem == "custom" {
		name = release
	}
	var found []*resource
	for _, res := range r.resources {
		if !res.synced && res.name == name {
			found = append(found, res)
		}
	}
	switch {
	case len(found) == 0 && r.hasName("custom/"+release):
		return fmt.Errorf("missing boot image: stored as custom/%s, and looked for as %s", release, release)
	case len(found) == 0:
		return fmt.Errorf("missing boot image %s/%s", osystem, release)
	case len(found) > 1 && osystem == "custom" && !r.behaves.sharedName():
		return fmt.Errorf("MultipleObjectsReturned: %d architectures are named %s", len(found), name)
	}
	var problems []error
	for _, res := range found {
		if err := r.deployable(res, osystem); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", res.arch, err))
		}
	}
	return errors.Join(problems...)
}

func (r *Region) hasName(name string) bool {
	return slices.ContainsFunc(r.resources, func(res *resource) bool { return res.name == name })
}

// deployable looks at one resource: the version that machines get, the type of
// its file, the bytes, and the Ubuntu that installs it.
func (r *Region) deployable(res *resource, osystem string) error {
	s := res.latest()
	if s == nil {
		return errors.New("no complete version: " + res.state())
	}
	f := s.files[0]
	if !deploys(osystem, f.kind) {
		return fmt.Errorf("missing boot image: %s installs no %s", osystem, f.kind)
	}
	for region := range r.disks {
		b := r.stored(region, f)
		if b == nil {
			return fmt.Errorf("%s counts the file as received and does not have it", regionID(region))
		}
		if sum := b.sum(); sum != f.sha256 {
			return fmt.Errorf("%s has other bytes than announced: %d, sha256 %s", regionID(region), b.size, sum)
		}
	}
	base := commissioning
	if osystem == "custom" {
		system, _, _ := strings.Cut(res.base, "/")
		if !slices.Contains(r.behaves.baseSystems(), system) {
			return fmt.Errorf("base image %q: unknown system", res.base)
		}
		if system == "ubuntu" {
			base = res.base
		}
	}
	arch, _, _ := strings.Cut(res.arch, "/")
	if _, series, _ := strings.Cut(base, "/"); !r.hasUbuntu(series, arch) {
		return fmt.Errorf("%s is not synced for %s", base, arch)
	}
	return nil
}

// state says how far the newest version is.
func (res *resource) state() string {
	if len(res.sets) == 0 || len(res.sets[len(res.sets)-1].files) == 0 {
		return "no file"
	}
	s := res.sets[len(res.sets)-1]
	return fmt.Sprintf("%s is at %.1f %%", s.version, s.progress())
}

// Report is what a person sees in MAAS: the images, and whether machines can
// be deployed with them.
func (r *Region) Report() string {
	var out strings.Builder
	fmt.Fprintf(&out, "MAAS %s, region controllers: %d\n\n", r.options.Version, len(r.disks))
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tTITLE\tARCHITECTURE\tBASE\tFILETYPE\tSIZE\tCOMPLETE\tDEPLOYMENT")
	r.mu.Lock()
	resources := slices.Clone(r.resources)
	r.mu.Unlock()
	for _, res := range resources {
		deployment := "yes"
		if !res.synced {
			if err := r.Deployable(res.name); err != nil {
				deployment = "no: " + strings.ReplaceAll(err.Error(), "\n", "; ")
			}
		}
		r.mu.Lock()
		kind, size, complete := res.summary()
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n",
			res.id, res.name, res.title, res.arch, res.base, kind, size, complete, deployment)
		r.mu.Unlock()
	}
	// A strings.Builder takes everything.
	_ = table.Flush()
	return out.String()
}

// summary is of the newest version that has files.
func (res *resource) summary() (kind string, size int64, complete string) {
	for _, s := range slices.Backward(res.sets) {
		if len(s.files) > 0 {
			if s.complete() {
				return s.files[len(s.files)-1].kind, s.size(), "yes"
			}
			return s.files[0].kind, s.size(), fmt.Sprintf("%.1f %%", s.progress())
		}
	}
	return "-", 0, "-"
}
