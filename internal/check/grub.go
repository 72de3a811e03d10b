package check

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	// diskRoot is a root device that only the disk of the build has, or a
	// subvolume of it.
	diskRoot = regexp.MustCompile(`(^|[\s"'=])(root=(UUID=|LABEL=|PARTUUID=|PARTLABEL=|/dev/)[^\s"']*|rootflags=\S*\bsubvol(id)?=[^\s"']*)`)
	// diskArgument are other arguments that name the disk of the build.
	diskArgument = regexp.MustCompile(`(^|[\s"'=])(rd\.lvm\.(lv|vg)|rd\.luks\.(uuid|name)|rd\.md\.uuid|rd\.dm\.uuid|resume)=[^\s"']+`)
	// assignment is a setting of /etc/default/grub.
	assignment = regexp.MustCompile(`^GRUB_CMDLINE_LINUX(_DEFAULT)?=`)
)

// grubDefaults are the files that update-grub and grub2-mkconfig read.
var grubDefaults = []string{"etc/default/grub", "etc/default/grub.d/*.cfg"}

var grubChecks = []Check{
	{
		"root-argument", Error, unpacked, func(s *subject) []string {
			return s.grubLines(diskRoot)
		},
		"remove root= from GRUB_CMDLINE_LINUX: grub-mkconfig finds the root by itself",
		"it names a file system of the build's disk, which no machine has: the machine does not start",
		"kernel's command line: the last root= counts",
	}, {
		"boot-entries", Warning, unpacked, checkEntries,
		"remove root= from the entries and from /etc/kernel/cmdline in the build, or have curtin-hooks write them again",
		"they name a file system of the build's disk. Not every version of grub2-mkconfig writes them again, and a later kernel's entry is made of /etc/kernel/cmdline: the machine does not start with such an entry",
		"Boot Loader Specification; kernel-install(8)",
	}, {
		"disk-arguments", Warning, unpacked, func(s *subject) []string {
			found := s.grubLines(diskArgument)
			found = append(found, s.matching(diskArgument, "etc/dracut.conf.d/*.conf")...)
			return append(found, s.matching(regexp.MustCompile(`^RESUME="?(UUID=|/dev/)`), "etc/initramfs-tools/conf.d/*")...)
		},
		"remove them in the build",
		"they name volumes of the build's disk: each start waits for them, for half a minute and more, and dracut's may end in an emergency shell",
		"dracut.cmdline(7), initramfs-tools(7)",
	}, {
		"default-arguments", Warning, unpacked, checkDefaultArguments,
		"put them into GRUB_CMDLINE_LINUX",
		"curtin puts the arguments of the Ubuntu that deploys in their place",
		"curtin, curtin/commands/install_grub.py, replace_grub_cmdline_linux_default",
	}, {
		"grub-wrapper", Error, unpacked, checkWrapper,
		"remove /boot/efi/EFI/*/grub.cfg at the end of the build, or bring curtin-hooks that do, such as those of example/el",
		"on machines that start by UEFI, curtin has grub2-mkconfig write that file, which says \"will overwrite the GRUB wrapper\": the deployment fails",
		"Enterprise Linux 9 and Fedora, grub2-mkconfig; curtin, curtin/commands/install_grub.py",
	}, {
		"boot-menu-kept", Warning, unpacked, func(s *subject) []string {
			if s.builtin() || s.hookDoes("mkconfig", "update-grub", "grub.cfg", "update-bootloader") {
				return nil
			}
			return s.firstMatches(diskRoot, "boot/grub/grub.cfg", "boot/grub2/grub.cfg", "boot/grub2/grubenv", "boot/efi/EFI/*/grubenv")
		},
		"have the curtin-hooks write the menu for the machine: update-grub, or grub2-mkconfig",
		"the hooks of the image do not touch it, and it names the root file system of the build's disk: the machine does not start",
		"curtin, curtin/commands/curthooks.py, which hooks of an image's own replace",
	},
}

// grubLines are the settings of arguments that a pattern matches, but for those
// that curtin puts its own in place of.
func (s *subject) grubLines(pattern *regexp.Regexp) []string {
	var found []string
	for _, text := range s.Tree.Texts(grubDefaults...) {
		for _, line := range lines(text.Content) {
			name := assignment.FindString(line)
			replaced := s.Disk == nil && s.builtin() && text.Path == grubDefaults[0] && strings.Contains(name, "_DEFAULT")
			if m := pattern.FindString(line); name != "" && m != "" && !replaced {
				found = append(found, fmt.Sprintf("/%s has %s in %s", text.Path, quoted(strings.Trim(m, ` "'=`)), strings.TrimSuffix(name, "=")))
			}
		}
	}
	return found
}

// checkEntries looks at the boot loader's entries, unless GRUB does not read
// them or the hooks know of them.
func checkEntries(s *subject) []string {
	if slices.Contains(s.grubSettings(grubDefaults...), "GRUB_ENABLE_BLSCFG=false") || s.hookDoes("loader/entries", "grubby", "kernel-install", "update-bls-cmdline") {
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

// checkWrapper looks for a grub.cfg that leads to another, where curtin writes
// one, and a grub2-mkconfig that does not overwrite such a file.
func checkWrapper(s *subject) []string {
	guards := strings.Contains(s.Tree.Text("usr/sbin/grub2-mkconfig"), "GRUB wrapper")
	if !guards || s.family() != "redhat" || !s.builtin() || s.hookDoes("grub.cfg") {
		return nil
	}
	at := "boot/efi/EFI/" + s.efiFolder() + "/grub.cfg"
	return one(strings.Contains(s.Tree.Text(at), "configfile"), "/"+at+" leads to another grub.cfg, and the image's grub2-mkconfig refuses to overwrite it")
}

// grubSettings are the lines of files of settings, without quotes.
func (s *subject) grubSettings(files ...string) []string {
	var settings []string
	for _, text := range s.Tree.Texts(files...) {
		for _, line := range lines(text.Content) {
			settings = append(settings, strings.NewReplacer(`"`, "", "'", "").Replace(line))
		}
	}
	return settings
}

// ordinary are arguments that installers set by themselves.
var ordinary = []string{"quiet", "splash", "rhgb", "ro", "nosplash", "mitigations=auto"}

// lost are arguments that are of the build's machine alone, and good to lose.
var lost = []string{"splash", "console", "resume", "root", "rootflags"}

func checkDefaultArguments(s *subject) []string {
	if !s.builtin() || s.family() == "" {
		return nil
	}
	var found []string
	for _, line := range s.grubSettings(grubDefaults[0]) { // what is in grub.d stays
		value, ok := strings.CutPrefix(line, "GRUB_CMDLINE_LINUX_DEFAULT=")
		if !ok {
			continue
		}
		own := slices.DeleteFunc(strings.Fields(value), func(word string) bool {
			name, _, _ := strings.Cut(word, "=")
			return slices.Contains(ordinary, word) || slices.Contains(lost, name) || strings.HasPrefix(word, "$")
		})
		if len(own) > 0 {
			found = append(found, "GRUB_CMDLINE_LINUX_DEFAULT has "+quoted(strings.Join(own, " ")))
		}
	}
	return found
}
