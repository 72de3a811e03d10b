package check

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	// diskRoot is a root device that only the disk of the build has.
	diskRoot = regexp.MustCompile(`(^|[\s"'=])root=(UUID=|LABEL=|PARTUUID=|PARTLABEL=|/dev/)\S*`)
	// deviceRoot is a root device by a name that another machine's disk does not
	// have.
	deviceRoot = regexp.MustCompile(`(^|[\s"'=])root=/dev/(vd|sd|hd|xvd|nvme)\S*`)
	// diskArgument are other arguments that name the disk of the build.
	diskArgument = regexp.MustCompile(`(^|[\s"'=])(rd\.lvm\.(lv|vg)|rd\.luks\.(uuid|name)|rd\.md\.uuid|resume)=[^\s"']+`)
	// assignment is a setting of /etc/default/grub.
	assignment = regexp.MustCompile(`^GRUB_CMDLINE_LINUX(_DEFAULT)?=`)
)

// grubDefaults are the files that update-grub and grub2-mkconfig read.
var grubDefaults = []string{"etc/default/grub", "etc/default/grub.d/*.cfg"}

var grubChecks = []Check{
	{
		"root-argument", Error, tarball, func(s *subject) []string {
			return s.grubLines(diskRoot)
		},
		"remove root= from GRUB_CMDLINE_LINUX: grub-mkconfig finds the root by itself",
		"it names a file system of the build's disk, which no machine has: the machine does not start",
		"kernel's command line: the last root= counts",
	}, {
		"boot-entries", Warning, tarball, checkEntries,
		"remove root= from the entries and from /etc/kernel/cmdline in the build, or have curtin-hooks write them again",
		"they name a file system of the build's disk. Not every version of grub2-mkconfig writes them again, and a later kernel's entry is made of /etc/kernel/cmdline: the machine does not start with such an entry",
		"Boot Loader Specification; kernel-install(8)",
	}, {
		"disk-arguments", Warning, tarball, func(s *subject) []string {
			found := s.grubLines(diskArgument)
			return append(found, s.matching(regexp.MustCompile(`^RESUME=(UUID=|/dev/)`), "etc/initramfs-tools/conf.d/*")...)
		},
		"remove them in the build",
		"they name volumes of the build's disk: each start waits for them, for half a minute and more, and dracut's may end in an emergency shell",
		"dracut.cmdline(7), initramfs-tools(7)",
	}, {
		"default-arguments", Warning, tarball, checkDefaultArguments,
		"put them into GRUB_CMDLINE_LINUX",
		"curtin puts the arguments of the Ubuntu that deploys in their place",
		"curtin, curtin/commands/install_grub.py, replace_grub_cmdline_linux_default",
	}, {
		"device-names", Error, disk, func(s *subject) []string {
			if s.Tree == nil {
				return nil
			}
			found := s.matching(regexp.MustCompile(`^/dev/(vd|sd|hd|xvd|nvme)`), "etc/fstab", "etc/crypttab")
			found = append(found, s.matching(deviceRoot, append([]string{"etc/kernel/cmdline", "boot/loader/entries/*.conf", "boot/grub/grub.cfg", "boot/grub2/grub.cfg", "boot/efi/EFI/*/grub.cfg"}, grubDefaults...)...)...)
			return found
		},
		"name file systems by UUID= or LABEL=",
		"the disk of a machine has another name than that of the build: the system does not find its file systems",
		"fstab(5)",
	}, {
		"fstab", Error, disk, checkFstab,
		"correct the line, or give it the option nofail",
		"the file system is not on the disk: the system stops in an emergency shell",
		"systemd.mount(5), fstab(5)",
	}, {
		"fstab-kept", Warning, tarball, func(s *subject) []string {
			if s.builtin() || s.hookDoes("fstab", "FSTAB") {
				return nil
			}
			return s.matching(regexp.MustCompile(`^(UUID=|LABEL=|PARTUUID=|PARTLABEL=|/dev/)\S+\s+/`), "etc/fstab")
		},
		"have the curtin-hooks write it: curtin gives them the new one as OUTPUT_FSTAB",
		"the hooks of the image do not touch it, and it names file systems of the build's disk",
		"curtin, curtin/commands/curthooks.py, copy_fstab",
	}, {
		"crypttab", Warning, tarball, func(s *subject) []string {
			return s.matching(regexp.MustCompile(`^\S+\s+(UUID=|/dev/)`), "etc/crypttab")
		},
		"remove the lines in the build",
		"they name volumes of the build's disk, for which each start waits",
		"crypttab(5)",
	},
}

