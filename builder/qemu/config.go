//go:generate go tool packer-sdc struct-markdown
//go:generate go tool packer-sdc mapstructure-to-hcl2 -type Config,Seed

package qemu

import (
	"time"

	"github.com/hashicorp/packer-plugin-qemu/builder/qemu"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/hashicorp/packer-plugin-sdk/template/config"
	"github.com/hashicorp/packer-plugin-sdk/template/interpolate"
)

// Config holds the options of a `maas-qemu` source: ours, and all of the QEMU
// builder's.
type Config struct {
	MachineConfig   `mapstructure:",squash"`
	InstallerConfig `mapstructure:",squash"`
	ConsoleConfig   `mapstructure:",squash"`
	ProvisionConfig `mapstructure:",squash"`

	QEMU qemu.Config `mapstructure:",squash"`

	given map[string]any // the options that the template has, as it has them
	ctx   interpolate.Context
}

// MachineConfig is what the machine is.
type MachineConfig struct {
	// `amd64` or `arm64`. The default is this machine's own. It decides the
	// QEMU binary, the kind of machine, the processor, and the serial console's
	// name; the QEMU builder's options for these take precedence.
	Architecture string `mapstructure:"architecture" required:"false"`
	// `bios`, `uefi`, or `uefi-secure`, which is UEFI with Secure Boot and
	// Microsoft's keys enrolled. The default is `bios` on amd64 and `uefi` on
	// arm64. The firmware's files are found where the distributions put them,
	// its variables are copied for each build; an error names the package that
	// is missing. A path to a firmware file, the QEMU builder's own meaning of
	// this option, is possible too.
	FirmwareKind string `mapstructure:"firmware" required:"false" mapstructure-to-hcl2:",skip"`
	// Give the machine a TPM 2.0. It is emulated by `swtpm`, started for this
	// build and ended with it.
	TPM bool `mapstructure:"tpm" required:"false"`
}

// InstallerConfig is how the installer starts and gets its answers.
type InstallerConfig struct {
	// The installer's kernel, started by QEMU itself: nothing is typed into a
	// boot loader. A path inside the ISO, such as `/images/pxeboot/vmlinuz`,
	// or, if there is no such file, on this machine. When the installer
	// restarts the machine, the installation is over, just as when it powers
	// it off. Without a network or a disk that it needs, no ISO is needed.
	Kernel string `mapstructure:"kernel" required:"false"`
	// The initial RAM disk that belongs to `kernel`, found in the same way.
	Initrd string `mapstructure:"initrd" required:"false"`
	// The kernel's command line, a template that knows `{{ .HTTPIP }}`,
	// `{{ .HTTPPort }}`, `{{ .Name }}`, `{{ .Console }}`, the name of the
	// serial console's device, such as `ttyS0`, and `{{ .ISOLabel }}`, the
	// ISO's label as device names in Linux have it, for installers that look
	// for their own medium: `inst.stage2=hd:LABEL={{ .ISOLabel }}`. Unless it
	// has a `console=` of its own, the serial console is added, so that the
	// builder can read what the installer says.
	KernelArguments string `mapstructure:"kernel_arguments" required:"false"`
	// Volumes with answers for the installer: see [Seed volumes](#seed-volumes).
	Seeds []Seed `mapstructure:"seed" required:"false"`
}

// Seed is a volume with files in it.
type Seed struct {
	// The volume's label, by which installers find it: `OEMDRV` for a
	// kickstart (`ks.cfg`) or AutoYaST (`autoinst.xml`), `cidata` for
	// cloud-init and Ubuntu's autoinstall. At most 11 characters on `disk` and
	// `usb`, 32 on `cdrom`.
	Label string `mapstructure:"label" required:"true"`
	// Names in the volume, and the files or folders on this machine that are
	// copied there, such as `{ "ks.cfg" = "rocky9.ks" }`. A name can have
	// folders; the name `/` copies a folder's content.
	Files map[string]string `mapstructure:"files" required:"false"`
	// Names in the volume, and the text of each file, such as
	// `{ "user-data" = "#cloud-config" }`.
	Content map[string]string `mapstructure:"content" required:"false"`
	// What the machine sees: `cdrom`, the default, an ISO 9660 file system with
	// Rock Ridge's and Joliet's names; or `disk` (virtio) or `usb`, each with
	// one FAT partition. A disk comes after the disk that is installed, but an
	// installer can mistake it for one.
	Media string `mapstructure:"media" required:"false"`
}

