package check

import "strings"

var identityChecks = []Check{
	{
		"machine-id", Warning, linux, func(s *subject) []string {
			id := strings.TrimSpace(s.Tree.Text("etc/machine-id"))
			return one(id != "" && id != "uninitialized", "/etc/machine-id is set")
		},
		"empty the file in the build; of a tarball, leave machine-id out of keep_identity",
		"all machines have the same, and with it the same addresses by DHCP, in many networks",
		"machine-id(5)",
	}, {
		"ssh-host-keys", Warning, linux, func(s *subject) []string {
			return s.existing("etc/ssh/ssh_host_*_key")
		},
		"remove them in the build, for they are made anew at the first start; of a tarball, leave ssh-host-keys out of keep_identity",
		"who has the image has the keys of all machines",
		"sshd(8)",
	}, {
		"random-seed", Warning, linux, func(s *subject) []string {
			return s.existing("var/lib/systemd/random-seed", "var/lib/urandom/random-seed", "var/lib/random-seed",
				"boot/loader/random-seed", "boot/efi/loader/random-seed", "efi/loader/random-seed")
		},
		"remove it in the build; of a tarball, leave random-seed out of keep_identity",
		"all machines begin with the same",
		"systemd-random-seed.service(8)",
	}, {
		"subscription", Warning, linux, func(s *subject) []string {
			return s.existing("etc/pki/consumer/cert.pem", "etc/pki/entitlement/*.pem", "etc/sysconfig/rhn/systemid",
				"etc/zypp/credentials.d/*", "var/lib/ubuntu-advantage/private/machine-token.json")
		},
		"unregister at the end of the build: subscription-manager unregister and clean, SUSEConnect --de-register, pro detach",
		"all machines are one to the vendor, with the credentials of the build",
		"subscription-manager(8), SUSEConnect(8), pro(1)",
	},
}
