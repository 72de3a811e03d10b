package check

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/facts"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// apart are the folders that people give file systems of their own.
var apart = []string{"boot/efi", "boot", "var", "usr", "home", "tmp", "opt", "srv"}

var imageChecks = []Check{
	{
		"whole", Error, tarball | disk, func(s *subject) []string {
			return one(s.Damage != "", s.Damage)
		},
		"make or fetch the image again",
		"a damaged tarball ends a deployment; a damaged image of a disk is deployed all the same, and called a success",
		"curtin's pipe of wget, a decompressor and dd heeds the last one's exit status alone",
	}, {
		"one-disk", Error, disk, func(s *subject) []string {
			return one(s.Members > 1, fmt.Sprintf("the tar holds %d files", s.Members))
		},
		"make a tar of the disk alone",
		"what is written to the machine are all files, one after the other, and there is no partition table then",
		"curtin extracts these filetypes by tar -xO",
	}, {
		"system-tree", Error, tarball, checkTree,
		"make the tar in the system's root folder, as tar -C /path/to/root -c .",
		"MAAS lays the tar over the machine's root folder; what is not a system there does not become one",
		"curtin, curtin/commands/extract.py",
	}, {
		"inside-root", Error, tarball, func(s *subject) []string {
			return each(s.Tree.Refused, "the tar has the name %q")
		},
		"make the tar without such names",
		"tar refuses them, and the deployment fails",
		"GNU tar: Member name contains '..', File name too long",
	}, {
		"ubuntu-core", Error, linux, checkCore,
		"remove the folder; snapd keeps snaps in /snap and /var/lib/snapd",
		"curtin takes such a system for Ubuntu Core: nothing is configured, no boot loader installed, and the deployment is called a success",
		"curtin, curtin/distro.py, is_ubuntu_core",
	}, {
		"efi-files", Error, tarball, checkEFIFiles,
		"keep only plain files of root below /boot/efi, with names that FAT can hold",
		"on machines that start by UEFI, /boot/efi is FAT when the tar is extracted: tar fails at whatever FAT cannot hold, and the deployment with it",
		"tried with GNU tar 1.34 on vfat",
	}, {
		"hard-links", Warning, tarball, checkLinks,
		"make them copies, or symbolic links",
		"with a storage layout in which these folders are file systems of their own, tar fails with \"Invalid cross-device link\", and the deployment with it",
		"tried with GNU tar 1.34",
	}, {
		"kernel-folders", Warning, tarball, func(s *subject) []string {
			var found []string
			for _, dir := range []string{"proc", "sys"} {
				if n := len(s.Tree.Names(dir)); n > 0 {
					found = append(found, fmt.Sprintf("/%s has %d entries", dir, n))
				}
			}
			return found
		},
		"leave out what the kernel shows there: tar --one-file-system does",
		"they are of the machine that built the image, and end as plain files below the mount points",
		"proc(5), sysfs(5)",
	},
}

// each is a problem for each word.
func each(words []string, format string) []string {
	var found []string
	for _, word := range words {
		found = append(found, fmt.Sprintf(format, word))
	}
	return found
}

func checkTree(s *subject) []string {
	if s.isSystem() {
		return nil
	}
	top := s.Tree.Names(".")
	if len(top) == 1 && s.Tree.IsFolder(top[0]+"/etc") {
		return []string{fmt.Sprintf("the system is in a folder %s, not at the top", quoted(top[0]))}
	}
	if len(top) == 0 {
		return []string{"the image is empty"}
	}
	return []string{fmt.Sprintf("there is no /etc or no /usr; at the top are %s", quoted(strings.Join(top[:min(len(top), 8)], ", ")))}
}

func checkCore(s *subject) []string {
	if s.Tree.Release["ID"] == "ubuntu-core" {
		return nil
	}
	var found []string
	for _, dir := range []string{"snaps", "system-data/var/lib/snapd"} {
		if s.Tree.IsFolder(dir) {
			found = append(found, "there is a folder /"+dir)
		}
	}
	return found
}

func checkEFIFiles(s *subject) []string {
	var found []string
	s.Tree.Files("boot/efi", func(at string, f facts.File) {
		problem := ""
		switch name := path.Base(at); {
		case f.HardLink != "":
			problem = "is a hard link"
		case f.Mode.Type() == filesystem.ModeSymlink:
			problem = "is a symbolic link"
		case !f.Mode.IsDir() && !f.Mode.IsRegular():
			problem = "is neither a file nor a folder"
		case f.UID != 0 || f.GID != 0:
			problem = fmt.Sprintf("belongs to %d:%d", f.UID, f.GID)
		case strings.ContainsAny(name, `"*:<>?\|`):
			problem = "has a name that FAT cannot hold"
		}
		if problem != "" {
			found = append(found, "/"+at+" "+problem)
		}
	})
	return found
}

func checkLinks(s *subject) []string {
	var found []string
	s.Tree.Files(".", func(at string, f facts.File) {
		if f.HardLink != "" && place(at) != place(f.HardLink) {
			found = append(found, fmt.Sprintf("/%s and /%s are one file", f.HardLink, at))
		}
	})
	return found
}

// place is the file system that a path may be on.
func place(at string) string {
	i := slices.IndexFunc(apart, func(dir string) bool { return strings.HasPrefix(at, dir+"/") })
	if i < 0 {
		return ""
	}
	return apart[i]
}
