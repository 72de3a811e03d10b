package check_test

import (
	"maps"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/facts"
)

func init() { maps.Copy(badImages, badWindows) }

var badWindows = map[string][]bad{
	"cloudbase-init": {{windows, windowsFiles(map[string]file{"curtin/finalize": {text: "#!/bin/sh\n"}, "Windows": {mode: folder}}), "no Cloudbase-Init", nil}},
	"windows-hooks":  {{windows, windowsFiles(map[string]file{"curtin": {mode: folder}, "Windows": {mode: folder}, "Program Files/Cloudbase Solutions/Cloudbase-Init": {mode: folder}}), `\curtin\finalize`, nil}},
	"windows-generalized": {
		{windows, registry(`SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State\ImageState`, "IMAGE_STATE_COMPLETE"), "IMAGE_STATE_COMPLETE", nil},
		{windows, both(registry(`SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State\ImageState`, ""),
			windowsFiles(windowsWith("Windows/Setup/State/State.ini", "[State]\r\nImageState=IMAGE_STATE_COMPLETE\r\n"))), "IMAGE_STATE_COMPLETE", nil},
	},
	"answer-files": {
		{windows, windowsFiles(windowsWith("Windows/Panther/Unattend.xml", "<Password>\n <Value>Passw0rd</Value>")), `\Windows\Panther\Unattend.xml has a password`, nil},
		{windows, windowsFiles(windowsWith("windows/PANTHER/unattend-original.xml", "<AdministratorPassword><Value>x</Value>")), "unattend-original.xml has a password", nil},
		{windows, windowsFiles(windowsWith("Windows/System32/Sysprep/Unattend.xml", "<Password><Value>x</Value>")), `\Windows\System32\Sysprep\Unattend.xml has`, nil},
		{windows, windowsFiles(windowsWith("unattend.xml", "<AutoLogon><Username>x</Username><Enabled>true</Enabled>")), `\unattend.xml logs in by itself`, nil},
	},
	"windows-name":   {{windows, windowsFiles(windowsWith("Windows/Panther/unattend.xml", "<ComputerName> packer </ComputerName>")), `"packer"`, nil}},
	"windows-loader": {{windows, volume(0, func(v *facts.Volume) { v.Files = volumeFiles(map[string]file{"EFI/Boot/bootx64.efi": {text: "MZ"}}) }), `\EFI\Microsoft\Boot\BCD`, nil}},
	"bitlocker": {{windows, func(i *img) {
		i.disk.Volumes = append(i.disk.Volumes, facts.Volume{Name: "partition 5", Type: "BitLocker", Unread: "x"})
	}, "partition 5 is encrypted", nil}},
	"ntfs-state": {{windows, volume(1, func(v *facts.Volume) { v.State = "Windows is hibernated" }), "partition 4: Windows is hibernated", nil}},

	"windows-autologon": {
		{windows, registry(`SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon\AutoAdminLogon`, "1"), "logs in by itself", nil},
		{windows, registry(`SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon\DefaultPassword`, "Passw0rd"), "DefaultPassword", nil},
	},
	"windows-accounts": {{windows, registry(`SAM\SAM\Domains\Account\Users\Names\packer\`, ""), `"packer"`, nil}},
	"windows-rdp": {
		{windows, registry(`SYSTEM\CurrentControlSet\Control\Terminal Server\fDenyTSConnections`, "0"), "have not logged in yet", nil},
		{windows, registry(`SOFTWARE\Policies\Microsoft\Windows NT\Terminal Services\fDenyTSConnections`, "0"), "are open", nil},
	},
	"windows-winrm":    {{windows, registry(`SOFTWARE\Microsoft\Windows\CurrentVersion\WSMAN\Service\allow_unencrypted`, "1"), "without encryption", nil}},
	"windows-firewall": {{windows, registry(`SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\PublicProfile\EnableFirewall`, "0"), "PublicProfile", nil}},
	"windows-hibernation": {
		{windows, registry(`SYSTEM\CurrentControlSet\Control\Power\HibernateEnabled`, "1"), "fast start-up", nil},
		{windows, windowsFiles(windowsWith("hiberfil.sys", strings.Repeat("x", 3<<20))), "3 MiB", nil},
	},
	"cloudbase-init-on": {
		{windows, registry(`SYSTEM\CurrentControlSet\Services\cloudbase-init\Start`, "4"), "disabled", nil},
		{windows, windowsFiles(windowsWith("Program Files/Cloudbase Solutions/Cloudbase-Init/conf/cloudbase-init.conf", "plugins = a,b\n")), "UserDataPlugin", nil},
	},
}

func windowsFiles(files map[string]file) func(*img) {
	return volume(1, func(v *facts.Volume) { v.Files = volumeFiles(files) })
}

func windowsWith(name, text string) map[string]file {
	return map[string]file{
		"curtin/finalize": {text: "#!/bin/sh\n"}, "Windows": {mode: folder}, name: {text: text},
		"Program Files/Cloudbase Solutions/Cloudbase-Init": {mode: folder},
	}
}

// registry sets a value.
func registry(at, value string) func(*img) {
	return volume(1, func(v *facts.Volume) { v.Registry[strings.ToLower(at)] = value })
}
