package facts

import (
	"bytes"
	"debug/elf"
	"debug/pe"
	"encoding/binary"
)

// MAAS's names of processor architectures.
var (
	elfMachines = map[elf.Machine]string{
		elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_386: "i386", elf.EM_ARM: "armhf",
		elf.EM_PPC64: "ppc64el", elf.EM_S390: "s390x", elf.EM_RISCV: "riscv64",
	}
	peMachines = map[uint16]string{
		pe.IMAGE_FILE_MACHINE_AMD64: "amd64", pe.IMAGE_FILE_MACHINE_ARM64: "arm64", pe.IMAGE_FILE_MACHINE_I386: "i386",
		pe.IMAGE_FILE_MACHINE_RISCV64: "riscv64",
	}
)

// machineOf is the architecture that a program (ELF), a boot loader or a kernel
// (PE, which kernels are too, so that firmware can start them) is for, by its
// first bytes; "" if they do not tell.
func machineOf(b []byte) string {
	switch {
	case len(b) >= 20 && bytes.HasPrefix(b, []byte(elf.ELFMAG)):
		order := binary.ByteOrder(binary.LittleEndian)
		if elf.Data(b[elf.EI_DATA]) == elf.ELFDATA2MSB {
			order = binary.BigEndian
		}
		return elfMachines[elf.Machine(order.Uint16(b[18:]))]
	case len(b) >= 64 && b[0] == 'M' && b[1] == 'Z':
		at := int64(binary.LittleEndian.Uint32(b[60:]))
		if at+6 <= int64(len(b)) && bytes.HasPrefix(b[at:], []byte("PE\x00\x00")) {
			return peMachines[binary.LittleEndian.Uint16(b[at+4:])]
		}
	}
	return ""
}
