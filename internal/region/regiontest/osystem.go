package regiontest

import (
	"regexp"
	"slices"
	"strings"
)

// filetype is a kind of image that can be uploaded: the word that the API
// takes, what the region makes of it, and whether it is a whole disk
// (maascommon/enums/boot_resources.py).
type filetype struct {
	upload, stored string
	disk           bool
}

var filetypes = []filetype{
	{"tgz", "root-tgz", false},
	{"tbz", "root-tbz", false},
	{"txz", "root-txz", false},
	// That of tar.gz has no ending, for old uploads' sake.
	{"ddtgz", "root-dd", true},
	{"ddtbz", "root-dd.tar.bz2", true},
	{"ddtxz", "root-dd.tar.xz", true},
	{"ddtar", "root-dd.tar", true},
	{"ddbz2", "root-dd.bz2", true},
	{"ddgz", "root-dd.gz", true},
	{"ddxz", "root-dd.xz", true},
	{"ddraw", "root-dd.raw", true},
}

// filename is how the API calls a file of a stored type.
func (v version) filename(stored string) string {
	if v.storage() != largeObjects && slices.Contains([]string{"root-tgz", "root-tbz", "root-txz"}, stored) {
		return strings.Replace(stored, "-", ".", 1)
	}
	return stored
}

// osystems are the operating systems that a version has a driver for.
func (v version) osystems() []string {
	names := []string{"ubuntu", "ubuntu-core", "bootloader", "centos", "rhel", "custom", "windows", "suse", "esxi"}
	if v.atLeast(3, 5, 0) {
		names = append(names, "ol")
	} else {
		names = append(names, "caringo")
	}
	if v.atLeast(3, 8, 0) {
		names = append(names, "onie")
	}
	return names
}

// baseSystems are those that a custom image can be based on (LINUX_OSYSTEMS).
func (v version) baseSystems() []string {
	names := []string{"ubuntu", "centos", "rhel"}
	if v.atLeast(3, 5, 0) {
		names = append(names, "ol")
	}
	return names
}

// deploys tells whether an operating system's driver installs a type of file.
func deploys(osystem, stored string) bool {
	i := slices.IndexFunc(filetypes, func(t filetype) bool { return t.stored == stored })
	if i < 0 {
		return false
	}
	switch osystem {
	case "custom":
		return true
	case "windows", "esxi", "ubuntu-core":
		return filetypes[i].disk
	case "rhel", "centos", "ol", "suse", "ubuntu":
		return !filetypes[i].disk
	}
	return false
}

// codenames are what distro-info knows, and with it a base image of Ubuntu.
var codenames = []string{
	"trusty", "xenial", "bionic", "focal", "groovy", "hirsute", "impish", "jammy",
	"kinetic", "lunar", "mantic", "noble", "oracular", "plucky", "questing",
}

// kernels are the names of the first kernels of the series that can be synced.
var kernels = map[string]string{
	"trusty": "ga-14.04", "xenial": "ga-16.04", "bionic": "ga-18.04",
	"focal": "ga-20.04", "jammy": "ga-22.04", "noble": "ga-24.04",
}

// streams are the systems and releases that MAAS's own image server offers:
// neither they nor their parts can be an image's name.
var streams = func() []string {
	offered := []string{
		"centos/centos70", "centos/8", "centos/8-stream", "centos/9-stream",
		"ubuntu-core/16", "ubuntu-core/18", "ubuntu-core/20", "ubuntu-core/22",
		"grub-efi-signed/grub-efi-signed", "grub-efi/grub-efi", "pxelinux/pxelinux",
		"grub-ieee1275/open-firmware",
	}
	for series := range kernels {
		offered = append(offered, "ubuntu/"+series)
	}
	return append(offered, "ubuntu/plucky", "ubuntu/questing")
}()

var centosName = regexp.MustCompile(`^centos\d\d?$`)

func (v version) reserved(name string) bool {
	if slices.Contains(v.osystems(), name) || centosName.MatchString(name) {
		return true
	}
	return slices.ContainsFunc(streams, func(offered string) bool {
		osystem, release, _ := strings.Cut(offered, "/")
		return name == offered || name == osystem || name == release
	})
}
