package region

import (
	"slices"
	"strings"
)

// Image is what a person wants to have in MAAS. A field that contains Unknown
// is not known yet; rules that need it wait until it is.
type Image struct {
	// Name is a bare name (debian12), which MAAS takes as an image of its
	// system "custom", or <system>/<release> for a system that MAAS knows
	// (rhel/9.4, windows/win2022).
	Name string
	// Title is what MAAS's pages show.
	Title string
	// Architecture is amd64/generic, arm64/generic ...; without a slash,
	// /generic is added.
	Architecture string
	// BaseImage is <system>/<release> of the system that a custom image is
	// made like: it chooses the Ubuntu that deploys it, and how MAAS writes
	// its network settings.
	BaseImage string
	// Filetype is MAAS's word for the kind of file: tgz, ddgz ...
	Filetype string
	// System is what the image holds, as ID in os-release(5) says it, or
	// windows or esxi; empty if not known.
	System string
	// SHA256 is the file's checksum in hexadecimal. Only Upload needs it.
	SHA256 string
}

// Unknown stands for a value that is not known yet.
const Unknown = "<unknown>"

func known(value string) bool { return !strings.Contains(value, Unknown) }

// Plan is what MAAS makes of an image.
type Plan struct {
	// Image is the image as it is sent: the bare name (MAAS 3.8 keeps a prefix
	// custom/ and then does not find the image at deployment), the full
	// architecture, the checksum in lower case.
	Image Image
	// System and Release are MAAS's own: custom and the name for bare names.
	System, Release string
	// Title is what MAAS's pages will show.
	Title string
	// StoredFiletype is what the API calls the file: root-tgz for tgz.
	StoredFiletype string
	// CurtinType is what MAAS tells its installer the image is: tgz, dd-gz ...
	CurtinType string
	// Ubuntu is the release that the base image makes MAAS boot to deploy;
	// empty for the region's commissioning release.
	Ubuntu string
	// Needs are commands that MAAS runs in the installed system at the end of
	// a deployment, which fails without them.
	Needs []string
	// Problems are what is wrong, the worst first.
	Problems []Problem
}

// Severity says how bad a problem is.
type Severity int

// The severities.
const (
	// Warning is for what works, but perhaps not as wanted.
	Warning Severity = iota
	// Error is for what MAAS refuses, or takes and then cannot deploy.
	Error
)

// Problem is a rule that an image breaks.
type Problem struct {
	// Rule is the rule's name.
	Rule     string
	Severity Severity
	// Message says what is wrong and what to do.
	Message string
	// Fact is what MAAS does, which the rule follows from.
	Fact string
}

// String is the problem in a line.
func (p Problem) String() string { return p.Message + " (" + p.Fact + ")" }

// Errors are those of the problems that are errors.
func Errors(problems []Problem) []Problem {
	return slices.DeleteFunc(slices.Clone(problems), func(p Problem) bool { return p.Severity != Error })
}

// PlanFor says what a region of the given version makes of an image. It asks
// nobody. With the zero Version, only what holds for every version counts.
func PlanFor(image Image, version Version) Plan {
	s := subject{Image: normal(image), version: version}
	s.system, s.release = split(s.Name)
	plan := Plan{Image: s.Image, System: s.system, Release: s.release}
	if f, ok := filetypes[s.Filetype]; ok {
		plan.StoredFiletype, plan.CurtinType = f.stored, f.curtin
	}
	plan.Title = s.shownTitle()
	if s.system == custom {
		plan.Needs = needs(s.BaseImage)
		if os, series, _ := strings.Cut(s.BaseImage, "/"); os == "ubuntu" {
			plan.Ubuntu = series
		}
	}
	for _, r := range rules {
		if message := r.broken(s); message != "" {
			plan.Problems = append(plan.Problems, Problem{r.name, r.severity, message, r.fact})
		}
	}
	slices.SortStableFunc(plan.Problems, func(a, b Problem) int { return int(b.Severity) - int(a.Severity) })
	return plan
}

// normal is an image as it is sent.
func normal(image Image) Image {
	image.Name = strings.TrimPrefix(image.Name, custom+"/")
	image.SHA256 = strings.ToLower(image.SHA256)
	if image.Architecture != "" && !strings.Contains(image.Architecture, "/") && known(image.Architecture) {
		image.Architecture += "/generic"
	}
	image.Filetype = or(image.Filetype, "tgz")
	return image
}

// split tells MAAS's system from the release in a name.
func split(name string) (system, release string) {
	if system, release, found := strings.Cut(name, "/"); found {
		return system, release
	}
	return custom, name
}

// needs are the commands that MAAS runs in a deployed custom image.
func needs(base string) []string {
	switch os, _, _ := strings.Cut(base, "/"); os {
	case "":
		return nil // the region's default decides
	case "ubuntu":
		return []string{"bash", "cloud-init", "netplan"}
	default:
		return []string{"bash", "cloud-init"}
	}
}
