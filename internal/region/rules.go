package region

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// subject is what the rules are asked about.
type subject struct {
	Image
	version         Version
	system, release string // of the name
}

// rule is a line of what MAAS accepts and can deploy.
type rule struct {
	name     string
	severity Severity
	// broken says what is wrong and what to do, empty if nothing is.
	broken func(subject) string
	// fact is what MAAS does.
	fact string
}

// rules are about images alone; those that need to look at the region are in
// inventory.go.
var rules = slices.Concat(nameRules, filetypeRules, baseRules, otherRules)

var nameRules = []rule{
	{
		"name", Error, checkName,
		"MAAS takes a bare name, or a system it knows, a slash and a release; two slashes make it answer 500",
	}, {
		"name-system", Error, checkNameSystem,
		"what stands before the slash must be one of MAAS's own systems: it answers \"Unsupport operating system\" otherwise",
	}, {
		"name-reserved", Error, checkReserved,
		"MAAS reserves the names of its systems, centos with one or two digits, and all names that its image sources offer",
	}, {
		"name-suse", Error, checkSUSE,
		"MAAS finds a SUSE image by a name like sles15.5, opensuse15.6 or tumbleweed, and SLES from MAAS 3.4 on",
	}, {
		"name-ubuntu", Warning, func(s subject) string {
			if _, ok := codenames[s.release]; s.system != "ubuntu" || ok || !known(s.Name) {
				return ""
			}
			return fmt.Sprintf("name = %q: %q is no code name of an Ubuntu release; use a bare name, such as \"ubuntu-%s\"", s.Name, s.release, s.release)
		},
		"MAAS asks distro-info for the releases of ubuntu/",
	}, {
		"name-length", Error, func(s subject) string {
			return tooLong("name", s.Name)
		},
		"MAAS's database holds 255 characters",
	},
}

func tooLong(option, value string) string {
	if n := len([]rune(value)); n > 255 {
		return fmt.Sprintf("%s has %d characters; use at most 255", option, n)
	}
	return ""
}

func checkName(s subject) string {
	switch n := strings.Count(s.Name, "/"); {
	case !known(s.Name):
		return ""
	case s.Name == "":
		return "name is empty; give the image a name, such as \"debian12\" or \"rhel/9.4\""
	case n > 1:
		return fmt.Sprintf("name = %q has %d slashes; it may have one, between a system and a release", s.Name, n)
	case s.system == "" || s.release == "":
		return fmt.Sprintf("name = %q has nothing on one side of its slash", s.Name)
	}
	return ""
}

func checkNameSystem(s subject) string {
	if strings.Count(s.Name, "/") != 1 || !known(s.Name) || s.system == "" {
		return ""
	}
	o, found := findSystem(s.system)
	switch {
	case !found:
		return fmt.Sprintf("name = %q: MAAS has no system %q; use a bare name, such as %q, with a base_image", s.Name, s.system, bare(s.Name))
	case !o.in(s.version) && o.since != [2]int{}:
		return fmt.Sprintf("name = %q: MAAS %s does not know %s, which comes with %d.%d; update the region, or use a bare name, such as %q, with a base_image", s.Name, s.version, s.system, o.since[0], o.since[1], bare(s.Name))
	case !o.in(s.version):
		return fmt.Sprintf("name = %q: MAAS %s does not know %s any more", s.Name, s.version, s.system)
	case o.types == 0:
		return fmt.Sprintf("name = %q: images of %s cannot be uploaded this way", s.Name, s.system)
	}
	return ""
}

// bare makes one word of a name.
func bare(name string) string {
	system, release, _ := strings.Cut(name, "/")
	if strings.HasPrefix(release, system) {
		return release
	}
	return system + release
}

func checkReserved(s subject) string {
	if !known(s.Name) || strings.Count(s.Name, "/") > 1 {
		return ""
	}
	o, isSystem := findSystem(s.Name)
	reserved := isSystem && o.in(s.version) ||
		centosName.MatchString(s.Name) || slices.Contains(offered, s.Name) ||
		s.system == "ubuntu" && slices.Contains(offered, s.release) ||
		s.system == "centos" && (s.release == "8" || s.release == "centos70")
	if !reserved {
		return ""
	}
	return fmt.Sprintf("name = %q is reserved by MAAS; add something of your own, such as %q", s.Name, "my-"+bare(s.Name))
}

func checkSUSE(s subject) string {
	switch {
	case s.system != "suse" || !known(s.Name):
		return ""
	case !suseName.MatchString(s.release):
		return fmt.Sprintf("name = %q: the release must look like sles15.5, opensuse15.6 or tumbleweed, with -something after it if you like", s.Name)
	case strings.HasPrefix(s.release, "sles") && s.version.before(3, 4):
		return fmt.Sprintf("name = %q: MAAS %s does not know SLES, which comes with 3.4; update the region", s.Name, s.version)
	}
	return ""
}

