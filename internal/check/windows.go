package check

import (
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/facts"
)

var windowsChecks = []Check{
	{
		"cloudbase-init", Error, windows, func(s *subject) []string {
			return one(!s.onWindows("Program Files/Cloudbase Solutions/Cloudbase-Init"), "there is no Cloudbase-Init")
		},
		"install Cloudbase-Init before Sysprep",
		"MAAS counts a machine as deployed when it reports: it fails after half an hour",
		"MAAS, metadataserver/api.py",
	}, {
		"windows-hooks", Error, windows, func(s *subject) []string {
			return one(len(s.hooks("finalize")) == 0 && s.hook.Path == "", "there is neither \\curtin\\curtin-hooks nor \\curtin\\finalize")
		},
		"have the installation put them there, such as those of github.com/cloudbase/windows-curtin-hooks",
		"curtin takes Windows for a Linux to configure, and the deployment fails; nothing tells Cloudbase-Init where MAAS is",
		"MAAS, curtin_userdata_windows",
	}, {
		"unattend", Warning, windows, func(s *subject) []string {
			var found []string
			for _, at := range []string{"Windows/Panther/unattend.xml", "Windows/Panther/Unattend/unattend.xml", "Autounattend.xml", "unattend.xml"} {
				if s.onWindows(at) {
					found = append(found, "there is \\"+strings.ReplaceAll(at, "/", `\`))
				}
			}
			return found
		},
		"remove it at the end of the build, and let Sysprep have Cloudbase-Init's own",
		"the answers of the build's installation, passwords included, are on every machine; Windows applies them again",
		"Windows Setup, implicit answer file search order",
	}, {
		"hibernated", Error, windows, func(s *subject) []string {
			return one(s.onWindows("hiberfil.sys"), "there is \\hiberfil.sys: the system may be asleep, not shut down")
		},
		"turn it off in the build: powercfg /hibernate off, and shut down fully",
		"Linux does not mount a file system of a sleeping Windows for writing: curtin does not find it, or its hooks cannot write",
		"ntfs-3g(8)",
	},
}

// onWindows says whether there is a file on the volume of Windows, whose names
// do not tell upper from lower case.
func (s *subject) onWindows(name string) bool {
	return findFold(s.windowsVolume().Files, ".", strings.Split(name, "/"))
}

func findFold(t *facts.Tree, dir string, rest []string) bool {
	if len(rest) == 0 {
		return true
	}
	for _, name := range t.Names(dir) {
		if strings.EqualFold(name, rest[0]) && findFold(t, dir+"/"+name, rest[1:]) {
			return true
		}
	}
	return false
}
