package exampletest

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/packertest"
	"github.com/packer-maas/packer-plugin-maas/internal/seed"
)

// given are files as a user has them, with names that are hard for FAT.
func given(t *testing.T) (dir string, variables []string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{
		"drivers/NIC (25 GbE)/w2k22/ixgbe-adapter.x64.inf": "[Version]\r\n",
		"drivers/NIC (25 GbE)/w2k22/ixgbe-adapter.x64.cat": "signed",
		"drivers/storage/megasas35.inf":                    "[Version]\r\nClass=SCSIAdapter\r\n",
		"custom/custom.ps1":                                "exit 0\r\n",
		"custom/settings of ours/domain.json":              "{}",
		"virtio-win-0.1.266.iso":                           strings.Repeat("ISO", 700_000),
		"CloudbaseInitSetup_1_1_6_x64.msi":                 "MSI",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, []string{
		"drivers=" + filepath.Join(dir, "drivers"), "custom=" + filepath.Join(dir, "custom"),
		"virtio=" + filepath.Join(dir, "virtio-win-0.1.266.iso"), "cloudbase_init=" + filepath.Join(dir, "CloudbaseInitSetup_1_1_6_x64.msi"),
	}
}

// TestWindowsMedia makes the volume of the template, and has another reader of
// FAT, mtools, find all that was put on it, where Setup and the scripts look.
func TestWindowsMedia(t *testing.T) {
	fstest.RequireTool(t, "mcopy", "fsck.fat")
	dir, variables := given(t)
	var v seed.Volume
	for expression, into := range map[string]any{"jsonencode(local.files)": &v.Files, "jsonencode(local.content)": &v.Content} {
		text := windows(t, "windows11", expression, variables...)
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	example := filepath.Join(Root, "example", "windows")
	for name, part := range map[string]string{"maas": "scripts", "curtin": "curtin"} {
		v.Files[name] = filepath.Join(example, part) // that of Evaluate is gone
	}
	v.Label = "MAAS"
	image := filepath.Join(t.TempDir(), "seed.img")
	if err := v.Write(image); err != nil {
		t.Fatal(err)
	}
	found := t.TempDir()
	fstest.Run(t, "mcopy", "-s", "-i", image+"@@1M", "::/", found)

	same(t, filepath.Join(found, "maas"), filepath.Join(example, "scripts"))
	same(t, filepath.Join(found, "curtin"), filepath.Join(example, "curtin"))
	same(t, filepath.Join(found, "$WinPEDriver$"), filepath.Join(dir, "drivers"))
	same(t, filepath.Join(found, "custom"), filepath.Join(dir, "custom"))
	for name, path := range map[string]string{"virtio-win.iso": "virtio-win-0.1.266.iso", "cloudbase-init.msi": "CloudbaseInitSetup_1_1_6_x64.msi"} {
		sameFile(t, filepath.Join(found, "given", name), filepath.Join(dir, path))
	}
	for name, text := range v.Content {
		if got, err := os.ReadFile(filepath.Join(found, name)); err != nil || string(got) != text {
			t.Errorf("%s: %d bytes, want %d, %v", name, len(got), len(text), err)
		}
	}
	volume := filepath.Join(t.TempDir(), "volume")
	fstest.Run(t, "dd", "if="+image, "of="+volume, "bs=1M", "skip=1", "status=none")
	fstest.Run(t, "fsck.fat", "-n", volume)
}

// same compares what is in a folder with another's: nothing may be missing.
func same(t *testing.T, got, want string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(want, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		name, err := filepath.Rel(want, path)
		if err == nil {
			sameFile(t, filepath.Join(got, name), path)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%s has %d files: %v", want, files, err)
	}
}

func sameFile(t *testing.T, got, want string) {
	t.Helper()
	a, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(got); err != nil || string(a) != string(b) {
		t.Errorf("%s: %d bytes, want %d, %v", got, len(b), len(a), err)
	}
}

// TestWindowsRefuses has Packer say what is wrong before anything starts, and
// take what is right.
func TestWindowsRefuses(t *testing.T) {
	packer := packertest.New(t)
	dir, variables := given(t)
	iso := "iso_path=" + filepath.Join(dir, "virtio-win-0.1.266.iso")
	for _, tt := range []struct {
		version   string
		variables []string
		want      []string // nothing is wrong without
	}{
		{"windows2022", []string{
			iso, "product_key=ABCDE-12345", "edition=<Value>", "time_zone=Europe/Zurich&", "keyboard=german", "language=<>", "locale=DE",
			"filetype=tgz", "firmware=efi", "virtio_sha256=md5:1", "cloudbase_init_sha256=1", "custom=" + filepath.Join(dir, "drivers"),
		}, []string{
			"A product key is five times five", "An edition is letters", "A time zone is a name of Windows", "A keyboard is like",
			"A language is like", "A locale is like", "The filetype is ddtgz or ddgz", "The firmware is uefi-secure", "A checksum by SHA-256 is 64",
			"has to have a custom.ps1",
		}},
		{"windows2022", []string{iso, "drivers=/nowhere"}, []string{"no such file or directory"}},
		{"windows2022", nil, []string{"iso_url"}},
		{"windows11", append([]string{strings.Replace(iso, "iso_path", "vhdx_path", 1), "filetype=ddgz", "product_key=" + windowsKey}, variables...), nil},
	} {
		args := []string{"validate", "-var-file=" + Variables(t, "windows")[tt.version]}
		for _, variable := range tt.variables {
			args = append(args, "-var", variable)
		}
		out, err := packer.Command(append(args, filepath.Join(Root, "example", "windows"))...).CombinedOutput()
		if (err != nil) != (len(tt.want) > 0) {
			t.Errorf("%v: %v\n%s", tt.variables, err, out)
		}
		for _, want := range tt.want {
			if !strings.Contains(string(out), want) {
				t.Errorf("%v: no %q in\n%s", tt.variables, want, out)
			}
		}
	}
}
