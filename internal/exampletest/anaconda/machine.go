package anaconda

import (
	"debug/elf"
	"debug/pe"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

func (i *Install) machine() string {
	if i.ARM64 {
		return "aarch64"
	}
	return "x86_64"
}

// efi is the machine in names of boot loaders.
func (i *Install) efi() string {
	if i.ARM64 {
		return "aa64"
	}
	return "x64"
}

// program is the beginning of one.
func (i *Install) program() string {
	machine := elf.EM_X86_64
	if i.ARM64 {
		machine = elf.EM_AARCH64
	}
	header := append([]byte(elf.ELFMAG), byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1)
	header = append(header, make([]byte, 9)...)
	header = binary.LittleEndian.AppendUint16(header, uint16(elf.ET_DYN))
	return string(binary.LittleEndian.AppendUint16(header, uint16(machine)))
}

// loader is the beginning of what firmware starts: a boot loader, a kernel.
func (i *Install) loader() string {
	machine := uint16(pe.IMAGE_FILE_MACHINE_AMD64)
	if i.ARM64 {
		machine = pe.IMAGE_FILE_MACHINE_ARM64
	}
	header := make([]byte, 64, 128)
	copy(header, "MZ")
	header[60] = 64
	return string(binary.LittleEndian.AppendUint16(append(header, "PE\x00\x00"...), machine))
}

// drivers are those in the kernel's packages.
var drivers = []string{"nvme", "ahci", "mpt3sas", "megaraid_sas", "igb", "ixgbe", "i40e", "virtio_blk", "virtio_net"}

// Initial RAM disks: for the machine that they are made on, and for all.
const (
	hostOnly = "host"
	generic  = "generic"
)

// makeRamdisks makes them as dracut does: first the processor's microcode, then
// what is compressed, by gzip up to RHEL 8 and zstd since.
func (i *Install) makeRamdisks(t testing.TB) {
	t.Helper()
	fstest.RequireTool(t, "cpio", "gzip", "zstd")
	packer := "zstd"
	if i.rpm == berkeley {
		packer = "gzip"
	}
	const script = `(cd "$1/early" && find . | cpio -o -H newc --quiet) && (cd "$1/main" && find . | cpio -o -H newc --quiet) | ` + "$2 -c"
	i.ramdisks = map[string]string{}
	for name, list := range map[string][]string{hostOnly: {"virtio_blk"}, generic: drivers} {
		dir := t.TempDir()
		write(t, dir, tree{"early/kernel/x86/microcode/GenuineIntel.bin": "microcode", "main/init": "-> usr/lib/systemd/systemd"})
		for _, driver := range list {
			write(t, dir, tree{filepath.Join("main/usr/lib/modules", i.Kernel, driver+".ko.xz"): "driver"})
		}
		out, err := exec.Command("sh", "-c", script, "sh", dir, packer).Output()
		if err != nil {
			t.Fatal(err)
		}
		i.ramdisks[name] = string(out)
	}
}

// write writes a tree below a folder. Programs and scripts of systems are in
// folders of their own.
func write(t testing.TB, dir string, files tree) {
	t.Helper()
	for at, text := range files {
		path := filepath.Join(dir, at)
		folder := filepath.Dir(path)
		if at[len(at)-1] == '/' {
			folder = path
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if folder == path {
			continue
		}
		var err error
		if len(text) > 3 && text[:3] == "-> " {
			err = os.Symlink(text[3:], path)
		} else {
			err = os.WriteFile(path, []byte(text), modeOf(at))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func modeOf(at string) os.FileMode {
	switch filepath.Dir(at) {
	case "usr/bin", "usr/sbin", "usr/lib/systemd", "stubs":
		return 0o755
	}
	if at == "etc/shadow" {
		return 0o600
	}
	return 0o644
}
