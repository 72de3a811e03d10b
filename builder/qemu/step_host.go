package qemu

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/hashicorp/packer-plugin-sdk/multistep"

	"github.com/packer-maas/packer-plugin-maas/internal/firmware"
	"github.com/packer-maas/packer-plugin-maas/internal/machine"
)

// stepHost finds what this machine has: QEMU, what accelerates it, firmware.
type stepHost struct{ *build }

func (s *stepHost) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	for _, find := range []func(context.Context) error{s.findProgram, s.chooseAccelerator, s.findFirmware} {
		if err := find(ctx); err != nil {
			return s.fail(state, err)
		}
	}
	return multistep.ActionContinue
}

func (*stepHost) Cleanup(multistep.StateBag) {}

// kvmProgram is the only QEMU of Enterprise Linux, for its own architecture.
const kvmProgram = "/usr/libexec/qemu-kvm"

func (s *stepHost) findProgram(context.Context) error {
	q := &s.config.QEMU
	path, err := exec.LookPath(q.QemuBinary)
	if err != nil && !s.config.has("qemu_binary") && s.config.Architecture == runtime.GOARCH {
		path, err = exec.LookPath(kvmProgram)
	}
	if err != nil {
		packages := "qemu-system-x86 on Debian and Ubuntu, qemu-system-x86-core on Fedora, qemu-kvm on Enterprise Linux, qemu-x86 on SUSE"
		if s.config.Architecture == archARM64 {
			packages = "qemu-system-arm on Debian and Ubuntu, qemu-system-aarch64-core on Fedora, qemu-kvm on Enterprise Linux, qemu-arm on SUSE"
		}
		return fmt.Errorf("QEMU for %s is not installed (%w): its package is %s", s.config.Architecture, err, packages)
	}
	s.program = path
	if _, err := exec.LookPath(imageProgram); err != nil {
		return fmt.Errorf("qemu-img is not installed (%w): its package is qemu-utils on Debian and Ubuntu, qemu-img on Fedora and Enterprise Linux, qemu-tools on SUSE", err)
	}
	return nil
}

// accelerators are what could accelerate a machine of this one's own
// architecture.
var accelerators = map[string]string{"linux": "kvm", "darwin": "hvf"}

func (s *stepHost) chooseAccelerator(ctx context.Context) error {
	q := &s.config.QEMU
	if !s.config.has("accelerator") {
		q.Accelerator = "tcg"
		why := s.tryAccelerator(ctx, q)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if why != "" {
			s.ui.Say("Warning: the machine is emulated, which is slow: " + why)
		}
	}
	emulated := q.Accelerator == "tcg" || q.Accelerator == "none"
	if emulated {
		s.config.emulated()
	}
	if q.CPUModel == "" {
		q.CPUModel = "host"
		if emulated {
			q.CPUModel = "max"
		}
	}
	return nil
}

// tryAccelerator sets the accelerator to one that works, or says why there is
// none.
func (s *stepHost) tryAccelerator(ctx context.Context, q *qemuConfig) string {
	if s.config.Architecture != runtime.GOARCH {
		return fmt.Sprintf("this is no %s", s.config.Architecture)
	}
	candidate := accelerators[runtime.GOOS]
	if candidate == "" {
		return "nothing is known that accelerates it here"
	}
	cpu := q.CPUModel
	if cpu == "" {
		cpu = "host"
	}
	if err := machine.Try(ctx, s.program, s.config.Architecture, candidate, cpu, s.work); err != nil {
		return fmt.Sprintf("%s does not work here: %v", candidate, err)
	}
	q.Accelerator = candidate
	return ""
}

// varsFile is the QEMU builder's name for it.
const varsFile = "efivars.fd"

func (s *stepHost) findFirmware(ctx context.Context) error {
	q := &s.config.QEMU
	switch {
	case s.config.has("efi_firmware_code"):
		s.firmware = &firmware.Firmware{
			Code: q.OVMFCode, CodeFormat: "raw", Vars: q.OVMFVars, VarsFormat: "raw",
			SMM: s.config.FirmwareKind == firmwareSecure && s.config.Architecture == archAMD64,
		}
	case s.config.uefi():
		found, err := firmware.Find("", firmware.Want{
			Architecture: s.config.Architecture, Machine: q.MachineType, Secure: s.config.FirmwareKind == firmwareSecure,
		})
		if err != nil {
			return err
		}
		s.firmware = &found
	default:
		return nil
	}
	s.vars = filepath.Join(q.OutputDir, varsFile)
	if err := copyFile(ctx, s.vars, s.firmware.Vars); err != nil {
		return fmt.Errorf("copy the firmware's variables: %w", err)
	}
	return os.Chmod(s.vars, 0o644)
}
