package qemu

import (
	"fmt"
	"strings"

	"github.com/hashicorp/packer-plugin-sdk/template/interpolate"

	"github.com/packer-maas/packer-plugin-maas/internal/machine"
)

const (
	virtioSCSI = "virtio-scsi"
	scsiBus    = "scsi0"
)

// cds puts CDs where cdrom_interface says.
type cds struct {
	attach string
	count  int
	bus    bool // there is a SCSI controller
}

func (c *cds) add(a *arguments, path string) {
	file := "file=" + machine.Quote(path)
	switch c.attach {
	case "":
		a.add("-drive", file+",media=cdrom,readonly=on")
	case virtioSCSI:
		c.controller(a)
		a.add("-drive", fmt.Sprintf("%s,if=none,id=cdrom%d,media=cdrom,readonly=on", file, c.count))
		a.add("-device", fmt.Sprintf("scsi-cd,bus=%s.0,drive=cdrom%d", scsiBus, c.count))
	default:
		a.add("-drive", fmt.Sprintf("%s,if=%s,index=%d,id=cdrom%d,media=cdrom,readonly=on", file, c.attach, c.count, c.count))
	}
	c.count++
}

// controller adds the SCSI controller, which disks and CDs share.
func (c *cds) controller(a *arguments) {
	if !c.bus {
		a.add("-device", "virtio-scsi-pci,id="+scsiBus)
		c.bus = true
	}
}

// addDrives adds the disks, the ISO, and the QEMU builder's own CD and floppy.
func (b *build) addDrives(a *arguments, s stage) *cds {
	q := &b.config.QEMU
	c := &cds{attach: q.CDROMInterface}
	for i, path := range b.disks {
		drive := fmt.Sprintf("file=%s,cache=%s,discard=%s,format=%s", machine.Quote(path), q.DiskCache, q.DiskDiscard, q.Format)
		if q.DetectZeroes != "off" {
			drive += ",detect-zeroes=" + q.DetectZeroes
		}
		switch q.DiskInterface {
		case virtioSCSI:
			c.controller(a)
			a.add("-drive", fmt.Sprintf("%s,if=none,id=drive%d", drive, i))
			a.add("-device", fmt.Sprintf("scsi-hd,bus=%s.0,drive=drive%d", scsiBus, i))
		case "sata": // which QEMU has no interface of that name for
			if i == 0 {
				a.add("-device", "ich9-ahci,id=sata0")
			}
			a.add("-drive", fmt.Sprintf("%s,if=none,id=drive%d", drive, i))
			a.add("-device", fmt.Sprintf("ide-hd,bus=sata0.%d,drive=drive%d", i, i))
		default:
			a.add("-drive", drive+",if="+q.DiskInterface)
		}
	}
	if q.Firmware != "" && q.PFlash {
		a.add("-drive", fmt.Sprintf("file=%s,if=pflash,format=raw,readonly=on", machine.Quote(q.Firmware)))
	}
	boot := "c"
	if s != installed {
		if b.iso != "" && !q.DiskImage {
			c.add(a, b.iso)
			boot = "once=d"
		}
		if b.cd != "" {
			c.add(a, b.cd)
		}
		if b.floppy != "" {
			a.add("-fda", b.floppy)
		}
	}
	if b.firmware == nil && b.config.Architecture == archAMD64 {
		a.add("-boot", boot) // UEFI has its own order
	}
	return c
}

// addFirmware adds UEFI: its code read only, its variables this build's own.
func (b *build) addFirmware(a *arguments) {
	if b.firmware == nil {
		return
	}
	if b.firmware.SMM {
		a.add("-global", "driver=cfi.pflash01,property=secure,value=on")
	}
	a.add("-drive",
		fmt.Sprintf("file=%s,if=pflash,unit=0,format=%s,readonly=on", machine.Quote(b.firmware.Code), b.firmware.CodeFormat),
		fmt.Sprintf("file=%s,if=pflash,unit=1,format=%s", machine.Quote(b.vars), b.firmware.VarsFormat))
}

func (b *build) addSeeds(a *arguments, c *cds) {
	usb := false
	for i, path := range b.seeds {
		drive := fmt.Sprintf("file=%s,format=raw,readonly=on", machine.Quote(path))
		switch b.config.Seeds[i].Media {
		case mediaCDROM:
			c.add(a, path)
		case mediaDisk:
			a.add("-drive", drive+",if=virtio")
		case mediaUSB:
			if !usb {
				a.add("-device", "qemu-xhci,id=maas-usb")
				usb = true
			}
			a.add("-drive", fmt.Sprintf("%s,if=none,id=maas-seed%d", drive, i))
			a.add("-device", fmt.Sprintf("usb-storage,bus=maas-usb.0,drive=maas-seed%d,removable=on", i))
		}
	}
}

// consoles are the serial ports' names in Linux.
var consoles = map[string]string{archAMD64: "ttyS0", archARM64: "ttyAMA0"}

// addKernel adds the installer's kernel, and makes its restart the end.
func (b *build) addKernel(a *arguments, s stage) error {
	if s == installing || s == only && b.kernel != "" {
		a.add("-no-reboot")
	}
	if s == installed || b.kernel == "" {
		return nil
	}
	console := consoles[b.config.Architecture]
	ctx := b.config.ctx
	ctx.Data = struct {
		HTTPIP   string
		HTTPPort int
		Name     string
		Console  string
		ISOLabel string
	}{b.httpIP, b.httpPort, b.config.QEMU.VMName, console, deviceName(b.label)}
	line, err := interpolate.Render(b.config.KernelArguments, &ctx)
	if err != nil {
		return fmt.Errorf("kernel_arguments: %w", err)
	}
	if !strings.Contains(" "+line, " console=") {
		// In front: what is behind a "--" is for the first process.
		line = strings.TrimSpace("console=" + console + " " + line)
	}
	a.add("-kernel", b.kernel)
	if b.initrd != "" {
		a.add("-initrd", b.initrd)
	}
	a.add("-append", line)
	return nil
}

// deviceName is a label as udev writes it in names of devices: what could be
// mistaken for something else as \x and its bytes (libudev, ENC).
func deviceName(label string) string {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#+-.:=@_"
	var name strings.Builder
	for _, b := range []byte(label) {
		if b >= 0x80 || strings.IndexByte(letters, b) >= 0 {
			name.WriteByte(b)
		} else {
			fmt.Fprintf(&name, `\x%02x`, b)
		}
	}
	return name.String()
}
