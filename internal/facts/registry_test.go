package facts_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/facts"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/hive/hivetest"
)

// windowsDisk is a disk with one NTFS, and these files on it.
func windowsDisk(t *testing.T, files map[string]string) string {
	t.Helper()
	volume := fstest.Image(t, 24<<20, "mkntfs", "-q", "-F", "-Q")
	dir, unmount := fstest.MountNTFS(t, volume)
	for name, from := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		fstest.Run(t, "cp", from, at)
	}
	unmount()
	path := filepath.Join(t.TempDir(), "image")
	fstest.RequireTool(t, "sfdisk")
	fstest.Run(t, "sh", "-ec", `truncate -s 26M "$1" && echo 'start=2048, size=49152, type=7' | sfdisk -q "$1"
		dd status=none conv=notrunc,sparse bs=1M seek=1 if="$0" of="$1"`, volume, path)
	return path
}

// What libhivex wrote is known, of the settings that Windows starts with.
func TestRegistry(t *testing.T) {
	path := windowsDisk(t, map[string]string{
		"Windows/System32/config/SYSTEM": hivetest.Make(t, hivetest.Values{
			`Select\Current`: "dword:00000002", `ControlSet001\Control\Terminal Server\fDenyTSConnections`: "dword:00000000",
			`ControlSet002\Control\Terminal Server\fDenyTSConnections`: "dword:00000001",
		}),
		"Windows/System32/config/software": hivetest.Make(t, hivetest.Values{`Microsoft\Windows NT\CurrentVersion\Winlogon\AutoAdminLogon`: `"1"`}),
		"Windows/System32/config/SAM":      hivetest.Make(t, hivetest.Values{`SAM\Domains\Account\Users\Names\Packer\`: "", `SAM\Domains\Account\Users\Names\Guest\`: ""}),
	})
	f, err := facts.ReadImage(t.Context(), path, "ddraw")
	if err != nil {
		t.Fatal(err)
	}
	v := f.Disk.Volumes[0]
	const winlogon = `Microsoft\Windows NT\CurrentVersion\Winlogon`
	if got := v.Registry.Get("SYSTEM", `CurrentControlSet\Control\Terminal Server`, "fDenyTSConnections"); got != "1" {
		t.Errorf("of the other set of settings: %q", got)
	}
	if got := v.Registry.Get("SAM", `SAM\Domains\Account\Users`, "Names"); got != "" {
		t.Errorf("a value that is none: %q", got)
	}
	if got := v.Registry.Keys("SAM", `SAM\Domains\Account\Users\Names`); !slices.Equal(got, []string{"guest", "packer"}) {
		t.Errorf("accounts are %q", got)
	}
	if got := v.Registry.Get("SOFTWARE", winlogon, "AutoAdminLogon"); got != "1" {
		t.Errorf("AutoAdminLogon is %q; notes are %q", got, f.Notes())
	}
}

// Hives that cannot be read are noted, and the others are read.
func TestDamagedRegistry(t *testing.T) {
	system := hivetest.Make(t, hivetest.Values{`Select\Current`: "dword:00000001"})
	data, err := os.ReadFile(system)
	if err != nil {
		t.Fatal(err)
	}
	data[4]++ // a change that is in the log
	if err := os.WriteFile(system, data, 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, bytes.Repeat([]byte("x"), 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	path := windowsDisk(t, map[string]string{
		"Windows/System32/config/SYSTEM": system, "Windows/System32/config/SAM": other,
		"Windows/System32/config/SOFTWARE": hivetest.Make(t, hivetest.Values{`Microsoft\Windows\CurrentVersion\Setup\State\ImageState`: `"x"`}),
	})
	f, err := facts.ReadImage(t.Context(), path, "ddraw")
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(f.Notes(), "\n")
	for _, part := range []string{"partition 1: windows/system32/config/system", "in its log alone", "config/sam was not looked into", "does not begin"} {
		if !strings.Contains(notes, part) {
			t.Errorf("no note says %q:\n%s", part, notes)
		}
	}
	if got := f.Disk.Volumes[0].Registry.Get("software", `microsoft\Windows\CurrentVersion\Setup\State`, "ImageState"); got != "x" {
		t.Errorf("ImageState is %q", got)
	}
}
