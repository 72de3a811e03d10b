package check

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	// hardware is an address of one network card.
	hardware = regexp.MustCompile(`(?i)\b(HWADDR|MACADDR|MACAddress|mac-address|macaddress|set-name|interface-name)\s*[=:]\s*\S`)
	// slirp are the addresses of the network that QEMU makes for a guest, and of
	// libvirt's.
	slirp = regexp.MustCompile(`^nameserver\s+(10\.0\.2\.\d+|192\.168\.122\.1|fec0::3)\b`)
	proxy = regexp.MustCompile(`(?i)^(export\s+)?(acquire::(https?|ftp)::proxy\s+"?https?:|https?_proxy\s*=\s*["']?[^\s"'$]|proxy\s*=\s*https?:|DefaultEnvironment=.*https?_proxy=)`)
)

var networkChecks = []Check{
	{
		"network-renderer", Warning, linux, func(s *subject) []string {
			is := s.has("netplan") || s.has("ifup") || s.has("nmcli") || s.has("NetworkManager") || s.has("wicked") ||
				s.enabled("systemd-networkd.service")
			return one(!is, "there is none of netplan, ifupdown, NetworkManager, wicked, and systemd-networkd is not enabled")
		},
		"install netplan.io, ifupdown, NetworkManager or wicked",
		"cloud-init has nothing to set up the machine's network with",
		"cloud-init, \"Network configuration outputs\"",
	}, {
		"network-leftovers", Warning, linux, checkNetworkFiles,
		"remove the files in the build",
		"they set up the network of the build's machine beside, or instead of, what MAAS gives",
		"curtin, curtin/commands/apply_net.py, removes few files of known names",
	}, {
		"resolv-conf", Warning, linux, func(s *subject) []string {
			f, ok := s.Tree.Stat("etc/resolv.conf")
			if !ok || !f.Mode.IsRegular() {
				return nil
			}
			return s.matching(slirp, "etc/resolv.conf")
		},
		"empty it in the build, or make it the symbolic link that the system's resolver wants",
		"it is the name server of the build's virtual machine, which no other machine reaches",
		"QEMU, user networking",
	}, {
		"proxy", Warning, linux, func(s *subject) []string {
			return s.matching(proxy, "etc/environment", "etc/apt/apt.conf", "etc/apt/apt.conf.d/*", "etc/yum.conf", "etc/dnf/dnf.conf",
				"etc/profile.d/*", "etc/systemd/system.conf.d/*", "etc/sysconfig/proxy")
		},
		"remove it in the build, unless all machines are to use it",
		"a proxy of the build's network need not be there for the machines, and may carry a password",
		"apt.conf(5), dnf.conf(5), environment(5)",
	}, {
		"ssh-server", Warning, linux, func(s *subject) []string {
			return one(!s.has("sshd"), "there is no ssh server")
		},
		"install openssh-server",
		"the keys that MAAS puts on the machine let nobody in",
		"sshd(8)",
	},
}

func checkNetworkFiles(s *subject) []string {
	found := slices.DeleteFunc(s.existing("etc/netplan/*.yaml", "etc/netplan/*.yml"), func(at string) bool {
		return path.Base(at) == "50-cloud-init.yaml" // cloud-init writes it anew
	})
	for _, at := range s.existing("etc/sysconfig/network-scripts/ifcfg-*", "etc/sysconfig/network/ifcfg-*") {
		if path.Ext(at) == "" && path.Base(at) != "ifcfg-lo" {
			found = append(found, at+" is for one network card")
		}
	}
	for _, text := range s.Tree.Texts("etc/NetworkManager/system-connections/*", "etc/systemd/network/*.network", "etc/systemd/network/*.link") {
		if hardware.MatchString(text.Content) {
			found = append(found, "/"+text.Path+" is for one network card")
		}
	}
	for _, text := range s.Tree.Texts("etc/network/interfaces", "etc/network/interfaces.d/*") {
		for _, line := range lines(text.Content) {
			fields := strings.Fields(line)
			if len(fields) > 1 && fields[0] == "iface" && fields[1] != "lo" {
				found = append(found, "/"+text.Path+" says "+quoted(line))
			}
		}
	}
	return append(found, s.existing("etc/udev/rules.d/*-persistent-net.rules")...)
}
