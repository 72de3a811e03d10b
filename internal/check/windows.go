package check

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/facts"
)

var (
	// answered is a password in an answer file; Setup puts a note in its place
	// when it has used it.
	answered   = regexp.MustCompile(`(?is)<(?:AdministratorPassword|Password)>\s*<Value>\s*([^<\s][^<]*)`)
	autologon  = regexp.MustCompile(`(?is)<AutoLogon\b.*?<Enabled>\s*true`)
	usedUp     = "*SENSITIVE*DATA*DELETED*"
	named      = regexp.MustCompile(`(?is)<ComputerName>\s*([^<\s*][^<]*?)\s*</ComputerName>`)
	imageState = regexp.MustCompile(`(?i)ImageState\s*=\s*(\w+)`)
)

// answerFolders are where Windows looks for answers by itself, and keeps them.
var answerFolders = []string{".", "Windows/Panther", "Windows/Panther/Unattend", "Windows/System32/Sysprep"}

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
		"have the installation put them there, such as those of example/windows/curtin",
		"curtin takes Windows for a Linux to configure, and the deployment fails; nothing tells Cloudbase-Init where MAAS is",
		"MAAS, curtin_userdata_windows",
	}, {
		"windows-generalized", Warning, windows, func(s *subject) []string {
			state := s.imageState()
			return one(state != "" && !strings.HasPrefix(state, "IMAGE_STATE_GENERALIZE"), "Sysprep has not generalized the system: its state is "+quoted(state))
		},
		"shut it down by sysprep /generalize /oobe /shutdown at the end of the build",
		"all machines have the same identity, and drivers of the build's machine alone",
		"Windows, \"Windows Setup States\"",
	}, {
		"answer-files", Error, windows, checkAnswers,
		"remove it at the end of the build, and give Sysprep the answer file of Cloudbase-Init",
		"the password of the build's installation is on every machine; Windows applies the file again at the first start",
		"Windows Setup, implicit answer file search order",
	}, {
		"windows-name", Warning, windows, func(s *subject) []string {
			var found []string
			for _, file := range s.answers() {
				if m := named.FindStringSubmatch(file.Content); m != nil {
					found = append(found, file.Path+" names the computer "+quoted(m[1]))
				}
			}
			return found
		},
		"give Sysprep an answer file without a ComputerName, or with the name *",
		"all machines start with that name, and are at odds on the network until Cloudbase-Init has given them their own",
		"Windows Setup, Microsoft-Windows-Shell-Setup, ComputerName",
	}, {
		"windows-loader", Error, windows, func(s *subject) []string {
			var found []string
			for _, v := range s.Disk.Volumes {
				if v.IsESP() && v.Files != nil && len(loaders(v.Files)) > 0 && !hasStore(v.Files) {
					found = append(found, v.Name+` has no \EFI\Microsoft\Boot\BCD`)
				}
			}
			return found
		},
		"have Windows Setup make it, or bcdboot",
		"the boot loader knows no Windows to start, and stops with the code 0xc000000f",
		"Windows, \"BCDBoot Command-Line Options\"",
	}, {
		"bitlocker", Error, disk, func(s *subject) []string {
			var found []string
			for _, v := range s.Disk.Volumes {
				if v.Type == "BitLocker" {
					found = append(found, v.Name+" is encrypted by BitLocker")
				}
			}
			return found
		},
		"run `manage-bde -off` in Windows and let it finish, and set PreventDeviceEncryption in the answer file",
		"curtin cannot find the system on it, and no other machine has the key",
		"Linux's mount(8); Windows, \"BitLocker device encryption\"",
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

// imageState is how far Sysprep came; "" if it is not known.
func (s *subject) imageState() string {
	if state := s.registry("SOFTWARE", `Microsoft\Windows\CurrentVersion\Setup\State`, "ImageState"); state != "" {
		return state
	}
	text, _ := s.onWindows("Windows/Setup/State/State.ini")
	if m := imageState.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// hasStore says whether there is a list of systems to start.
func hasStore(esp *facts.Tree) bool {
	return slices.ContainsFunc(esp.Glob("*/*/*/*"), func(at string) bool { return strings.EqualFold(at, "EFI/Microsoft/Boot/BCD") })
}

// answers are the answer files of Windows Setup and Sysprep, by their names in
// Windows' words.
func (s *subject) answers() []facts.Text {
	var found []facts.Text
	files := s.windowsVolume().Files
	for _, dir := range answerFolders {
		at, ok := s.findOnWindows(dir)
		if !ok {
			continue
		}
		for _, name := range files.Names(at) {
			if lower := strings.ToLower(name); !strings.Contains(lower, "unattend") || !strings.HasSuffix(lower, ".xml") {
				continue
			}
			at := strings.TrimPrefix(at+"/"+name, "./")
			found = append(found, facts.Text{Path: `\` + strings.ReplaceAll(at, "/", `\`), Content: files.Text(at)})
		}
	}
	return found
}

func checkAnswers(s *subject) []string {
	var found []string
	for _, file := range s.answers() {
		for _, m := range answered.FindAllStringSubmatch(file.Content, -1) {
			if strings.TrimSpace(m[1]) != usedUp {
				found = append(found, file.Path+" has a password")
				break
			}
		}
		if autologon.MatchString(file.Content) {
			found = append(found, file.Path+" logs in by itself")
		}
	}
	return found
}

// onWindows finds a file on the volume of Windows, and its content if that is read.
func (s *subject) onWindows(name string) (string, bool) {
	at, ok := s.findOnWindows(name)
	return s.windowsVolume().Files.Text(at), ok
}

// findOnWindows finds a file on the volume of Windows, whose names do not tell upper
// from lower case.
func (s *subject) findOnWindows(name string) (string, bool) {
	files := s.windowsVolume().Files
	at := "."
	for part := range strings.SplitSeq(name, "/") {
		next := ""
		for _, n := range files.Names(at) {
			if strings.EqualFold(n, part) {
				next = n
			}
		}
		if next == "" && part != "." {
			return "", false
		}
		at = path.Join(at, next)
	}
	return at, true
}

// windowsVolume is the one that Windows is on.
func (s *subject) windowsVolume() *facts.Volume {
	for i, v := range s.Disk.Volumes {
		if v.Files == nil {
			continue
		}
		for _, name := range v.Files.Names(".") {
			if strings.EqualFold(name, "Windows") && v.Files.IsFolder(name) {
				return &s.Disk.Volumes[i]
			}
		}
	}
	return nil
}