// ConsoleConfig is how the machine's serial console is read.
type ConsoleConfig struct {
	// How much of what the machine says on its serial console appears in
	// Packer's output: `quiet` for nothing, `normal`, the default, leaves out
	// the kernel's messages and what repeats, `all` is all. A failure's last
	// lines are always told.
	Console string `mapstructure:"console" required:"false"`
	// A file for all that the machine says on its serial console, without the
	// terminal's control sequences. It stays when the build fails. The default
	// is `<output_directory>.console.log`, beside the folder.
	ConsoleLog string `mapstructure:"console_log" required:"false"`
	// Regular expressions (RE2) for lines of the serial console that say that
	// the installer is done. The first that matches ends the installation: the
	// machine is asked to power off, and is switched off when for 30 seconds it
	// has said nothing new, and neither read nor written its disks. A machine that powers off before has failed. Without any, an
	// installer is done when it powers off.
	SuccessPatterns []string `mapstructure:"success_patterns" required:"false"`
	// Regular expressions (RE2) for lines of the serial console that say that
	// the installer has failed, besides those that the builder knows: see
	// [What ends a build](#what-ends-a-build).
	FailurePatterns []string `mapstructure:"failure_patterns" required:"false"`
	// Regular expressions (RE2) for lines of the serial console that are never
	// a failure, whatever the builder knows.
	IgnorePatterns []string `mapstructure:"ignore_patterns" required:"false"`
	// How long the installer may say nothing new on its serial console, without
	// reading or writing its disks either, until the build ends. A clock is
	// nothing new, nor are lines that repeat. The default is
	// `15m`, `45m` without hardware acceleration; a negative duration means for
	// ever (then `shutdown_timeout` ends it).
	StallTimeout time.Duration `mapstructure:"stall_timeout" required:"false"`
}

// ProvisionConfig is what happens after the installer.
type ProvisionConfig struct {
	// When the installer has powered off or restarted the machine, start the
	// installed disk without the installer, and run the build's provisioners on
	// it by the `communicator`. At the end, unless there is a
	// `shutdown_command`, the account `ssh_username` is removed from the system
	// with its home and its sudo rules (of `root`, only the keys and the
	// password), and the machine powered off.
	Provision bool `mapstructure:"provision" required:"false"`
}

// qemuConfig is the QEMU builder's part.
type qemuConfig = qemu.Config

// Prepare reads the options and says all that is wrong with them.
func (c *Config) Prepare(raws ...any) ([]string, error) {
	ours, theirs, err := split(raws)
	if err != nil {
		return nil, err
	}
	*c = Config{given: given(ours, theirs)}
	if err := c.decode(ours); err != nil {
		return nil, err
	}
	c.applyDefaults()
	c.QEMU = qemu.Config{}
	warnings, err := c.QEMU.Prepare(append(theirs, c.decisions())...)
	var errs *packersdk.MultiError
	if err != nil {
		errs = packersdk.MultiErrorAppend(errs, err)
	}
	errs = packersdk.MultiErrorAppend(errs, c.check()...)
	if c.withoutISO() {
		c.QEMU.ISOUrls, warnings = nil, nil // all of them were about the ISO
	}
	if errs != nil && len(errs.Errors) > 0 {
		return warnings, errs
	}
	return warnings, nil
}

// verbatim are options that are no templates: whatever is in braces there is
// the installer's or the expression's own.
var verbatim = []string{"seed", "success_patterns", "failure_patterns", "ignore_patterns"}

// decode reads our options.
func (c *Config) decode(ours []any) error {
	plain := map[string]any{}
	for _, raw := range ours {
		options := raw.(map[string]any)
		for _, name := range verbatim {
			if value, ok := options[name]; ok {
				plain[name] = value
				delete(options, name)
			}
		}
	}
	err := config.Decode(c, &config.DecodeOpts{
		PluginType:         BuilderID,
		Interpolate:        true,
		InterpolateContext: &c.ctx,
		InterpolateFilter:  &interpolate.RenderFilter{Exclude: []string{"kernel_arguments"}},
	}, ours...)
	if err != nil {
		return err
	}
	return config.Decode(c, &config.DecodeOpts{PluginType: BuilderID}, plain)
}
