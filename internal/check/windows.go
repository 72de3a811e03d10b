package check

import (
	"regexp"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/facts"
)

var (
	// answered is a password in an answer file; Setup puts a note in its place
	// when it has used it.
	answered   = regexp.MustCompile(`(?is)<(?:AdministratorPassword|Password)>\s*<Value>\s*([^<\s][^<]*)`)
	autologon  = regexp.MustCompile(`(?is)<AutoLogon\b.*?<Enabled>\s*true`)
	usedUp     = "*SENSITIVE*DATA*DELETED*"
	imageState = regexp.MustCompile(`(?i)ImageState\s*=\s*(\w+)`)
)

// answerFiles are where Windows looks for answers by itself.
var answerFiles = []string{"Windows/Panther/unattend.xml", "Windows/Panther/Unattend/unattend.xml", "unattend.xml", "autounattend.xml"}

var windowsChecks = []Check{
	{
		"cloudbase-init", Error, windows, func(s *subject) []string {
			_, ok := s.onWindows("Program Files/Cloudbase Solutions/Cloudbase-Init")
			return one(!ok, "there is no Cloudbase-Init")
		},
		"install Cloudbase-Init before Sysprep",
		"MAAS counts a machine as deployed when it reports: it fails after half an hour",
		"MAAS, metadataserver/api.py",
	}, {
		"windows-hooks", Error, windows, func(s *subject) []string {
			return one(len(s.hooks("finalize")) == 0 && s.hook.Path == "", `there is neither \curtin\curtin-hooks nor \curtin\finalize`)
		},
		"have the installation put them there, such as those of github.com/cloudbase/windows-curtin-hooks",
		"curtin takes Windows for a Linux to configure, and the deployment fails; nothing tells Cloudbase-Init where MAAS is",
		"MAAS, curtin_userdata_windows",
	}, {
		"windows-generalized", Warning, windows, func(s *subject) []string {
			text, _ := s.onWindows("Windows/Setup/State/State.ini")
			state := imageState.FindStringSubmatch(text)
			return one(state != nil && !strings.HasPrefix(state[1], "IMAGE_STATE_GENERALIZE"), "Sysprep has not generalized the system: its state is "+stateOf(state))
		},
		"shut it down by sysprep /generalize /oobe /shutdown at the end of the build",
		"all machines have the same identity, and drivers of the build's machine alone",
		"Windows, \"Windows Setup States\"",
	}, {
		"answer-files", Warning, windows, checkAnswers,
		"remove it at the end of the build, and give Sysprep the answer file of Cloudbase-Init",
		"the password of the build's installation is on every machine; Windows applies the file again at the first start",
		"Windows Setup, implicit answer file search order",
	}, {
		"ntfs-state", Error, disk, func(s *subject) []string {
			var found []string
			for _, v := range s.Disk.Volumes {
				if v.State != "" && v.Installer() != "" {
					found = append(found, v.Name+": "+v.State)
				}
			}
			return found
		},
		"then build the image again",
		"Linux does not mount such a file system for writing: curtin does not find the system, or its hooks cannot write",
		"ntfs-3g(8), Linux's ntfs3",
	},
}

func stateOf(match []string) string {
	if match == nil {
		return ""
	}
	return quoted(match[1])
}

func checkAnswers(s *subject) []string {
	var found []string
	for _, name := range answerFiles {
		text, ok := s.onWindows(name)
		if !ok {
			continue
		}
		shown := `\` + strings.ReplaceAll(name, "/", `\`)
		for _, m := range answered.FindAllStringSubmatch(text, -1) {
			if strings.TrimSpace(m[1]) != usedUp {
				found = append(found, shown+" has a password")
				break
			}
		}
		if autologon.MatchString(text) {
			found = append(found, shown+" logs in by itself")
		}
	}
	return found
}

// onWindows finds a file on the volume of Windows, whose names do not tell upper
// from lower case, and its content if that is read.
func (s *subject) onWindows(name string) (string, bool) {
	files := s.windowsVolume().Files
	at := "."
	for part := range strings.SplitSeq(name, "/") {
		next := ""
		for _, n := range files.Names(at) {
			if strings.EqualFold(n, part) {
				next = n
			}
		}
		if next == "" {
			return "", false
		}
		at = strings.TrimPrefix(at+"/"+next, "./")
	}
	return files.Text(at), true
}

// windowsVolume is the one that Windows is on.
func (s *subject) windowsVolume() *facts.Volume {
	for i, v := range s.Disk.Volumes {
		if v.Files != nil && v.Files.IsFolder("Windows") {
			return &s.Disk.Volumes[i]
		}
	}
	return nil
}
