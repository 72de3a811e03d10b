package check

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

var systemChecks = []Check{
	{
		"os-release", Error, unpacked, func(s *subject) []string {
			return one(s.builtin() && s.Tree.Release["ID"] == "", "/etc/os-release is missing, or says no ID")
		},
		"install the package that brings it: base-files, or the distribution's -release",
		"curtin ends with KeyError: 'ID', and the deployment fails",
		"curtin, curtin/distro.py; tried",
	}, {
		"known-system", Error, unpacked, func(s *subject) []string {
			id := s.Tree.Release["ID"]
			return one(s.builtin() && !s.disguised() && id != "" && s.family() == "", fmt.Sprintf("curtin knows neither ID=%q nor ID_LIKE=%q in /etc/os-release", id, s.Tree.Release["ID_LIKE"]))
		},
		"bring curtin-hooks that show curtin a system it knows, or add an ID_LIKE",
		"curtin ends with a KeyError, and the deployment fails",
		"curtin, curtin/distro.py; tried",
	}, {
		"lsb-release", Error, linux, func(s *subject) []string {
			if !s.onDebian() {
				return nil
			}
			return append(one(!s.has("lsb_release"), "there is no lsb_release"),
				one(s.Tree.Release["VERSION_ID"] == "", "/etc/os-release has no VERSION_ID, as in a release that is being developed, so lsb_release says n/a")...)
		},
		"install the package lsb-release, and build a released version",
		"curtin asks it for the release of a system of Debian's kind, and ends with a ValueError if it gets no number",
		"curtin, curtin/commands/curthooks.py; tried",
	}, {
		"kernel-package", Error, unpacked, func(s *subject) []string {
			is := s.onDebian() && s.Tree.Release["ID"] != "ubuntu" && !s.hookDoes("kernel")
			return one(is, "curtin would install linux-generic, which only Ubuntu has")
		},
		"bring a curtin-hooks that sets kernel.package, such as that of example/demo",
		"apt says \"Unable to locate package linux-generic\", and the deployment fails",
		"curtin, curtin/commands/curthooks.py, KERNEL_MAPPING; tried",
	}, {
		"package-manager", Error, unpacked, func(s *subject) []string {
			return one(s.builtin() && !s.has("dpkg-query") && !s.has("rpm"), "there is neither dpkg-query nor rpm")
		},
		"keep the package manager in the image, or bring curtin-hooks that do without",
		"curtin ends with \"No package query tool\", and the deployment fails",
		"curtin, curtin/distro.py; tried",
	}, {
		"one-kernel", Error, unpacked, checkOneKernel,
		"have the build leave the newest kernel package alone: dnf remove --oldinstallonly, and a reboot before it",
		"curtin asks rpm for the version of the one package that is called kernel, and runs dracut with all it hears",
		"curtin, curtin/commands/curthooks.py, redhat_update_initramfs",
	}, {
		"dracut", Error, unpacked, func(s *subject) []string {
			return one(s.family() == "redhat" && s.builtin() && !s.has("dracut"), "there is no dracut")
		},
		"install the package dracut",
		"curtin makes the initial RAM disk again with it, for the machine's storage",
		"curtin, curtin/commands/curthooks.py, redhat_update_initramfs",
	}, {
		"architecture", Error, linux, checkArchitecture,
		"say the image's own architecture in the upload, or build for the other one",
		"curtin runs the image's programs on the machine, which cannot: the deployment fails",
		"tried with a program of another architecture",
	}, {
		"shell", Error, linux, func(s *subject) []string {
			return one(s.isCustom() && !s.has("bash"), "there is no bash")
		},
		"install bash",
		"MAAS ends the deployment of a custom image with bash -c 'cloud-init --version'",
		"MAAS, maasserver/preseed.py; tried",
	},
}

// onDebian says whether curtin itself configures a system of Debian's kind.
func (s *subject) onDebian() bool { return s.builtin() && s.family() == "debian" }

// isCustom says whether MAAS knows no system by the image's name.
func (s *subject) isCustom() bool { return s.System == "" || s.System == "custom" }

func checkOneKernel(s *subject) []string {
	if s.family() != "redhat" || !s.builtin() || s.hookDoes("redhat_update_initramfs") || s.Tree.Packages.Format != "rpm" {
		return checkSeveralKernels(s)
	}
	switch versions := s.Tree.Packages.Versions("kernel"); len(versions) {
	case 1:
		return nil
	case 0:
		return []string{"no package is called kernel"}
	default:
		return []string{"the package kernel is there in the versions " + strings.Join(versions, " and ")}
	}
}

// checkSeveralKernels is for hooks that know other names of the package.
func checkSeveralKernels(s *subject) []string {
	versions := s.Tree.Packages.Versions("kernel")
	return one(s.family() == "redhat" && s.builtin() && len(versions) > 1, "the package kernel is there in the versions "+strings.Join(versions, " and "))
}

func checkArchitecture(s *subject) []string {
	if s.Architecture == "" {
		return nil
	}
	var found []string
	machines := s.Tree.Machines()
	for _, at := range slices.Sorted(maps.Keys(machines)) {
		// Loaders of several architectures may lie beside each other.
		if machine := machines[at]; machine != s.Architecture && !strings.EqualFold(path.Ext(at), ".efi") {
			found = append(found, fmt.Sprintf("/%s is for %s, and the image is to be for %s", at, machine, s.Architecture))
		}
	}
	return found
}
