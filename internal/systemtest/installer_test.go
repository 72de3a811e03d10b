package systemtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/packer-maas/packer-plugin-maas/internal/exampletest"
	"github.com/packer-maas/packer-plugin-maas/internal/exampletest/anaconda"
	"github.com/packer-maas/packer-plugin-maas/internal/exampletest/vmware"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/packertest"
)

// standIn makes the first process of an initial RAM disk a script. What comes
// later in an initial RAM disk counts. More files are beside busybox, which runs
// the script.
func standIn(t *testing.T, ramdisk, script string, more ...string) {
	t.Helper()
	fstest.RequireTool(t, "busybox", "cpio")
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	fstest.Run(t, "mkdir", dir+"/stand-in")
	fstest.Run(t, "cp", append(append([]string{"-L", busybox, "testdata/common.sh"}, more...), dir+"/stand-in")...)
	fstest.Run(t, "install", "-m", "755", script, dir+"/init")
	fstest.Run(t, "sh", "-c", `cd "$0" && find . | cpio -o -H newc --quiet | gzip >>"$1"`, dir, ramdisk)
}

// pieces writes the data of a disk to a new folder: all in one file, and where
// each piece is there and on the disk, and how long, in blocks of 4 KiB.
func pieces(t *testing.T, disk, folder string) {
	t.Helper()
	from, err := os.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	var list strings.Builder
	var data []byte
	for at := int64(0); ; {
		start, err := unix.Seek(int(from.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break
		}
		if err == nil {
			at, err = unix.Seek(int(from.Fd()), start, unix.SEEK_HOLE)
		}
		piece := make([]byte, at-start)
		if err == nil {
			_, err = from.ReadAt(piece, start)
		}
		if err != nil || (at-start)%block != 0 {
			t.Fatalf("%d to %d: %v", start, at, err)
		}
		fmt.Fprintln(&list, int64(len(data))/block, start/block, (at-start)/block)
		data = append(data, piece...)
	}
	for name, content := range map[string][]byte{"data": data, "pieces": []byte(list.String())} {
		if err := errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(filepath.Join(folder, name), content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

const block = 4096

// template is a family's folder.
func template(t *testing.T, family string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "example", family))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// buildIn runs a build in a new folder, and looks for what it should say, its
// image, and what it leaves.
func buildIn(t *testing.T, packer packertest.Packer, name, image string, says []string, args ...string) {
	t.Helper()
	cmd := packer.Command(append([]string{"build"}, args...)...)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range says {
		if !strings.Contains(string(out), want) {
			t.Errorf("it did not say %q:\n%s", want, out)
		}
	}
	left, err := os.ReadDir(cmd.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		if entry.Name() != "output-"+name+".console.log" && !strings.HasPrefix(entry.Name(), image) {
			t.Errorf("%s is left", entry.Name())
		}
	}
	if _, err := os.Stat(filepath.Join(cmd.Dir, image)); err != nil {
		t.Error(err)
	}
}

// TestEnterpriseLinux has the template build a system as it is, all the way: the
// installer's kernel out of the ISO, its label and the kickstart found from the
// inside, a disk as anaconda leaves it, the image. The installer is Debian's
// kernel with a script that puts the disk there.
func TestEnterpriseLinux(t *testing.T) {
	debian := open(t, system(t, "debian12"))
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
			fstest.Run(t, "touch", tree+"/.treeinfo")
			pieces(t, install.Disk(t), filepath.Join(tree, "disk"))
			buildIn(t, packer, s.Name, s.Name+".tar.gz", []string{
				"anaconda: stage 2 is on " + label, "anaconda: kickstart has a root that is locked", " 0 errors, 0 warnings",
			}, "-var-file="+variables[s.Name], "-var", "iso_path="+makeISO(t, tree, label), template(t, "el"))
		})
	}
}

// menu is like that of VMware's ISOs: ISOLINUX counts 8 seconds.
const menu = `DEFAULT menu.c32
MENU TITLE ESXi Boot Menu
NOHALT 1
PROMPT 0
TIMEOUT 80
LABEL install
  KERNEL /vmlinuz
  APPEND initrd=/initrd.img console=ttyS0
  MENU LABEL ESXi ^Installer
LABEL hddboot
  LOCALBOOT 0x80
  MENU LABEL ^Boot from local disk
`

// TestESXi has the template build ESXi as it is: what it types reaches the boot
// loader, the answers are on the USB volume, the machine has a disk that is found,
// and the disk becomes an image. The installer is Debian's kernel with a script.
func TestESXi(t *testing.T) {
	debian := open(t, system(t, "debian12"))
	packer := packertest.New(t)
	tree := t.TempDir()
	debian.boot(tree)
	standIn(t, filepath.Join(tree, "initrd.img"), "testdata/esxi.sh", debian.drivers("fs/fat/fat", "fs/fat/vfat", "fs/nls/nls_cp437", "fs/nls/nls_ascii")...)
	fstest.Run(t, "sh", "-c", `cp /usr/lib/ISOLINUX/isolinux.bin "$0" && cd /usr/lib/syslinux/modules/bios && cp ldlinux.c32 menu.c32 libutil.c32 libcom32.c32 "$0"`, tree)
	if err := os.WriteFile(filepath.Join(tree, "isolinux.cfg"), []byte(menu), 0o600); err != nil {
		t.Fatal(err)
	}
	for version, layout := range vmware.Layouts {
		t.Run(version, func(t *testing.T) {
			variables := "-var-file=" + exampletest.Variables(t, "esxi")[version]
			size := strings.TrimSpace(exampletest.Evaluate(t, "esxi", "var.disk_size", nil, variables, "-var", "vmware_esxi_iso_path=x"))
			pieces(t, vmware.Disk(t, size, layout), filepath.Join(tree, "disk"))
			iso := makeISO(t, tree, "ESXI", "-b", "isolinux.bin", "-c", "boot.cat", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table")
			buildIn(t, packer, version, version+".dd.gz", []string{
				"esxi: the licence is accepted", "esxi: installed", " 0 errors, 0 warnings", "root's password in the image: ",
			}, variables, "-var", "vmware_esxi_iso_path="+iso, template(t, "esxi"))
		})
	}
}
