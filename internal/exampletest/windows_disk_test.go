package exampletest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/check"
	"github.com/packer-maas/packer-plugin-maas/internal/facts"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/hive/hivetest"
	"github.com/packer-maas/packer-plugin-maas/internal/packertest"
	"github.com/packer-maas/packer-plugin-maas/internal/region/regiontest"
)

// The partitions of the template's answers to Setup, in MiB; those of Windows and
// its recovery are smaller here.
const (
	windowsESP, windowsMSR, windowsRecovery, windowsSystem = 260, 16, 64, 320
	windowsNumber                                          = 4
)

// windowsDisk is a disk as Setup and the template's scripts leave it, in parts.
type windowsDisk struct {
	loader bool   // it has Windows' boot loader, with the list of what it starts
	system string // the volume of Windows
}

// windowsHives are what Windows' registry says that checks look at, with so many
// services as there are.
func windowsHives() map[string]hivetest.Values {
	const set = `ControlSet001\`
	system := hivetest.Values{
		`Select\Current`: "dword:00000001", set + `Control\Terminal Server\fDenyTSConnections`: "dword:00000001",
		set + `Control\Terminal Server\WinStations\RDP-Tcp\UserAuthentication`: "dword:00000001",
		set + `Control\Session Manager\Power\HiberbootEnabled`:                 "dword:00000000", set + `Control\Power\HibernateEnabled`: "dword:00000000",
		set + `Services\cloudbase-init\Start`:                                                "dword:00000002",
		set + `Services\SharedAccess\Parameters\FirewallPolicy\PublicProfile\EnableFirewall`: "dword:00000001",
	}
	for i := range 700 {
		system[fmt.Sprintf(`%sServices\service%d\Start`, set, i)] = "dword:00000003"
	}
	return map[string]hivetest.Values{
		"SYSTEM": system,
		"SOFTWARE": {
			`Microsoft\Windows NT\CurrentVersion\Winlogon\AutoAdminLogon`: `"0"`, `Microsoft\Windows NT\CurrentVersion\Winlogon\Shell`: `"explorer.exe"`,
			`Microsoft\Windows\CurrentVersion\Setup\State\ImageState`: `"IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"`,
		},
		"SAM": {`SAM\Domains\Account\Users\Names\Administrator\`: "", `SAM\Domains\Account\Users\Names\Guest\`: ""},
	}
}

// windowsVolume makes the volume of Windows, with the hooks of the example on it.
func windowsVolume(t *testing.T) string {
	t.Helper()
	volume := fstest.Image(t, windowsSystem<<20, "mkntfs", "-q", "-F", "-Q", "-L", "Windows")
	dir, unmount := fstest.MountNTFS(t, volume)
	fstest.Run(t, "sh", "-ec", `cd "$0"
		mkdir -p Windows/System32/config Windows/System32/Sysprep Windows/System32/drivers Windows/Setup/State Windows/Panther Windows/Temp
		mkdir -p Windows/servicing/Packages Users/Public ProgramData 'Program Files/Cloudbase Solutions/Cloudbase-Init/conf' 'System Volume Information'
		(cd Windows/System32 && seq -f 'library%05g.dll' 5000 | xargs touch)
		touch Windows/servicing/Packages/Microsoft-Windows-ServerStandardEdition~31bf3856ad364e35~amd64~~10.0.20348.1.mum
		printf '[State]\r\nImageState=IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE\r\n' > Windows/Setup/State/State.ini
		printf '[DEFAULT]\r\nusername=Admin\r\ngroups=Administrators\r\n' > 'Program Files/Cloudbase Solutions/Cloudbase-Init/conf/cloudbase-init.conf'
		head -c 8M /dev/urandom > pagefile.sys`, dir)
	fstest.Run(t, "cp", "-r", filepath.Join(Root, "example", "windows", "curtin"), dir)
	for name, values := range windowsHives() {
		fstest.Run(t, "cp", hivetest.Make(t, values), filepath.Join(dir, "Windows/System32/config", name))
	}
	// Sysprep keeps the answers that it was given.
	answers := windows(t, "windows2022", `local.content["maas/deploy.xml"]`)
	if err := os.WriteFile(filepath.Join(dir, "Windows/Panther/unattend.xml"), []byte(answers), 0o600); err != nil {
		t.Fatal(err)
	}
	unmount()
	return volume
}

// write makes the disk.
func (d windowsDisk) write(t *testing.T) string {
	t.Helper()
	fstest.RequireTool(t, "sgdisk", "mkfs.fat", "mcopy")
	recovery := fstest.Image(t, windowsRecovery<<20, "mkntfs", "-q", "-F", "-Q", "-L", "Recovery")
	path := fstest.Image(t, (1+windowsESP+windowsMSR+windowsRecovery+windowsSystem+1)<<20, "true")
	fstest.Run(t, "sh", "-ec", `esp=$(($2 * 2048)) recovery=$((($2 + $3) * 2048)) system=$((($2 + $3 + $4) * 2048))
		sgdisk -n 1:2048:+$2M -t 1:ef00 -c '1:EFI system partition' -n 2:0:+$3M -t 2:0c01 -c '2:Microsoft reserved partition' \
			-n 3:0:+$4M -t 3:2700 -n 4:0:+$5M -t 4:0700 -c '4:Basic data partition' "$0" >/dev/null
		mkfs.fat -F 32 -n SYSTEM --offset 2048 "$0" $(($2 * 1024)) >/dev/null
		dd status=none conv=notrunc,sparse bs=1M seek=$((1 + $2 + $3)) if="$1" of="$0"
		dd status=none conv=notrunc,sparse bs=1M seek=$((1 + $2 + $3 + $4)) if="$6" of="$0"`,
		path, recovery, fmt.Sprint(windowsESP), fmt.Sprint(windowsMSR), fmt.Sprint(windowsRecovery), fmt.Sprint(windowsSystem), d.system)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("MZ, or a hive"), 0o600); err != nil {
		t.Fatal(err)
	}
	esp := path + "@@1M"
	fstest.Run(t, "mmd", "-i", esp, "::EFI", "::EFI/Boot", "::EFI/Microsoft", "::EFI/Microsoft/Boot")
	fstest.Run(t, "mcopy", "-i", esp, file, "::EFI/Boot/bootx64.efi")
	if d.loader {
		fstest.Run(t, "mcopy", "-i", esp, file, "::EFI/Microsoft/Boot/bootmgfw.efi")
		fstest.Run(t, "mcopy", "-i", esp, file, "::EFI/Microsoft/Boot/BCD")
	}
	return path
}

// windowsTemplate is the template without a machine: its disk is there.
func windowsTemplate(t *testing.T, disk string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(Root, "example", "windows"))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "windows.pkr.hcl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	source := regexp.MustCompile(`(?ms)^source "maas-qemu" "windows" \{.*?^\}$`)
	if !source.Match(text) {
		t.Fatal("the template has no machine")
	}
	text = source.ReplaceAll(text, []byte("source \"null\" \"windows\" {\n  communicator = \"none\"\n}"))
	changed := strings.NewReplacer("source.maas-qemu.windows", "source.null.windows",
		"filetype = var.filetype", fmt.Sprintf("filetype = var.filetype\n    input = %q", disk)).Replace(string(text))
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestWindowsImage has the template make an image of a disk in both forms, and
// MAAS take it; curtin finds Windows on it, and the hooks work there.
func TestWindowsImage(t *testing.T) {
	fstest.RequireRoot(t)
	p := packertest.New(t)
	disk := windowsDisk{loader: true, system: windowsVolume(t)}.write(t)
	for _, filetype := range []string{"ddtgz", "ddgz"} {
		t.Run(filetype, func(t *testing.T) {
			region := regiontest.Start(t, regiontest.Options{Dir: t.TempDir()})
			image := filepath.Join(t.TempDir(), "windows2022."+filetype)
			cmd := p.Command("build", "-var-file="+Variables(t, "windows")["windows2022"], "-var", "iso_path=x.iso", "-var", "filetype="+filetype,
				"-var", "filename="+image, windowsTemplate(t, disk))
			cmd.Env = append(cmd.Env, "MAAS_URL="+region.URL, "MAAS_API_KEY="+regiontest.AdminKey)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if err := region.Deployable("windows/windows-server-2022"); err != nil {
				t.Errorf("MAAS: %v", err)
			}
			kinds := map[string]string{"ddtgz": "root-dd", "ddgz": "root-dd.gz"}
			row := regexp.MustCompile(`windows/windows-server-2022\s+Windows Server 2022\s+amd64/generic\s+` + regexp.QuoteMeta(kinds[filetype]) + `\s`)
			if !row.MatchString(region.Report()) {
				t.Errorf("MAAS has\n%s", region.Report())
			}
			report, err := os.ReadFile(image + ".checks.json")
			if err != nil || !strings.Contains(string(report), `"windows-autologon"`) || strings.Contains(string(report), `"failed"`) {
				t.Errorf("the checks say, error %v\n%s", err, report)
			}
			checkWindowsDisk(t, image, filetype)
		})
	}
}

// brokenWindows are what builds get wrong, as shell commands on the volume of
// Windows, and the checks that say so.
var brokenWindows = map[string]struct {
	commands string
	hives    map[string]hivetest.Values // values that are other ones
	want     []string
}{
	"nothing":       {},
	"hooks":         {commands: "rm -r curtin", want: []string{"installer-folder", "windows-hooks"}},
	"Cloudbase":     {commands: "rm -r 'Program Files'/*", want: []string{"cloudbase-init"}},
	"answers":       {commands: `printf '<Password><Value>x</Value>' > Windows/Panther/unattend-original.xml`, want: []string{"answer-files"}},
	"hibernation":   {commands: "{ printf hibr; head -c 1M /dev/zero; } > hiberfil.sys", want: []string{"ntfs-state", "windows-hibernation"}},
	"python hook":   {commands: `sed -i 's/python3/python2/' curtin/finalize`, want: []string{"hook-interpreter"}},
	"not sealed":    {hives: map[string]hivetest.Values{"SOFTWARE": {`Microsoft\Windows\CurrentVersion\Setup\State\ImageState`: `"IMAGE_STATE_COMPLETE"`}}, want: []string{"windows-generalized"}},
	"autologon":     {hives: map[string]hivetest.Values{"SOFTWARE": {`Microsoft\Windows NT\CurrentVersion\Winlogon\AutoAdminLogon`: `"1"`}}, want: []string{"windows-autologon"}},
	"open desktops": {hives: map[string]hivetest.Values{"SYSTEM": {`ControlSet001\Control\Terminal Server\fDenyTSConnections`: "dword:00000000"}}, want: []string{"windows-rdp"}},
	"an account":    {hives: map[string]hivetest.Values{"SAM": {`SAM\Domains\Account\Users\Names\packer\`: ""}}, want: []string{"windows-accounts"}},
}

// TestBrokenWindows finds what is wrong on disks with real file systems, and
// nothing else.
func TestBrokenWindows(t *testing.T) {
	fstest.RequireRoot(t)
	whole := windowsVolume(t)
	for name, tt := range brokenWindows {
		t.Run(name, func(t *testing.T) {
			volume := fstest.Copy(t, whole)
			dir, unmount := fstest.MountNTFS(t, volume)
			fstest.Run(t, "sh", "-ec", `cd "$0"; `+tt.commands, dir)
			for hive, values := range tt.hives {
				changed := windowsHives()[hive]
				maps.Copy(changed, values)
				fstest.Run(t, "cp", hivetest.Make(t, changed), filepath.Join(dir, "Windows/System32/config", hive))
			}
			unmount()
			expectFailures(t, windowsDisk{loader: true, system: volume}.write(t), tt.want)
		})
	}
	t.Run("loader", func(t *testing.T) {
		expectFailures(t, windowsDisk{system: whole}.write(t), []string{"windows-loader"})
	})
	t.Run("BitLocker", func(t *testing.T) {
		volume := fstest.Copy(t, whole)
		fstest.Run(t, "sh", "-ec", `printf -- -FVE-FS- | dd status=none conv=notrunc bs=1 seek=3 of="$0"`, volume)
		expectFailures(t, windowsDisk{loader: true, system: volume}.write(t), []string{"bitlocker", "installer-folder-unseen"})
	})
}

func expectFailures(t *testing.T, disk string, want []string) {
	t.Helper()
	f, err := facts.ReadImage(t.Context(), disk, "ddraw")
	if err != nil {
		t.Fatal(err)
	}
	var failed []string
	for _, r := range check.Run(f, check.Target{Filetype: "ddtgz", System: "windows", Architecture: "amd64"}, nil) {
		if r.Outcome == check.Failed {
			failed = append(failed, r.Check)
		}
	}
	slices.Sort(failed)
	if !slices.Equal(failed, want) {
		t.Errorf("failed are %q, want %q; notes are %q", failed, want, f.Notes())
	}
}
