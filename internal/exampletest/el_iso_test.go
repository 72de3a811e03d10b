package exampletest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/isofile"
)

// elMedium is how a system's ISO is laid out: docs/el.md says where that is known
// from.
type elMedium struct {
	label string
	files []string // beside the kernel: the installer's stage 2, and a DVD's packages
}

var (
	squashfs = []string{"LiveOS/squashfs.img", ".treeinfo"}
	dvd7     = append([]string{"repodata/repomd.xml", "addons/HighAvailability/repodata/repomd.xml", "addons/ResilientStorage/repodata/repomd.xml"}, squashfs...)
	netinst  = []string{"images/install.img", ".treeinfo"}
	dvd      = append([]string{"BaseOS/repodata/repomd.xml", "AppStream/repodata/repomd.xml"}, netinst...)
	plainDVD = append([]string{"repodata/repomd.xml"}, netinst...)
)

var elMedia = map[string]elMedium{
	"rhel7":           {"RHEL-7.9 Server.x86_64", dvd7},
	"rhel8":           {"RHEL-8-10-0-BaseOS-x86_64", dvd},
	"rhel9":           {"RHEL-9-6-0-BaseOS-x86_64", dvd},
	"rhel10":          {"RHEL-10-0-BaseOS-x86_64", dvd},
	"centos7":         {"CentOS 7 x86_64", squashfs},
	"centos8":         {"CentOS-8-5-2111-x86_64-dvd", netinst},
	"centos8-stream":  {"CentOS-Stream-8-x86_64-dvd", netinst},
	"centos9-stream":  {"CentOS-Stream-9-BaseOS-x86_64", netinst},
	"centos10-stream": {"CentOS-Stream-10-x86_64-dvd", netinst},
	"ol8":             {"OL-8-10-0-BaseOS-x86_64", netinst},
	"ol9":             {"OL-9-6-0-BaseOS-x86_64", netinst},
	"ol10":            {"OL-10-0-BaseOS-x86_64", netinst},
	"rocky8":          {"Rocky-8-10-x86_64-dvd", netinst},
	"rocky9":          {"Rocky-9-6-x86_64-dvd", netinst},
	"rocky10":         {"Rocky-10-0-x86_64-dvd", netinst},
	"alma8":           {"AlmaLinux-8-10-x86_64-dvd", netinst},
	"alma9":           {"AlmaLinux-9-6-x86_64-dvd", netinst},
	"alma10":          {"AlmaLinux-10-0-x86_64-dvd", netinst},
	"fedora":          {"Fedora-E-dvd-x86_64-43", netinst},
	"openeuler":       {"openEuler-24.03-LTS-x86_64", plainDVD},
}

// iso makes the ISO as the distributions do, by lorax's options for mkisofs.
func (m elMedium) iso(t *testing.T) string {
	t.Helper()
	fstest.RequireTool(t, "xorriso")
	tree, path := t.TempDir(), filepath.Join(t.TempDir(), "system.iso")
	for _, name := range append([]string{"images/pxeboot/vmlinuz", "images/pxeboot/initrd.img", "isolinux/vmlinuz", "EFI/BOOT/grub.cfg"}, m.files...) {
		if err := change(filepath.Join(tree, name), m.label+" "+name); err != nil {
			t.Fatal(err)
		}
	}
	fstest.Run(t, "xorriso", "-as", "mkisofs", "-quiet", "-untranslated-filenames", "-volid", m.label, "-J", "-joliet-long", "-rational-rock", "-o", path, tree)
	return path
}

// TestELMedia finds the installer in each system's ISO by what the template says:
// its kernel, its label, and the folders that the kickstart takes packages from.
func TestELMedia(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(Root, "example", "el", "el.pkr.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "inst.stage2=hd:LABEL={{ .ISOLabel }} ") {
		t.Error("the installer is not told where the rest of it is")
	}
	for system := range Variables(t, "el") {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			medium, known := elMedia[system]
			if !known {
				t.Fatal("its ISO is not known")
			}
			iso := medium.iso(t)
			if label, err := isofile.Label(iso); label != medium.label || err != nil {
				t.Errorf("the label is %q, %v", label, err)
			}
			wanted := []string{medium.files[0]}
			for _, option := range []string{"kernel", "initrd"} {
				found := regexp.MustCompile(`(?m)^  ` + option + ` += "(.*)"$`).FindSubmatch(text)
				if found == nil {
					t.Fatalf("the template has no %s", option)
				}
				wanted = append(wanted, strings.TrimPrefix(string(found[1]), "/"))
			}
			// The DVD is mounted at /run/install/repo.
			for _, match := range regexp.MustCompile(`file:///run/install/repo/([^"]+)`).FindAllStringSubmatch(kickstart(t, system, "amd64"), -1) {
				wanted = append(wanted, match[1]+"/repodata/repomd.xml")
			}
			for _, name := range wanted {
				target := filepath.Join(t.TempDir(), "file")
				if err := isofile.Extract(iso, name, target); err != nil {
					t.Errorf("%s: %v", name, err)
				} else if got, err := os.ReadFile(target); string(got) != medium.label+" "+name {
					t.Errorf("%s is %q, %v", name, got, err)
				}
			}
		})
	}
}
