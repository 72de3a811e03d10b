package exampletest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/packertest"
	"github.com/packer-maas/packer-plugin-maas/internal/region/regiontest"
)

// The stand-in for Windows' boot loader is GRUB behind Debian's shim, which
// Microsoft has signed.
const (
	shim = "/usr/lib/shim/shimx64.efi.signed"
	grub = "/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"
)

// A disk on which Windows was installed reads its answers, and is done.
const standInWindows = `
search --no-floppy --file --set=seed /Unattend.xml
echo "maas: volume $seed"
cat ($seed)/maas/settings.json
ls ($seed)/maas/steps/ ($seed)/curtin/
echo "maas: done"
halt
`

// The CD waits for Enter, for ever, and then fails.
const standInSetup = `
set timeout=-1
menuentry "Press any key to boot from CD or DVD" {
  echo "maas: failed: stand-in: a key came"
  sleep 60
}
`

// putLoader puts the stand-in onto a FAT file system, in the words of mtools. A
// file that was changed is not as its signature says.
func putLoader(t *testing.T, volume, config string, changed bool) {
	t.Helper()
	fstest.RequireTool(t, "mcopy", "xorriso", "qemu-img", "swtpm", "qemu-system-x86_64")
	dir := t.TempDir()
	signed, err := os.ReadFile(shim)
	if _, err2 := os.Stat(grub); err != nil || err2 != nil {
		fstest.Missing(t, "needs the packages shim-signed and grub-efi-amd64-signed: %v, %v", err, err2)
	}
	if changed {
		signed[len(signed)/2] ^= 1
	}
	loader, settings := filepath.Join(dir, "loader"), filepath.Join(dir, "grub.cfg")
	for path, text := range map[string][]byte{loader: signed, settings: []byte(config)} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fstest.Run(t, "mmd", "-i", volume, "::EFI/debian")
	for name, file := range map[string]string{"::EFI/BOOT/bootx64.efi": loader, "::EFI/BOOT/grubx64.efi": grub, "::EFI/debian/grub.cfg": settings} {
		fstest.Run(t, "mcopy", "-o", "-i", volume, file, name)
	}
}

// loaderVolume is a FAT file system that starts the stand-in, and has nothing else.
func loaderVolume(t *testing.T, config string, changed bool) string {
	t.Helper()
	image := fstest.Image(t, 16<<20, "mkfs.fat", "-F", "16")
	fstest.Run(t, "mmd", "-i", image, "::EFI", "::EFI/BOOT")
	putLoader(t, image, config, changed)
	return image
}

// TestWindowsRun runs the template as it is, in QEMU with Secure Boot and a TPM,
// with stand-ins for what Microsoft has made.
func TestWindowsRun(t *testing.T) {
	packer := packertest.New(t)
	build := func(t *testing.T, version string, env []string, variables ...string) (string, error) {
		t.Helper()
		args := []string{"build", "-var-file=" + Variables(t, "windows")[version], "-var", "memory=1024", "-var", "timeout=5m"}
		for _, variable := range variables {
			args = append(args, "-var", variable)
		}
		example, err := filepath.Abs(filepath.Join(Root, "example", "windows"))
		if err != nil {
			t.Fatal(err)
		}
		cmd := packer.Command(append(args, example)...)
		cmd.Dir = t.TempDir()
		cmd.Env = append(cmd.Env, env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}

	t.Run("a disk", func(t *testing.T) {
		disk, vhdx := windowsDisk{loader: true, system: windowsVolume(t)}.write(t), filepath.Join(t.TempDir(), "windows.vhdx")
		putLoader(t, disk+"@@1M", standInWindows, false)
		fstest.Run(t, "qemu-img", "convert", "-f", "raw", "-O", "vhdx", disk, vhdx)
		region := regiontest.Start(t, regiontest.Options{Dir: t.TempDir()})
		out, err := build(t, "windows11", []string{"MAAS_URL=" + region.URL, "MAAS_API_KEY=" + regiontest.AdminKey}, "vhdx_path="+vhdx)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, want := range []string{"(amd64, uefi-secure, ", "maas: volume hd", `"virtio_folder":"w11"`, "90-generalize.ps1", "finalize", "maas: done", "vnc://127.0.0.1:"} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
		if err := region.Deployable("windows/windows-11"); err != nil {
			t.Error(err)
		}
	})
	t.Run("a CD", func(t *testing.T) {
		esp, dir, iso := loaderVolume(t, standInSetup, false), t.TempDir(), filepath.Join(t.TempDir(), "setup.iso")
		fstest.Run(t, "cp", esp, filepath.Join(dir, "efi.img"))
		fstest.Run(t, "mcopy", "-s", "-i", esp, "::EFI", dir)
		fstest.Run(t, "xorriso", "-as", "mkisofs", "-quiet", "-V", "WINDOWS", "-e", "efi.img", "-no-emul-boot", "-o", iso, dir)
		// Keys go on, here for longer than any machine takes, until the build ends.
		out, err := build(t, "windows2022", nil, "iso_path="+iso, "boot_wait=240")
		if err == nil || !strings.Contains(out, "a failure pattern matched: maas: failed: stand-in: a key came") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("a loader that was changed", func(t *testing.T) {
		out, err := build(t, "windows2022", nil, "vhdx_path="+loaderVolume(t, standInWindows, true))
		if err == nil || !strings.Contains(out, "a failure pattern matched: BdsDxe: failed to load Boot") || strings.Contains(out, "maas: done") {
			t.Errorf("%v\n%s", err, out)
		}
	})
}
