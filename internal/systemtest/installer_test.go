package systemtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/exampletest"
	"github.com/packer-maas/packer-plugin-maas/internal/exampletest/anaconda"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/packertest"
)

// standIn makes the first process of an initial RAM disk a script, which finds
// busybox beside it. What comes later in an initial RAM disk counts.
func standIn(t *testing.T, ramdisk, script string) {
	t.Helper()
	fstest.RequireTool(t, "busybox", "cpio")
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	fstest.Run(t, "mkdir", dir+"/stand-in")
	fstest.Run(t, "cp", "-L", busybox, dir+"/stand-in/busybox")
	fstest.Run(t, "install", "-m", "755", script, dir+"/init")
	fstest.Run(t, "sh", "-c", `cd "$0" && find . | cpio -o -H newc --quiet | gzip >>"$1"`, dir, ramdisk)
}

// TestEnterpriseLinux has the template build a system as it is, all the way: the
// installer's kernel out of the ISO, its label and the kickstart found from the
// inside, a disk as anaconda leaves it, the image. The installer is Debian's
// kernel with a script that puts the disk there.
func TestEnterpriseLinux(t *testing.T) {
	debian := open(t, system(t))
	packer := packertest.New(t)
	variables := exampletest.Variables(t, "el")
	labels := map[string]string{"rhel7": "RHEL-7.9 Server.x86_64", "rocky9": "Rocky-9-6-x86_64-dvd"}
	for _, s := range anaconda.Systems() {
		label, chosen := labels[s.Name]
		if !chosen {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			kickstart := exampletest.Evaluate(t, "el", "local.kickstart", []string{"region.pkr.hcl"}, "-var-file="+variables[s.Name])
			install := anaconda.Install{System: s, Kickstart: kickstart}
			tree := t.TempDir()
			debian.boot(filepath.Join(tree, "images", "pxeboot"))
			standIn(t, filepath.Join(tree, "images", "pxeboot", "initrd.img"), "testdata/anaconda.sh")
			fstest.Run(t, "sh", "-c", `echo "[general]" >"$1/.treeinfo" && gzip -1 <"$0" >"$1/images/disk.gz"`, install.Disk(t), tree)

			template, err := filepath.Abs(filepath.Join("../exampletest", exampletest.Root, "example", "el"))
			if err != nil {
				t.Fatal(err)
			}
			cmd := packer.Command("build", "-var-file="+variables[s.Name], "-var", "iso_path="+makeISO(t, tree, label), template)
			cmd.Dir = t.TempDir()
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, want := range []string{"anaconda: stage 2 is on " + label, "anaconda: kickstart has a root that is locked", " 0 errors, 0 warnings"} {
				if !strings.Contains(string(out), want) {
					t.Errorf("it did not say %q:\n%s", want, out)
				}
			}
			left, err := os.ReadDir(cmd.Dir)
			if err != nil || len(left) == 0 || left[0].Name() != "output-"+s.Name+".console.log" {
				t.Errorf("left are %v, %v", left, err)
			}
			if _, err := os.Stat(filepath.Join(cmd.Dir, s.Name+".tar.gz")); err != nil {
				t.Error(err)
			}
		})
	}
}
