package seed

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// content has what is hard for file systems made for short names: long ones,
// several dots, folders, an empty file, and one of several clusters.
func content() map[string]string {
	return map[string]string{
		"user-data":                    "#cloud-config\n",
		"meta-data":                    "",
		"Autounattend.xml":             strings.Repeat("<x/>\n", 20000),
		"scripts/deep/first-boot.d.sh": "#!/bin/sh\n",
		"ks.cfg":                       "poweroff\n",
	}
}

func write(t *testing.T, v Volume) string {
	t.Helper()
	target := filepath.Join(t.TempDir(), "seed.img")
	if err := v.Write(target); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(target), "*")); len(left) != 1 {
		t.Errorf("left beside the volume: %v", left)
	}
	return target
}

// extract takes an ISO apart with libarchive, and compares what is in it.
func extract(t *testing.T, image, options string, want map[string]string) {
	t.Helper()
	fstest.RequireTool(t, "bsdtar")
	dir := t.TempDir()
	if out, err := exec.Command("bsdtar", "-xf", image, "-C", dir, "--options", options).CombinedOutput(); err != nil {
		t.Fatalf("bsdtar: %v: %s", err, out)
	}
	compare(t, dir, want)
}

func compare(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	for name, text := range want {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, []byte(text)) {
			t.Errorf("%s: %d bytes, want %d", name, len(got), len(text))
		}
	}
}

// label is the volume's label as libblkid sees it, by which udev, hence
// anaconda and cloud-init, find it.
func label(t *testing.T, image string, offset string) string {
	t.Helper()
	fstest.RequireTool(t, "blkid")
	out, err := exec.Command("blkid", "-p", "-O", offset, "-s", "LABEL", "-o", "value", image).CombinedOutput()
	if err != nil {
		t.Fatalf("blkid: %v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestISO(t *testing.T) {
	image := write(t, Volume{Label: "cidata", CDROM: true, Content: content()})
	if got := label(t, image, "0"); got != "cidata" {
		t.Errorf("label %q", got)
	}
	extract(t, image, "iso9660:!joliet", content())
}

// Windows sees Joliet's names.
func TestJoliet(t *testing.T) {
	flat := map[string]string{"Autounattend.xml": "<unattend/>", "user-data": "x", "meta-data": ""}
	extract(t, write(t, Volume{Label: "X", CDROM: true, Content: flat}), "iso9660:!rockridge", flat)
}

// Two trees of which one is damaged are worse than one.
func TestFoldersHaveNoJoliet(t *testing.T) {
	out, err := os.ReadFile(write(t, Volume{Label: "X", CDROM: true, Content: content()}))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(out, []byte("%/E")) { // Joliet's escape sequence
		t.Error("the volume has a Joliet tree")
	}
}

func TestFAT(t *testing.T) {
	image := write(t, Volume{Label: "OEMDRV", Content: content()})
	if got := label(t, image, "1048576"); got != "OEMDRV" {
		t.Errorf("label %q", got)
	}
	fstest.RequireTool(t, "mcopy")
	dir := t.TempDir()
	if out, err := exec.Command("mcopy", "-s", "-i", image+"@@1M", "::/", dir).CombinedOutput(); err != nil {
		t.Fatalf("mcopy: %v: %s", err, out)
	}
	compare(t, dir, content())

	fstest.RequireTool(t, "fsck.fat")
	volume, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	alone := filepath.Join(t.TempDir(), "volume")
	if err := os.WriteFile(alone, volume[1<<20:], 0o600); err != nil {
		t.Fatal(err)
	}
	fstest.Run(t, "fsck.fat", "-n", alone)
}

func TestFiles(t *testing.T) {
	source := t.TempDir()
	for name, text := range map[string]string{"a.txt": "a", "sub/b.txt": "b"} {
		at := filepath.Join(source, name)
		_ = os.MkdirAll(filepath.Dir(at), 0o755)
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	image := write(t, Volume{Label: "X", CDROM: true, Files: map[string]string{
		"/": source, "copy": source, "../../one.txt": filepath.Join(source, "a.txt"),
	}})
	extract(t, image, "iso9660:!joliet", map[string]string{
		"a.txt": "a", "sub/b.txt": "b", "copy/a.txt": "a", "copy/sub/b.txt": "b", "one.txt": "a",
	})
}

func TestRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, v := range map[string]Volume{
		"is there twice":                 {Label: "X", Files: map[string]string{"ks.cfg": file}, Content: map[string]string{"./ks.cfg": ""}},
		"no such file":                   {Label: "X", Files: map[string]string{"ks.cfg": file + "-not"}},
		"is neither a file nor a folder": {Label: "X", Files: map[string]string{"null": "/dev/null"}},
		"a file has no name":             {Label: "X", Files: map[string]string{"/": file}},
	} {
		target := filepath.Join(t.TempDir(), "seed.img")
		if err := v.Write(target); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(target), "*")); len(left) != 0 {
			t.Errorf("%s: left behind: %v", want, left)
		}
	}
}

func TestCheckLabel(t *testing.T) {
	for label, want := range map[string]string{
		"OEMDRV": "", "CIDATA": "", "cidata": "", "": "no label", "TWELVE-CHARS": "longer than the 11", "A/B": "character",
	} {
		err := CheckLabel(label, false)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", label, err, want)
		}
	}
	if err := CheckLabel("TWELVE-CHARS", true); err != nil {
		t.Error(err)
	}
}
