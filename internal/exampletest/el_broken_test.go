package exampletest

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/exampletest/anaconda"
	"github.com/packer-maas/packer-plugin-maas/internal/packertest"
)

// defect makes a system worse, in its packages or in its files.
type defect struct {
	packages func([]string) []string
	files    map[string]string // new content, after "+ " at the end of the old; "" removes
}

func less(name string) func([]string) []string {
	return func(packages []string) []string {
		return slices.DeleteFunc(packages, func(other string) bool { return other == name })
	}
}

func more(name string) func([]string) []string {
	return func(packages []string) []string { return append(packages, name) }
}

// modern are defects of RHEL 9, by the check that finds them.
var modern = map[string]defect{
	"one-kernel":            {packages: more("kernel")},
	"boot-packages":         {packages: less("efibootmgr")},
	"dracut":                {files: map[string]string{"usr/bin/dracut": ""}},
	"cloud-init-maas":       {files: map[string]string{"usr/lib/python3.9/site-packages/oauthlib": ""}},
	"ssh-server":            {files: map[string]string{"usr/sbin/sshd": ""}},
	"kernel-modules":        {files: map[string]string{"usr/lib/modules": ""}},
	"efi-vendor":            {files: map[string]string{"boot/efi/EFI/redhat": "", "boot/efi/EFI/BOOT": "", "boot/efi/EFI/other/shimx64.efi": "MZ"}},
	"architecture":          {files: map[string]string{"usr/bin/bash": "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x03\x00\xb7\x00"}},
	"root-argument":         {files: map[string]string{"etc/default/grub": "+ GRUB_CMDLINE_LINUX=\"root=UUID=1-2\"\n"}},
	"disk-arguments":        {files: map[string]string{"etc/default/grub": "+ GRUB_CMDLINE_LINUX=\"rd.lvm.lv=rhel/root\"\n"}},
	"default-arguments":     {files: map[string]string{"etc/default/grub": "+ GRUB_CMDLINE_LINUX_DEFAULT=\"mitigations=off\"\n"}},
	"boot-entries":          {files: map[string]string{"etc/kernel/cmdline": "root=UUID=1-2 ro\n"}},
	"cloud-init-on":         {files: map[string]string{"etc/cloud/cloud-init.disabled": "x"}},
	"cloud-init-source":     {files: map[string]string{"etc/cloud/cloud.cfg.d/99-own.cfg": "datasource_list: [ NoCloud ]\n"}},
	"network-leftovers":     {files: map[string]string{"etc/NetworkManager/system-connections/a.nmconnection": "mac-address=52:54:00:00:00:01\n"}},
	"resolv-conf":           {files: map[string]string{"etc/resolv.conf": "nameserver 10.0.2.3\n"}},
	"proxy":                 {files: map[string]string{"etc/dnf/dnf.conf": "+ proxy=http://proxy.example\n"}},
	"passwords":             {files: map[string]string{"etc/shadow": "+ admin:$6$salt$hash:20000::::::\n"}},
	"build-account":         {files: map[string]string{"etc/passwd": "+ packer:x:1000:1000::/home/packer:/bin/bash\n"}},
	"sudo-without-password": {files: map[string]string{"etc/sudoers.d/packer": "packer ALL=(ALL) NOPASSWD:ALL\n"}},
	"leftovers":             {files: map[string]string{"root/anaconda-ks.cfg": "rootpw secret\n"}},
}

// old are defects of CentOS 7.
var old = map[string]defect{
	"one-kernel":        {packages: less("kernel")},
	"cloud-init-maas":   {files: map[string]string{"usr/lib/python2.7/site-packages/oauthlib": ""}},
	"network-leftovers": {files: map[string]string{"etc/sysconfig/network-scripts/ifcfg-ens3": "HWADDR=52:54:00:12:34:56\n"}},
	"empty-passwords":   {files: map[string]string{"etc/shadow": "+ admin::20000::::::\n"}},
}

// TestELBroken has the checks find what is wrong with a system, all of it at
// once, and nothing else: an image of it is not uploaded.
func TestELBroken(t *testing.T) {
	p := packertest.New(t)
	for name, defects := range map[string]map[string]defect{"rhel9": modern, "centos7": old} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			systems := anaconda.Systems()
			system := systems[slices.IndexFunc(systems, func(s anaconda.System) bool { return s.Name == name })]
			disk, _ := leftDisk(t, system, "amd64", func(i *anaconda.Install) { breakIt(i, defects) })
			image := filepath.Join(t.TempDir(), name+".tar.gz")
			out, err := p.Run("build", "-var-file="+Variables(t, "el")[name], "-var", "filename="+image, elTemplate(t, disk))
			if err == nil || !strings.Contains(out, "the image fails checks") {
				t.Errorf("%v\n%s", err, out)
			}
			checkFindings(t, image, slices.Collect(maps.Keys(defects)))
		})
	}
}

// TestELUnfinished has the checks find what is there for provisioners only, should
// they not have run: what they run in, nobody may be given.
func TestELUnfinished(t *testing.T) {
	p := packertest.New(t)
	systems := anaconda.Systems()
	for _, name := range []string{"rocky9", "centos7"} {
		system := systems[slices.IndexFunc(systems, func(s anaconda.System) bool { return s.Name == name })]
		disk, _ := leftDisk(t, system, "amd64", func(i *anaconda.Install) {
			i.Kickstart = kickstart(t, name, "amd64", "-var", "provision=true")
		})
		image := filepath.Join(t.TempDir(), name+".tar.gz")
		out, err := p.Run("build", "-var-file="+Variables(t, "el")[name], "-var", "filename="+image, elTemplate(t, disk))
		if err == nil || !strings.Contains(out, "the image fails checks") {
			t.Errorf("%v\n%s", err, out)
		}
		checkFindings(t, image, []string{"cloud-init-on", "sudo-without-password"})
	}
}

func breakIt(i *anaconda.Install, defects map[string]defect) {
	i.Choose = func(packages []string) []string {
		for _, d := range defects {
			if d.packages != nil {
				packages = d.packages(packages)
			}
		}
		return packages
	}
	i.Change = func(root string) error {
		for _, d := range defects {
			for name, text := range d.files {
				if err := change(filepath.Join(root, name), text); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

func change(path, text string) error {
	if text == "" {
		return os.RemoveAll(path)
	}
	if added, ok := strings.CutPrefix(text, "+ "); ok {
		before, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text = string(before) + added
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
