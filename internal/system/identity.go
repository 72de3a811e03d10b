package system

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// identity is something that belongs to one machine alone, and that its
// software makes anew where it is missing.
type identity struct {
	name   string
	remove []string // path.Match patterns; folders go with all that is in them
	empty  []string // regular files that stay, without content
	files  []string // removed if they are regular files; links to others stay
}

// identities are reset in every image unless kept by name.
var identities = []identity{
	{
		// Empty rather than missing, as machine-id(5) wants it in an image:
		// then systemd can make one also where /etc is read only.
		name:   "machine-id",
		empty:  []string{"etc/machine-id"},
		remove: []string{"var/lib/systemd/credential.secret"},
		files:  []string{"var/lib/dbus/machine-id"},
	},
	{
		// What `cloud-init clean --logs` removes, but for a seed and scripts
		// that somebody put there, and the network settings it rendered for
		// the machine that built the image.
		name: "cloud-init",
		remove: []string{
			"var/lib/cloud/instance", "var/lib/cloud/instances/*", "var/lib/cloud/data/*",
			"var/lib/cloud/sem/*", "var/lib/cloud/handlers/*", "var/log/cloud-init*.log*",
			"etc/netplan/50-cloud-init.yaml", "etc/network/interfaces.d/50-cloud-init*",
			"etc/NetworkManager/system-connections/cloud-init-*.nmconnection",
		},
	},
	{
		name: "ssh-host-keys",
		remove: []string{
			"etc/ssh/ssh_host_*_key", "etc/ssh/ssh_host_*_key.pub", "etc/ssh/ssh_host_*_key-cert.pub",
		},
	},
	{
		name: "random-seed",
		remove: []string{
			"var/lib/systemd/random-seed", "var/lib/urandom/random-seed", "var/lib/random-seed",
			"boot/loader/random-seed", "boot/efi/loader/random-seed", "efi/loader/random-seed",
		},
	},
	{
		name: "dhcp-leases",
		remove: []string{
			"var/lib/dhcp/*.lease*", "var/lib/dhclient/*.lease*", "var/lib/dhcpcd/*", "var/lib/dhcpcd5/*",
			"var/lib/NetworkManager/*.lease", "var/lib/NetworkManager/secret_key",
			"var/lib/NetworkManager/timestamps", "var/lib/NetworkManager/seen-bssids",
			"var/lib/wicked/lease-*", "var/lib/wicked/duid.xml",
		},
	},
	{
		name:   "udev-net-rules",
		remove: []string{"etc/udev/rules.d/*-persistent-net.rules"},
	},
}

// Identities are the names by which an identity can be kept.
func Identities() []string {
	var names []string
	for _, i := range identities {
		names = append(names, i.name)
	}
	return names
}

// change is what the identity reset does to a name.
type change int

const (
	leave change = iota
	remove
	empty
)

// rule is a change to the names in one folder that match a pattern.
type rule struct {
	pattern string
	change  change
	regular bool // only where it is a regular file
}

// reset holds the rules by the folder they apply in.
type reset map[string][]rule

func newReset(keep []string) (reset, error) {
	for _, name := range keep {
		if !slices.Contains(Identities(), name) {
			return nil, fmt.Errorf("no identity is called %q; there are %s", name, strings.Join(Identities(), ", "))
		}
	}
	r := reset{}
	for _, i := range identities {
		if slices.Contains(keep, i.name) {
			continue
		}
		r.add(i.remove, remove, false)
		r.add(i.empty, empty, true)
		r.add(i.files, remove, true)
	}
	return r, nil
}

func (r reset) add(patterns []string, c change, regular bool) {
	for _, p := range patterns {
		dir := path.Dir(p)
		r[dir] = append(r[dir], rule{path.Base(p), c, regular})
	}
}

// follow makes the rules hold where the image's symbolic links lead, too: in
// the folder that one stands for, and in a file that is to be emptied. What is
// missing has no rules to follow, and what is damaged is found by the walk.
func (r reset) follow(ns namespace) {
	for dir, rules := range maps.Clone(r) {
		for _, one := range rules {
			if one.change != empty {
				continue
			}
			if _, at, err := ns.lookup(path.Join(dir, one.pattern)); err == nil {
				one.pattern = escape.Replace(path.Base(at))
				r[path.Dir(at)] = append([]rule{one}, r[path.Dir(at)]...)
			}
		}
	}
	for dir, rules := range maps.Clone(r) {
		if _, at, err := ns.lookup(dir); err == nil && at != dir {
			r[at] = append(r[at], rules...)
		}
	}
}

// escape makes a pattern of path.Match out of a name.
var escape = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// of says what happens to a name in a folder.
func (r reset) of(dir, name string, mode filesystem.Mode) change {
	for _, rule := range r[dir] {
		if rule.regular && !mode.IsRegular() {
			continue
		}
		if ok, _ := path.Match(rule.pattern, name); ok {
			return rule.change
		}
	}
	return leave
}