// grubLines are the settings of arguments that a pattern matches.
func (s *subject) grubLines(pattern *regexp.Regexp) []string {
	var found []string
	for _, text := range s.Tree.Texts(grubDefaults...) {
		for _, line := range lines(text.Content) {
			name := assignment.FindString(line)
			if m := pattern.FindString(line); name != "" && m != "" {
				found = append(found, fmt.Sprintf("/%s has %s in %s", text.Path, quoted(strings.Trim(m, ` "'=`)), strings.TrimSuffix(name, "=")))
			}
		}
	}
	return found
}

// checkEntries looks at the boot loader's entries, unless GRUB does not read
// them or the hooks know of them.
func checkEntries(s *subject) []string {
	if slices.Contains(s.grubSettings(), "GRUB_ENABLE_BLSCFG=false") || s.hookDoes("loader/entries", "grubby", "kernel-install", "update-bls-cmdline") {
		return nil
	}
	var found []string
	for _, text := range s.Tree.Texts("boot/loader/entries/*.conf", "etc/kernel/cmdline") {
		for _, line := range lines(text.Content) {
			if m := diskRoot.FindString(line); m != "" && !strings.HasPrefix(line, "title") {
				found = append(found, fmt.Sprintf("/%s has %s", text.Path, quoted(strings.TrimSpace(m))))
			}
		}
	}
	return found
}

// grubSettings are the lines of all files of settings, without quotes.
func (s *subject) grubSettings() []string {
	var settings []string
	for _, text := range s.Tree.Texts(grubDefaults...) {
		for _, line := range lines(text.Content) {
			settings = append(settings, strings.NewReplacer(`"`, "", "'", "").Replace(line))
		}
	}
	return settings
}

// ordinary are arguments that installers set by themselves.
var ordinary = []string{"quiet", "splash", "rhgb", "ro", "nosplash"}

func checkDefaultArguments(s *subject) []string {
	if !s.builtin() || s.family() == "" {
		return nil
	}
	var found []string
	for _, line := range s.grubSettings() {
		value, ok := strings.CutPrefix(line, "GRUB_CMDLINE_LINUX_DEFAULT=")
		if !ok {
			continue
		}
		own := slices.DeleteFunc(strings.Fields(value), func(word string) bool {
			return slices.Contains(ordinary, word) || strings.HasPrefix(word, "splash=") || strings.HasPrefix(word, "console=") || strings.HasPrefix(word, "$")
		})
		if len(own) > 0 {
			found = append(found, "GRUB_CMDLINE_LINUX_DEFAULT has "+quoted(strings.Join(own, " ")))
		}
	}
	return found
}

func checkFstab(s *subject) []string {
	if s.Tree == nil {
		return nil
	}
	known := map[string]bool{}
	for _, v := range s.Disk.Volumes {
		for key, value := range map[string]string{"UUID": v.UUID, "LABEL": v.Label, "PARTUUID": v.PartUUID, "PARTLABEL": v.PartLabel} {
			known[key+"="+strings.ToLower(value)] = true
		}
	}
	if len(s.unread()) > 0 {
		return nil // their UUIDs are not known
	}
	var found []string
	for _, line := range lines(s.Tree.Text("etc/fstab")) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[2] == "swap" || strings.Contains(fields[3], "nofail") || strings.Contains(fields[3], "noauto") {
			continue
		}
		key, value, ok := strings.Cut(strings.ReplaceAll(fields[0], `"`, ""), "=")
		if ok && !strings.Contains(key, "/") && !known[key+"="+strings.ToLower(value)] {
			found = append(found, fmt.Sprintf("/etc/fstab mounts %s, which is not on the disk", fields[0]))
		}
	}
	return found
}
