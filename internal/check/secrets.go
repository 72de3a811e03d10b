package check

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	noPassword = regexp.MustCompile(`\bNOPASSWD\s*:`)
	rootLogin  = regexp.MustCompile(`(?i)^PermitRootLogin\s+yes\b`)
)

// builders are the accounts that builds are known to work with, by name.
var builders = []string{"packer", "vagrant", "builder", "installer", "packer-build"}

var secretChecks = []Check{
	{
		"passwords", Error, linux, func(s *subject) []string {
			var found []string
			for _, user := range s.shadow() {
				if strings.HasPrefix(user.hash, "$") || len(user.hash) == 13 && user.hash[0] != '!' && user.hash[0] != '*' || strings.HasPrefix(user.hash, "_") {
					found = append(found, fmt.Sprintf("%s has a password", user.name))
				}
			}
			return found
		},
		"lock it at the end of the build (passwd -l, userdel): MAAS and cloud-init bring the users",
		"all machines have the same password, and whoever reaches the rack controllers can read its hash: they serve images without a login",
		"shadow(5); MAAS serves images by plain HTTP",
	}, {
		"empty-passwords", Error, linux, func(s *subject) []string {
			var found []string
			for _, user := range s.shadow() {
				if user.hash == "" {
					found = append(found, fmt.Sprintf("%s has an empty password", user.name))
				}
			}
			return found
		},
		"lock it at the end of the build: passwd -l",
		"anybody at the console, or wherever else it counts, is in",
		"shadow(5)",
	}, {
		"sudo-without-password", Warning, linux, func(s *subject) []string {
			return s.matching(noPassword, "etc/sudoers", "etc/sudoers.d/*")
		},
		"remove the rule in the build: cloud-init makes one for the machine's own user",
		"an account of that name, or in that group, is root on every machine",
		"sudoers(5)",
	}, {
		"authorized-keys", Warning, linux, func(s *subject) []string {
			var found []string
			for _, text := range s.Tree.Texts("root/.ssh/authorized_keys", "home/*/.ssh/authorized_keys") {
				if n := len(lines(text.Content)); n > 0 {
					found = append(found, fmt.Sprintf("/%s has %d", text.Path, n))
				}
			}
			return found
		},
		"remove the file at the end of the build: MAAS brings the keys of whoever deploys",
		"the owner of the build's key can log in to every machine",
		"sshd(8)",
	}, {
		"build-account", Warning, linux, func(s *subject) []string {
			var found []string
			for _, line := range lines(s.Tree.Text("etc/passwd")) {
				name, _, _ := strings.Cut(line, ":")
				if slices.Contains(builders, name) {
					found = append(found, "there is an account "+quoted(name))
				}
			}
			return found
		},
		"remove it at the end of the build: userdel --remove",
		"it stays on every machine",
		"the names are those that Packer's templates use",
	}, {
		"root-login", Warning, linux, func(s *subject) []string {
			if !slices.ContainsFunc(s.shadow(), func(a account) bool { return a.name == `"root"` && !a.locked() }) {
				return nil // some distributions have it so, with root locked
			}
			return s.matching(rootLogin, "etc/ssh/sshd_config.d/*.conf", "etc/ssh/sshd_config")
		},
		"remove the line in the build",
		"root can log in with a password from the network",
		"sshd_config(5)",
	}, {
		"leftovers", Warning, linux, func(s *subject) []string {
			return s.existing("root/.bash_history", "home/*/.bash_history", "root/anaconda-ks.cfg", "root/original-ks.cfg",
				"var/log/anaconda/ks-script-*.log", "var/log/installer/autoinstall-user-data", "root/autoinst.xml", "var/adm/autoinstall/cache/*",
				"var/lib/packer-cleanup")
		},
		"remove them at the end of the build",
		"they tell how the image was made, hashes of passwords included",
		"the installers' own documentation",
	},
}

// account is a line of /etc/shadow.
type account struct{ name, hash string }

// locked says whether no password is the account's.
func (a account) locked() bool {
	return strings.HasPrefix(a.hash, "!") || strings.HasPrefix(a.hash, "*")
}

func (s *subject) shadow() []account {
	var found []account
	for _, line := range lines(s.Tree.Text("etc/shadow")) {
		if fields := strings.Split(line, ":"); len(fields) > 1 {
			found = append(found, account{quoted(fields[0]), fields[1]})
		}
	}
	return found
}
