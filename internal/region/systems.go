package region

import (
	"regexp"
	"slices"
	"strings"
)

// custom is MAAS's system of images with a bare name.
const custom = "custom"

// osystem is a system that MAAS knows, which is what may stand before the
// slash in a name.
type osystem struct {
	name string
	// since is the first series that has it, until the first that has not.
	since, until [2]int
	// types are the kinds of image that MAAS can deploy of it.
	types kinds
}

// kinds of images.
type kinds int

const (
	trees kinds = 1 << iota // root file systems: tgz, tbz, txz
	disks                   // whole disks: dd*
)

// osystems are MAAS's drivers, src/maascommon/osystem.
var osystems = []osystem{
	{name: "ubuntu", types: trees},
	{name: "ubuntu-core", types: disks},
	{name: "bootloader"},
	{name: "centos", types: trees},
	{name: "rhel", types: trees},
	{name: custom, types: trees | disks},
	{name: "windows", types: disks},
	{name: "suse", types: trees},
	{name: "esxi", types: disks},
	{name: "ol", types: trees, since: [2]int{3, 5}},
	{name: "onie", since: [2]int{3, 8}},
	{name: "caringo", types: trees | disks, until: [2]int{3, 5}},
}

// in says whether the version has the system; for an unknown version, whether
// any has.
func (o osystem) in(v Version) bool {
	return !v.before(o.since[0], o.since[1]) && (o.until == [2]int{} || !v.Known() || v.before(o.until[0], o.until[1]))
}

func findSystem(name string) (osystem, bool) {
	i := slices.IndexFunc(osystems, func(o osystem) bool { return o.name == name })
	if i < 0 {
		return osystem{}, false
	}
	return osystems[i], true
}

// Systems are the systems that images can be uploaded for and deployed as in a
// version, each with the filetypes that it deploys.
func Systems(v Version) map[string][]string {
	systems := map[string][]string{}
	for _, o := range osystems {
		if types := o.filetypes(); len(types) > 0 && o.in(v) {
			systems[o.name] = types
		}
	}
	return systems
}

func (o osystem) filetypes() []string {
	var names []string
	for name, f := range filetypes {
		if o.types&f.kind != 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// filetype is one that MAAS accepts, with its other names.
type filetype struct {
	kind           kinds
	stored, curtin string
}

// filetypes are what boot-resources accepts, the same in MAAS 3.2 to 3.8. That
// ddtgz is stored as root-dd is MAAS's compatibility with its own past.
var filetypes = map[string]filetype{
	"tgz":   {trees, "root-tgz", "tgz"},
	"tbz":   {trees, "root-tbz", "tbz"},
	"txz":   {trees, "root-txz", "txz"},
	"ddtgz": {disks, "root-dd", "dd-tgz"},
	"ddtbz": {disks, "root-dd.tar.bz2", "dd-tbz"},
	"ddtxz": {disks, "root-dd.tar.xz", "dd-txz"},
	"ddtar": {disks, "root-dd.tar", "dd-tar"},
	"ddbz2": {disks, "root-dd.bz2", "dd-bz2"},
	"ddgz":  {disks, "root-dd.gz", "dd-gz"},
	"ddxz":  {disks, "root-dd.xz", "dd-xz"},
	"ddraw": {disks, "root-dd.raw", "dd-raw"},
}

// syncedOnly are filetypes that MAAS downloads and refuses from people.
var syncedOnly = []string{"squashfs", "root-image.gz", "boot-kernel", "boot-initrd", "boot-dtb", "archive.tar.xz"}

// BaseSystems are the systems that a base image may name.
func BaseSystems(v Version) []string {
	if v.before(3, 5) {
		return []string{"ubuntu", "centos", "rhel"}
	}
	return []string{"ubuntu", "centos", "rhel", "ol"}
}

// architectures are MAAS's.
var architectures = []string{"amd64", "arm64", "armhf", "i386", "ppc64el", "s390x"}

// elsewhere are the names that others give these architectures.
var elsewhere = map[string]string{"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64el", "i686": "i386", "armv7l": "armhf"}

// codenames of Ubuntu's releases, and the numbers people write instead.
var codenames = map[string]string{
	"trusty": "14.04", "xenial": "16.04", "bionic": "18.04", "focal": "20.04", "jammy": "22.04", "noble": "24.04",
	"lunar": "23.04", "mantic": "23.10", "oracular": "24.10", "plucky": "25.04", "questing": "25.10", "resolute": "26.04",
}

// offered are names that images.maas.io offers, which are therefore reserved
// in every region. What else one has is seen in its list of images.
var offered = []string{
	"trusty", "xenial", "bionic", "focal", "jammy", "noble", "plucky", "questing", "resolute",
	"centos70", "8", "grub-efi-signed", "grub-efi", "grub-ieee1275", "pxelinux",
}

var (
	centosName  = regexp.MustCompile(`^centos\d\d?$`)
	centosTitle = regexp.MustCompile(`^(?:centos)?(\d)(\d)?(?:[-.]?(.+))?$`)
	rhelTitle   = regexp.MustCompile(`^(?:rhel)?(\d)(\d)?(?:[-.]?(.+))?$`)
	suseName    = regexp.MustCompile(`^(?:sles\d+(?:\.\d+)?|opensuse\d+(?:\.\d+)?|tumbleweed(?:\d+(?:\.\d+)?)?)(?:-.+)?$`)
	slesTitle   = regexp.MustCompile(`^sles(\d+)(?:\.(\d+))?$`)
)

// shownTitle is what MAAS shows for an image.
func (s subject) shownTitle() string {
	if s.Title != "" {
		return s.Title
	}
	switch s.system {
	case "rhel":
		if m := rhelTitle.FindStringSubmatch(s.release); m != nil {
			return "Redhat Enterprise Linux " + numbered(m)
		}
	case "centos":
		if m := centosTitle.FindStringSubmatch(s.release); m != nil {
			return "CentOS " + numbered(m)
		}
		return "CentOS " + s.release
	case "ol":
		return "Oracle Linux " + strings.TrimPrefix(s.release, "ol")
	case "suse":
		if m := slesTitle.FindStringSubmatch(s.release); m != nil {
			title := "SUSE Linux Enterprise Server " + m[1]
			if m[2] != "" {
				title += " SP" + m[2]
			}
			return title
		}
	}
	return s.release
}

// numbered puts together what MAAS takes apart: at most two digits, the second
// of which is the minor version, and a rest.
func numbered(m []string) string {
	text := m[1]
	if m[2] != "" {
		text += "." + m[2]
	}
	if m[3] != "" {
		text += " " + m[3]
	}
	return text
}