var filetypeRules = []rule{
	{
		"filetype", Error, func(s subject) string {
			_, ok := filetypes[s.Filetype]
			switch {
			case ok || !known(s.Filetype):
				return ""
			case slices.Contains(syncedOnly, s.Filetype):
				return fmt.Sprintf("filetype = %q is for what MAAS downloads by itself; it cannot be uploaded", s.Filetype)
			case strings.Contains(s.Filetype, "zst"):
				return fmt.Sprintf("filetype = %q: MAAS knows no zstd; use gz, bz2 or xz", s.Filetype)
			}
			return fmt.Sprintf("filetype = %q is none of %s", s.Filetype, strings.Join(osystem{types: trees | disks}.filetypes(), ", "))
		},
		"MAAS accepts these filetypes and answers 400 to all others",
	}, {
		"filetype-system", Error, checkFiletypeSystem,
		"MAAS accepts the upload all the same, and every deployment ends with a missing boot image",
	},
}

func checkFiletypeSystem(s subject) string {
	o, found := findSystem(s.system)
	f, ok := filetypes[s.Filetype]
	if !found || !ok || o.types == 0 || o.types&f.kind != 0 || !known(s.Name) {
		return ""
	}
	return fmt.Sprintf("filetype = %q: MAAS deploys %s images only from %s", s.Filetype, s.system, strings.Join(o.filetypes(), ", "))
}

var otherRules = []rule{
	{
		"architecture", Error, checkArchitecture,
		"MAAS takes an architecture that it has Ubuntu images for, with a sub-architecture that is no kernel's",
	}, {
		"system", Error, func(s subject) string {
			if s.System == "" || !known(s.System) || !known(s.Name) || s.Name == "" {
				return ""
			}
			for _, special := range []string{"windows", "esxi"} {
				if s.System == special && s.system != special {
					return fmt.Sprintf("name = %q: an image of %s needs a name that begins with %s/", s.Name, special, special)
				}
				if s.System != special && s.system == special {
					return fmt.Sprintf("name = %q is for images of %s, and this one holds %s", s.Name, special, s.System)
				}
			}
			return ""
		},
		"MAAS runs cloud-init --version in a custom image that it deployed, and prepares the files of Windows and ESXi for these systems alone",
	}, {
		"title", Warning, checkTitle,
		"MAAS reads the first digit as the major version and the second as the minor one",
	}, {
		"title-length", Error, func(s subject) string { return tooLong("title", s.Title) },
		"MAAS's database holds 255 characters",
	}, {
		"sha256", Error, func(s subject) string {
			if s.SHA256 == "" || !known(s.SHA256) || hexSHA256.MatchString(s.SHA256) {
				return ""
			}
			return fmt.Sprintf("sha256 has %d characters; it must be 64 hexadecimal digits", len(s.SHA256))
		},
		"MAAS compares the text with a checksum that it writes in lower case",
	}, {
		"region-version", Warning, func(s subject) string {
			if !s.version.before(3, 2) {
				return ""
			}
			return fmt.Sprintf("the region is MAAS %s; these rules are those of 3.2 and later", s.version)
		},
		"older versions are no longer supported by anybody",
	},
}

var hexSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)

func checkArchitecture(s subject) string {
	if !known(s.Architecture) {
		return ""
	}
	arch, sub, _ := strings.Cut(s.Architecture, "/")
	switch {
	case s.Architecture == "":
		return "architecture is empty; say for which one the image is, such as \"amd64/generic\""
	case elsewhere[arch] != "":
		return fmt.Sprintf("architecture = %q: MAAS says %s; use \"%s/generic\"", s.Architecture, elsewhere[arch], elsewhere[arch])
	case !slices.Contains(architectures, arch):
		return fmt.Sprintf("architecture = %q: MAAS knows %s", s.Architecture, strings.Join(architectures, ", "))
	case sub == "" || strings.Contains(sub, "/") || strings.HasPrefix(sub, "ga-") || strings.HasPrefix(sub, "hwe-"):
		return fmt.Sprintf("architecture = %q: use \"%s/generic\"", s.Architecture, arch)
	}
	return ""
}

// goodRelease is a RHEL release that MAAS shows as it is meant.
var goodRelease = regexp.MustCompile(`^(rhel)?[2-9]\d?([-.]?[^-.\d].*)?$`)

func checkTitle(s subject) string {
	shows := rhelTitle.MatchString(s.release)
	if s.system != "rhel" || s.Title != "" || !shows || goodRelease.MatchString(s.release) || !known(s.Name) {
		return ""
	}
	return fmt.Sprintf("name = %q: without a title MAAS shows this as %q; set title = \"Red Hat Enterprise Linux %s\"", s.Name, s.shownTitle(), strings.TrimPrefix(s.release, "rhel"))
}
