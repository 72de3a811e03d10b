package qemu

import (
	"path/filepath"

	"github.com/hashicorp/packer-plugin-sdk/multistep"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-maas/packer-plugin-maas/internal/firmware"
	"github.com/packer-maas/packer-plugin-maas/internal/machine"
)

// build is one run of the builder: what its steps have found out and made for
// the steps after them.
type build struct {
	config *Config
	ui     packersdk.Ui

	iso      string // the ISO, or the disk that the build starts from
	label    string // the ISO's, if a kernel is started from it
	work     string // a folder for what only this build needs
	program  string // QEMU
	firmware *firmware.Firmware
	vars     string // this build's copy of the firmware's variables
	kernel   string
	initrd   string
	floppy   string
	cd       string
	seeds    []string
	disks    []string
	httpIP   string
	httpPort int
	port     int
	guest    string // the machine's address, if it is on a bridge
	mac      string

	vnc         string // where the screen is
	vncPassword string
	machine     *machine.Machine
	watch       *watch
}

// fail ends the build with an error that is written for a person.
func (b *build) fail(state multistep.StateBag, err error) multistep.StepAction {
	state.Put("error", err)
	b.ui.Error(err.Error())
	return multistep.ActionHalt
}

// beside is a path for what is kept when the output folder is deleted.
func (b *build) beside(ending string) string {
	return filepath.Clean(b.config.QEMU.OutputDir) + ending
}

// commHost is where the communicator finds the machine.
func (b *build) commHost(multistep.StateBag) (string, error) {
	if host := b.config.QEMU.CommConfig.Comm.Host(); host != "" {
		return host, nil
	}
	if b.guest != "" {
		return b.guest, nil
	}
	return loopback, nil
}

func (b *build) commPort(multistep.StateBag) (int, error) {
	if b.port == 0 {
		return b.config.QEMU.CommConfig.Comm.Port(), nil
	}
	return b.port, nil
}

// halted says whether a build has not come to its end.
func halted(state multistep.StateBag) bool {
	_, cancelled := state.GetOk(multistep.StateCancelled)
	_, halted := state.GetOk(multistep.StateHalted)
	return cancelled || halted
}
