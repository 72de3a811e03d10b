package check

import (
	"fmt"
	"slices"
	"strings"
)

// Keys of Windows' registry, in the set of settings that it starts with.
const (
	winlogon  = `Microsoft\Windows NT\CurrentVersion\Winlogon`
	terminal  = `CurrentControlSet\Control\Terminal Server`
	firewalls = `CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\`
)

var registryChecks = []Check{
	{
		"windows-autologon", Error, windows, func(s *subject) []string {
			found := one(s.registry("SOFTWARE", winlogon, "AutoAdminLogon") == "1", "Windows logs in by itself")
			return append(found, one(s.registry("SOFTWARE", winlogon, "DefaultPassword") != "", "a password is in the registry, in Winlogon's DefaultPassword")...)
		},
		"remove the values AutoAdminLogon and DefaultPassword of Winlogon at the end of the build",
		"whoever is at the console is an administrator, and the build's password is on every machine for all to read",
		"Windows, \"Turn on automatic logon\"",
	}, {
		"windows-accounts", Warning, windows, func(s *subject) []string {
			var found []string
			for _, name := range s.windowsVolume().Registry.Keys("SAM", `SAM\Domains\Account\Users\Names`) {
				if slices.Contains(builders, name) {
					found = append(found, "there is an account "+quoted(name))
				}
			}
			return found
		},
		"remove it at the end of the build: net user NAME /delete",
		"Sysprep keeps accounts: it stays on every machine, with its password",
		"Windows, \"Sysprep (Generalize)\"; the names are those that Packer's templates use",
	}, {
		"windows-rdp", Warning, windows, checkRDP,
		"set fDenyTSConnections to 1 at the end of the build; UserAuthentication to 1, if remote desktops are meant to be open",
		"everybody on the network can try passwords, without logging in first even see the screen",
		"Windows, \"Enable Remote Desktop\", Terminal Server and RDP-Tcp in the registry",
	}, {
		"windows-winrm", Warning, windows, func(s *subject) []string {
			const service = `Microsoft\Windows\CurrentVersion\WSMAN\Service`
			return one(s.registry("SOFTWARE", service, "allow_unencrypted") == "1", "WinRM takes passwords without encryption")
		},
		"run `winrm set winrm/config/service @{AllowUnencrypted=\"false\"}` at the end of the build",
		"administrators' passwords can be read on the network",
		"Windows, \"Installation and configuration for Windows Remote Management\"",
	}, {
		"windows-firewall", Warning, windows, func(s *subject) []string {
			var found []string
			for _, profile := range []string{"DomainProfile", "StandardProfile", "PublicProfile"} {
				if s.registry("SYSTEM", firewalls+profile, "EnableFirewall") == "0" {
					found = append(found, "the firewall is off ("+profile+")")
				}
			}
			return found
		},
		"run `netsh advfirewall set allprofiles state on` at the end of the build",
		"all that listens on a machine is open to its network",
		"Windows, \"Windows Firewall\", EnableFirewall in the registry",
	}, {
		"windows-hibernation", Warning, windows, checkHibernation,
		"run `powercfg /h off` in the build",
		"the image carries what was in memory, and a machine that is shut down leaves a volume that no other system may write",
		"Windows, \"powercfg /hibernate\"; ntfs-3g(8)",
	}, {
		"cloudbase-init-on", Error, windows, checkCloudbase,
		"have its service started automatically, and UserDataPlugin among the plugins of cloudbase-init.conf",
		"MAAS counts a machine as deployed when it asks for its user-data: it fails after half an hour",
		"MAAS, metadataserver/api.py; Cloudbase-Init, conf/default.py",
	},
}

// registry is a value of Windows' registry; "" if it is not known.
func (s *subject) registry(hive, key, name string) string {
	return s.windowsVolume().Registry.Get(hive, key, name)
}

func checkRDP(s *subject) []string {
	deny := s.registry("SOFTWARE", `Policies\Microsoft\Windows NT\Terminal Services`, "fDenyTSConnections")
	if deny == "" {
		deny = s.registry("SYSTEM", terminal, "fDenyTSConnections")
	}
	if deny != "0" {
		return nil
	}
	if s.registry("SYSTEM", terminal+`\WinStations\RDP-Tcp`, "UserAuthentication") == "0" {
		return []string{"remote desktops are open, also to those who have not logged in yet"}
	}
	return []string{"remote desktops are open"}
}

func checkHibernation(s *subject) []string {
	const power = `CurrentControlSet\Control\Power`
	on := s.registry("SYSTEM", power, "HibernateEnabled")
	if on == "" {
		on = s.registry("SYSTEM", power, "HibernateEnabledDefault")
	}
	fast := s.registry("SYSTEM", `CurrentControlSet\Control\Session Manager\Power`, "HiberbootEnabled")
	found := one(on == "1" && fast == "1", "fast start-up is on")
	if at, ok := s.findOnWindows("hiberfil.sys"); ok {
		f, _ := s.windowsVolume().Files.Stat(at)
		found = append(found, one(f.Size > 0, fmt.Sprintf(`\hiberfil.sys has %d MiB`, f.Size>>20))...)
	}
	return found
}

// checkCloudbase looks at what keeps Cloudbase-Init from reporting. The hooks of
// example/windows put its plugins right by themselves.
func checkCloudbase(s *subject) []string {
	var found []string
	_, later := s.findOnWindows("Windows/Setup/Scripts/SetupComplete.cmd") // which may switch it on
	start := s.registry("SYSTEM", `CurrentControlSet\Services\cloudbase-init`, "Start")
	found = append(found, one(start == "4" && !later, "the service cloudbase-init is disabled")...)
	if _, ours := s.findOnWindows("curtin/maas/cloudbase.py"); ours {
		return found
	}
	conf, ok := s.onWindows("Program Files/Cloudbase Solutions/Cloudbase-Init/conf/cloudbase-init.conf")
	listed := false
	for _, line := range lines(conf) {
		name, _, is := strings.Cut(line, "=")
		listed = listed || is && strings.TrimSpace(name) == "plugins"
	}
	return append(found, one(ok && listed && !strings.Contains(conf, "UserDataPlugin"), "cloudbase-init.conf leaves out UserDataPlugin")...)
}
