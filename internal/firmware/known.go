package firmware

// place is where some distribution puts a firmware.
type place struct {
	code, vars string
	qcow2, smm bool
}

// known are firmwares in places without descriptors: Debian 11 and Ubuntu 20.04
// have none for some, Arch moved its files twice, and SUSE's say little of keys.
func known(want Want) []Firmware {
	var found []Firmware
	for _, p := range places[want.Architecture][want.Secure] {
		if p.smm && want.Machine == "pc" {
			continue // which has no system management mode
		}
		format := "raw"
		if p.qcow2 {
			format = "qcow2"
		}
		found = append(found, Firmware{Code: p.code, CodeFormat: format, Vars: p.vars, VarsFormat: format, SMM: p.smm})
	}
	return found
}

var places = map[string]map[bool][]place{
	"amd64": {
		false: {
			{code: "/usr/share/OVMF/OVMF_CODE_4M.fd", vars: "/usr/share/OVMF/OVMF_VARS_4M.fd"},                              // Debian 12 on, Ubuntu 22.04 on
			{code: "/usr/share/OVMF/OVMF_CODE.fd", vars: "/usr/share/OVMF/OVMF_VARS.fd"},                                    // Debian 11, Ubuntu 20.04, Fedora's link
			{code: "/usr/share/edk2/ovmf/OVMF_CODE.fd", vars: "/usr/share/edk2/ovmf/OVMF_VARS.fd"},                          // Fedora, Enterprise Linux
			{code: "/usr/share/edk2/ovmf/OVMF_CODE_4M.qcow2", vars: "/usr/share/edk2/ovmf/OVMF_VARS_4M.qcow2", qcow2: true}, // Fedora
			{code: "/usr/share/edk2/ovmf-4m/OVMF_CODE.fd", vars: "/usr/share/edk2/ovmf-4m/OVMF_VARS.fd"},                    // Fedora, older
			{code: "/usr/share/edk2/x64/OVMF_CODE.4m.fd", vars: "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},                      // Arch
			{code: "/usr/share/edk2/x64/OVMF_CODE.fd", vars: "/usr/share/edk2/x64/OVMF_VARS.fd"},                            // Arch, 2024
			{code: "/usr/share/edk2-ovmf/x64/OVMF_CODE.fd", vars: "/usr/share/edk2-ovmf/x64/OVMF_VARS.fd"},                  // Arch, older
			{code: "/usr/share/qemu/ovmf-x86_64-4m-code.bin", vars: "/usr/share/qemu/ovmf-x86_64-4m-vars.bin"},              // SUSE
			{code: "/usr/share/qemu/ovmf-x86_64-code.bin", vars: "/usr/share/qemu/ovmf-x86_64-vars.bin"},                    // SUSE, older
			{code: "/usr/share/qemu/edk2-x86_64-code.fd", vars: "/usr/share/qemu/edk2-i386-vars.fd"},                        // QEMU's own
		},
		true: {
			{code: "/usr/share/OVMF/OVMF_CODE_4M.ms.fd", vars: "/usr/share/OVMF/OVMF_VARS_4M.ms.fd", smm: true},
			{code: "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", vars: "/usr/share/OVMF/OVMF_VARS_4M.ms.fd", smm: true},
			{code: "/usr/share/OVMF/OVMF_CODE.ms.fd", vars: "/usr/share/OVMF/OVMF_VARS.ms.fd", smm: true},
			{code: "/usr/share/OVMF/OVMF_CODE.secboot.fd", vars: "/usr/share/OVMF/OVMF_VARS.ms.fd", smm: true},
			{code: "/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", vars: "/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd", smm: true},
			{code: "/usr/share/edk2/ovmf/OVMF_CODE_4M.secboot.qcow2", vars: "/usr/share/edk2/ovmf/OVMF_VARS_4M.secboot.qcow2", qcow2: true, smm: true},
			{code: "/usr/share/qemu/ovmf-x86_64-smm-ms-code.bin", vars: "/usr/share/qemu/ovmf-x86_64-smm-ms-vars.bin", smm: true},
			{code: "/usr/share/qemu/ovmf-x86_64-ms-4m-code.bin", vars: "/usr/share/qemu/ovmf-x86_64-ms-4m-vars.bin"},
			{code: "/usr/share/qemu/ovmf-x86_64-ms-code.bin", vars: "/usr/share/qemu/ovmf-x86_64-ms-vars.bin"},
		},
	},
	"arm64": {
		false: {
			{code: "/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd", vars: "/usr/share/AAVMF/AAVMF_VARS.fd"},                                             // Debian 13, Ubuntu 24.04 on
			{code: "/usr/share/AAVMF/AAVMF_CODE.fd", vars: "/usr/share/AAVMF/AAVMF_VARS.fd"},                                                        // Debian, Ubuntu, Fedora's link
			{code: "/usr/share/edk2/aarch64/QEMU_EFI-silent-pflash.qcow2", vars: "/usr/share/edk2/aarch64/vars-template-pflash.qcow2", qcow2: true}, // Fedora
			{code: "/usr/share/edk2/aarch64/QEMU_EFI-silent-pflash.raw", vars: "/usr/share/edk2/aarch64/vars-template-pflash.raw"},
			{code: "/usr/share/edk2/aarch64/QEMU_CODE.fd", vars: "/usr/share/edk2/aarch64/QEMU_VARS.fd"},                 // Arch
			{code: "/usr/share/edk2-armvirt/aarch64/QEMU_CODE.fd", vars: "/usr/share/edk2-armvirt/aarch64/QEMU_VARS.fd"}, // Arch, older
			{code: "/usr/share/qemu/aavmf-aarch64-code.bin", vars: "/usr/share/qemu/aavmf-aarch64-vars.bin"},             // SUSE
			{code: "/usr/share/qemu/edk2-aarch64-code.fd", vars: "/usr/share/qemu/edk2-arm-vars.fd"},                     // QEMU's own
		},
		true: {
			{code: "/usr/share/AAVMF/AAVMF_CODE.ms.fd", vars: "/usr/share/AAVMF/AAVMF_VARS.ms.fd"},
			{code: "/usr/share/AAVMF/AAVMF_CODE.secboot.fd", vars: "/usr/share/AAVMF/AAVMF_VARS.ms.fd"},
			{code: "/usr/share/qemu/aavmf-aarch64-ms-code.bin", vars: "/usr/share/qemu/aavmf-aarch64-ms-vars.bin"},
		},
	},
}
