package qemu

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/packer-plugin-sdk/template/interpolate"

	"github.com/packer-maas/packer-plugin-maas/internal/machine"
)

// stage is what a machine is started for.
type stage int

const (
	only       stage = iota // the whole build
	installing              // until the installer is done
	installed               // after that, from the disk
)

// arguments are QEMU's, in the order in which they were added.
type arguments struct {
	keys   []string
	values map[string][]string
}

func (a *arguments) add(key string, values ...string) {
	if a.values == nil {
		a.values = map[string][]string{}
	}
	if _, there := a.values[key]; !there {
		a.keys = append(a.keys, key)
	}
	a.values[key] = append(a.values[key], values...)
}

func (a *arguments) list() []string {
	var list []string
	for _, key := range a.keys {
		if len(a.values[key]) == 0 {
			list = append(list, key)
		}
		for _, value := range a.values[key] {
			list = append(list, key, value)
		}
	}
	return list
}

// arguments are QEMU's for a stage: what the options say, in which qemuargs
// replace whatever has the same name, and what our own options add.
func (b *build) arguments(s stage) ([]string, error) {
	var a arguments
	b.addMachine(&a)
	b.addNetwork(&a)
	b.addScreen(&a)
	cds := b.addDrives(&a, s)
	if err := b.override(&a); err != nil {
		return nil, err
	}
	var ours arguments
	b.addFirmware(&ours)
	if s != installed {
		b.addSeeds(&ours, cds)
	}
	if err := b.addKernel(&ours, s); err != nil {
		return nil, err
	}
	return append(a.list(), ours.list()...), nil
}

func (b *build) addMachine(a *arguments) {
	q := &b.config.QEMU
	kind := "type=" + q.MachineType
	if q.Accelerator != "none" {
		kind += ",accel=" + q.Accelerator
	}
	if b.firmware != nil && b.firmware.SMM {
		kind += ",smm=on"
	}
	a.add("-name", q.VMName)
	a.add("-machine", kind)
	a.add("-cpu", q.CPUModel)
	a.add("-smp", topology(q))
	a.add("-m", fmt.Sprintf("%dM", q.MemorySize))
	if q.Firmware != "" && !q.PFlash {
		a.add("-bios", q.Firmware)
	}
	if q.QMPEnable && b.config.has("qmp_enable") {
		a.add("-qmp", fmt.Sprintf("unix:%s,server=on,wait=off", machine.Quote(q.QMPSocketPath)))
	}
}

// topology is how many processors there are. Of a number and a product of
// sockets, cores and threads, the smaller one counts.
func topology(q *qemuConfig) string {
	product, given := 1, ""
	for _, part := range []struct {
		name string
		n    int
	}{{"sockets", q.SocketCount}, {"cores", q.CoreCount}, {"threads", q.ThreadCount}} {
		if part.n > 0 {
			product *= part.n
			given += fmt.Sprintf(",%s=%d", part.name, part.n)
		}
	}
	count := q.CpuCount
	if given != "" && (count == 0 || count > product) {
		count = product
	}
	return strconv.Itoa(max(1, count)) + given
}

func (b *build) addNetwork(a *arguments) {
	q := &b.config.QEMU
	network, device := "user,id=user.0", q.NetDevice+",netdev=user.0"
	if q.NetBridge != "" {
		network = "bridge,id=user.0,br=" + q.NetBridge
		device += ",mac=" + b.mac
	} else if b.port != 0 {
		network += fmt.Sprintf(",hostfwd=tcp:%s:%d-:%d", loopback, b.port, q.CommConfig.Comm.Port())
	}
	a.add("-netdev", network)
	a.add("-device", device)
}

// vncBase is the port of a machine's first screen.
const vncBase = 5900

func (b *build) addScreen(a *arguments) {
	q := &b.config.QEMU
	switch {
	case !q.Headless && q.UseDefaultDisplay: // QEMU's choice
	case !q.Headless && q.Display != "" && q.Display != "none":
		a.add("-display", q.Display)
	case !q.Headless && q.Display == "":
		a.add("-display", "gtk")
	case q.Headless:
		a.add("-display", "none")
	}
	if !q.DisableVNC {
		// QEMU takes the first screen that is free.
		screen := fmt.Sprintf("%s:%d,to=%d", q.VNCBindAddress, q.VNCPortMin-vncBase, q.VNCPortMax-vncBase)
		if q.VNCUsePassword {
			screen += ",password=on"
		}
		a.add("-vnc", screen)
	}
	if q.VGA != "" {
		a.add("-vga", q.VGA)
	}
	if b.config.Architecture == archARM64 && strings.HasPrefix(q.MachineType, "virt") {
		// The machine has neither a screen nor a keyboard of its own.
		a.add("-device", "virtio-gpu-pci", "qemu-xhci,id=maas-keyboard", "usb-kbd,bus=maas-keyboard.0")
	}
}

// override puts the template's qemuargs in the place of what has their names.
func (b *build) override(a *arguments) error {
	q := &b.config.QEMU
	if len(q.QemuArgs) == 0 {
		return nil
	}
	ctx := b.config.ctx
	ctx.Data = struct {
		HTTPIP      string
		HTTPPort    int
		HTTPDir     string
		HTTPContent map[string]string
		OutputDir   string
		Name        string
		SSHHostPort int
	}{b.httpIP, b.httpPort, q.HTTPDir, q.HTTPContent, q.OutputDir, q.VMName, b.port}
	var theirs arguments
	for _, row := range q.QemuArgs {
		var parts []string
		for _, part := range row {
			rendered, err := interpolate.Render(part, &ctx)
			if err != nil {
				return fmt.Errorf("qemuargs: %w", err)
			}
			parts = append(parts, rendered)
		}
		if len(parts) == 0 || parts[0] == "" {
			continue
		}
		if value := strings.Join(parts[1:], ""); value != "" {
			theirs.add(parts[0], value)
		} else {
			theirs.add(parts[0])
		}
	}
	for _, key := range theirs.keys {
		if _, there := a.values[key]; there && key == "-device" && !mentions(theirs.values[key], q.NetDevice) {
			theirs.add(key, a.values[key][0]) // the network's, which nobody means to lose
		}
		a.replace(key, theirs.values[key])
	}
	return nil
}

func (a *arguments) replace(key string, values []string) {
	if !slices.Contains(a.keys, key) {
		a.keys = append(a.keys, key)
	}
	a.values[key] = values
}

func mentions(values []string, text string) bool {
	return slices.ContainsFunc(values, func(value string) bool { return strings.Contains(value, text) })
}

// serial says whether the template has taken the serial ports for itself.
func (b *build) serial() bool {
	return slices.ContainsFunc(b.config.QEMU.QemuArgs, func(row []string) bool {
		return len(row) > 0 && (row[0] == "-serial" || row[0] == "-nographic")
	})
}
