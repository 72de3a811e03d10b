//go:generate go tool packer-sdc struct-markdown
//go:generate go tool packer-sdc mapstructure-to-hcl2 -type Config,Upload

package image

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/packer-plugin-sdk/common"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/hashicorp/packer-plugin-sdk/template/config"
	"github.com/hashicorp/packer-plugin-sdk/template/interpolate"

	"github.com/packer-maas/packer-plugin-maas/internal/curtin"
	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/image"
	"github.com/packer-maas/packer-plugin-maas/internal/pack"
	"github.com/packer-maas/packer-plugin-maas/internal/region"
	"github.com/packer-maas/packer-plugin-maas/internal/system"
)

// Config holds the options of a `maas-image` block. All are optional.
type Config struct {
	common.PackerConfig `mapstructure:",squash"`

	// The disk image to pack. By default it is the disk that the builder
	// made: the first disk of the QEMU builder, or the one disk image among
	// any other builder's files.
	Input string `mapstructure:"input" required:"false"`
	// Further disks of the same system, for one whose volumes are on several:
	// LVM can spread a volume over all of them. By default, if `input` is not
	// set, the other disks of the QEMU builder. A whole-disk image is always one
	// disk.
	MoreInputs []string `mapstructure:"more_inputs" required:"false"`
	// The format of the disk image, or of all of them: `qcow2`, `raw`, `vhdx`, `vmdk`, `vdi` or
	// `vpc`. By default the QEMU builder's own word for it, or what the
	// file's first bytes say.
	InputFormat string `mapstructure:"input_format" required:"false"`
	// An image that was made earlier, by this plugin or by something else. It
	// is only checked and uploaded: nothing is packed, and what a builder made
	// is not looked at.
	Image string `mapstructure:"image" required:"false"`
	// What MAAS calls the kind of image. `tgz`, the default, `tbz` and `txz`
	// are the root file system as a tar, compressed by gzip, bzip2 or xz, which
	// MAAS lays onto the storage layout of each machine. `ddgz`, `ddbz2`,
	// `ddxz`, `ddraw`, `ddtgz`, `ddtbz`, `ddtxz` and `ddtar` are the whole
	// disk: see [Whole-disk images](#whole-disk-images).
	Filetype string `mapstructure:"filetype" required:"false"`
	// Where the image goes; a file `<output>.sha256` is written beside it. The
	// default is `<build name>` with the filetype's ending, such as `.tar.gz`
	// or `.dd.gz`, in the working folder. It must not be inside the builder's output folder, which Packer deletes. An image that
	// exists is replaced only by `packer build -force`.
	Output string `mapstructure:"output" required:"false"`
	// How hard to compress, from 1 (fast) to 9 (smallest and very slow). The
	// default, 6, makes images about 5 % larger than `gzip -6` in a quarter of its
	// processor time. xz has one level.
	CompressionLevel int `mapstructure:"compression_level" required:"false"`
	// A folder with the hooks that curtin, MAAS's installer, runs at
	// deployment: `curtin-hooks`, `finalize`, or both, and what they need. It
	// becomes `/curtin` in the image, owned by root, its hooks executable. In a
	// whole disk it can go onto FAT and NTFS: see [Files in a whole
	// disk](#files-in-a-whole-disk).
	CurtinHooks string `mapstructure:"curtin_hooks" required:"false"`
	// A folder whose files are laid over the image's root folder. They belong
	// to root and keep their modes; folders that the image has stay as they
	// are. Of files not regular, symbolic links are taken as links, and all
	// others refused.
	Overlay string `mapstructure:"overlay" required:"false"`
	// The volume that holds the system, if there are several systems: a
	// partition's number, `UUID=`, `LABEL=`, `PARTUUID=` or `PARTLABEL=` with a
	// value, or the name of a logical volume, `vg/root`. By default it is found
	// by its content. On a whole disk, the partition that `curtin_hooks` and
	// `overlay` go to.
	Root string `mapstructure:"root" required:"false"`
	// Mount points of the system's fstab whose volumes are left out of the
	// image, such as `["/data"]`.
	SkipMounts []string `mapstructure:"skip_mounts" required:"false"`
	// What is not reset in the image although it belongs to the machine that
	// was built: any of `machine-id`, `cloud-init` (its state, its logs, and
	// the network settings it rendered), `ssh-host-keys`, `random-seed`,
	// `dhcp-leases` and `udev-net-rules`.
	KeepIdentity []string `mapstructure:"keep_identity" required:"false"`
	// Cut a whole disk to what it needs, so that it fits smaller machines: of a
	// disk with a GPT, the last partitions go if they are all zeros, and what
	// is free at its end. Partitions that stay keep their place and size. The
	// default is `false`.
	Shrink bool `mapstructure:"shrink" required:"false"`
	// Read the image again while it is written, decompress it, and compare
	// every byte with what went in, before the image gets its name. The default
	// is `true`; it takes about a third more processor time.
	Verify config.Trilean `mapstructure:"verify" required:"false"`
	// Of a whole disk, pack what no file owns as zeros, without reading it: what
	// was deleted takes no room and does not travel. The default is `true`. See
	// [Free space](#free-space) for when this is known.
	ZeroFreeSpace config.Trilean `mapstructure:"zero_free_space" required:"false"`
	// Whether the image is looked into before it leaves: `on`, the default,
	// ends the build with an error if a check fails, before the upload; `warn`
	// says so and goes on; `off` does not look, and lists no packages. See
	// [Checks](#checks).
	Checks string `mapstructure:"checks" required:"false"`
	// Checks that may fail, by name, such as `["passwords"]`.
	IgnoreChecks []string `mapstructure:"ignore_checks" required:"false"`
	// Whether the image is to be deployed into memory, too, as MAAS 3.5 and later
	// can (a check asks then for what that needs). The default is `false`.
	InMemory bool `mapstructure:"in_memory" required:"false"`
	// Sends the image to a MAAS region: see [Upload](#upload).
	Upload *Upload `mapstructure:"upload" required:"false"`

	ctx interpolate.Context
}

// unknown is what a value that is not known yet looks like while Packer
// validates a template.
const unknown = region.Unknown

// decode reads the options and says all that is wrong with them.
func (c *Config) decode(raws []any) error {
	err := config.Decode(c, &config.DecodeOpts{
		PluginType:         "packer.post-processor.maas-image",
		Interpolate:        true,
		InterpolateContext: &c.ctx,
		// Its templates wait for the image.
		InterpolateFilter: &interpolate.RenderFilter{Exclude: []string{"upload"}},
	}, raws...)
	if err != nil {
		return err
	}
	c.applyDefaults()

	var errs *packersdk.MultiError
	for _, check := range []func() error{
		c.checkFiletype, c.checkWhole, c.checkInput, c.checkImage, c.checkOutput, c.checkUpload, c.checkLevel, c.checkHooks, c.checkOverlay, c.checkIdentity, c.checkChecks,
	} {
		if err := check(); err != nil {
			errs = packersdk.MultiErrorAppend(errs, err)
		}
	}
	if errs != nil {
		return errs
	}
	return nil
}

func (c *Config) applyDefaults() {
	if c.Filetype == "" {
		c.Filetype = image.DefaultFiletype
	}
	if c.Output == "" {
		name := c.PackerBuildName
		if name == "" {
			name = "image"
		}
		ending := image.Ending(c.Filetype)
		if ending == "" { // an error, or not known yet
			ending = image.Ending(image.DefaultFiletype)
		}
		c.Output = name + ending
	}
	if c.CompressionLevel == 0 {
		c.CompressionLevel = image.DefaultLevel
	}
}

// isUnknown says whether a value is, or is made of, one not known yet.
func isUnknown(value string) bool { return strings.Contains(value, unknown) }

func (c *Config) checkFiletype() error {
	if c.Image != "" {
		return nil // checkUpload knows what can be uploaded
	}
	if !isUnknown(c.Filetype) && !slices.Contains(image.Filetypes(), c.Filetype) {
		return fmt.Errorf("filetype = %q is not one that this plugin makes; it makes %s", c.Filetype, strings.Join(image.Filetypes(), ", "))
	}
	return nil
}

// checkWhole refuses options that the filetype has no use for.
func (c *Config) checkWhole() error {
	if c.Image != "" || isUnknown(c.Filetype) {
		return nil
	}
	if !image.IsDisk(c.Filetype) {
		if c.Shrink {
			return fmt.Errorf("shrink cannot be used with filetype = %q, which has no disk to shrink; it is for the filetypes that begin with dd", c.Filetype)
		}
		return nil
	}
	switch {
	case len(c.KeepIdentity) > 0 || len(c.SkipMounts) > 0:
		return fmt.Errorf("keep_identity and skip_mounts cannot be used with filetype = %q: nothing is reset on a whole disk or left out of it; have the build do that, or use the filetype tgz", c.Filetype)
	case len(c.MoreInputs) > 0:
		return fmt.Errorf("more_inputs cannot be used with filetype = %q: the image is one disk", c.Filetype)
	case c.Root != "" && c.CurtinHooks == "" && c.Overlay == "":
		return fmt.Errorf("root does nothing with filetype = %q without curtin_hooks or overlay: it names the volume that they go to", c.Filetype)
	}
	return nil
}

func (c *Config) checkInput() error {
	if c.InputFormat != "" && !isUnknown(c.InputFormat) && !slices.Contains(disk.Formats, c.InputFormat) {
		return fmt.Errorf("input_format = %q is none of %s", c.InputFormat, strings.Join(disk.Formats, ", "))
	}
	for i, path := range append([]string{c.Input}, c.MoreInputs...) {
		if i == 0 && path == "" || isUnknown(path) {
			continue
		}
		option := map[bool]string{true: "input", false: "more_inputs"}[i == 0]
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("%s: %w", option, err)
		}
		if info.IsDir() {
			return fmt.Errorf("%s: %s is a folder, not a disk image", option, path)
		}
	}
	return nil
}

func (c *Config) checkImage() error {
	switch {
	case c.Image == "" || isUnknown(c.Image):
		return nil
	case c.Input != "" || len(c.MoreInputs) > 0:
		return errors.New("image and input are both set; image is one that is ready, input a disk to make one of")
	case c.Upload != nil && isTemplate(c.Upload.Name+c.Upload.Title):
		return errors.New("upload: name and title cannot be templates with image: an image that is ready is not looked into")
	case c.Upload == nil && c.Checks == checksOff:
		return errors.New("image is set without an upload block and with checks = \"off\", so there is nothing to do with it")
	}
	info, err := os.Stat(c.Image)
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return fmt.Errorf("image = %q is not a file with anything in it", c.Image)
	}
	return matchesFiletype(c.Image, c.Filetype)
}

func (c *Config) checkUpload() error {
	if c.Upload == nil {
		return nil
	}
	return c.Upload.check(c.Filetype)
}

func (c *Config) checkOutput() error {
	if c.Image != "" || isUnknown(c.Output) {
		return nil
	}
	// The default of the QEMU builder's output_directory, which Packer deletes
	// with all that is in it.
	builderDir := "output-" + c.PackerBuildName
	if c.PackerBuildName != "" && within(builderDir, c.Output) {
		return fmt.Errorf("output = %q is inside the builder's folder %s, which Packer deletes at the end; choose a place outside it", c.Output, builderDir)
	}
	if err := image.CheckOutput(c.Output, c.PackerForce); err != nil {
		return fmt.Errorf("output = %q: %w", c.Output, err)
	}
	return nil
}

// within says whether file lies in folder or below it.
func within(folder, file string) bool {
	relative, err := filepath.Rel(resolved(folder), resolved(file))
	return err == nil && filepath.IsLocal(relative)
}

// resolved is a path without symbolic links, as far as it exists.
func resolved(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	if parent := filepath.Dir(path); parent != path {
		return filepath.Join(resolved(parent), filepath.Base(path))
	}
	return path
}

func (c *Config) checkLevel() error {
	if c.CompressionLevel < 1 || c.CompressionLevel > 9 {
		return fmt.Errorf("compression_level = %d is not between 1 and 9", c.CompressionLevel)
	}
	return nil
}

func (c *Config) checkHooks() error {
	if c.CurtinHooks == "" || isUnknown(c.CurtinHooks) {
		return nil
	}
	if err := curtin.CheckHooks(c.CurtinHooks); err != nil {
		return fmt.Errorf("curtin_hooks: %w", err)
	}
	if err := (system.Layer{Source: c.CurtinHooks, Hooks: true}).Check(); err != nil {
		return fmt.Errorf("curtin_hooks: %w", err)
	}
	return nil
}

func (c *Config) checkOverlay() error {
	if c.Overlay == "" || isUnknown(c.Overlay) {
		return nil
	}
	info, err := os.Stat(c.Overlay)
	if err != nil {
		return fmt.Errorf("overlay: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("overlay = %q is not a folder", c.Overlay)
	}
	if err := (system.Layer{Source: c.Overlay}).Check(); err != nil {
		return fmt.Errorf("overlay: %w", err)
	}
	return nil
}

func (c *Config) checkIdentity() error {
	for _, name := range c.KeepIdentity {
		if !isUnknown(name) && !slices.Contains(system.Identities(), name) {
			return fmt.Errorf("keep_identity: %q is none of %s", name, strings.Join(system.Identities(), ", "))
		}
	}
	return nil
}

// job is the work that the options ask for, on the given disk.
func (c *Config) job(source disksource) pack.Job {
	return pack.Job{
		Disk:          source.path,
		MoreDisks:     source.more,
		Format:        source.format,
		System:        system.Options{Root: c.Root, SkipMounts: c.SkipMounts},
		KeepIdentity:  c.KeepIdentity,
		CurtinHooks:   c.CurtinHooks,
		Overlay:       c.Overlay,
		Shrink:        c.Shrink,
		KeepFreeSpace: c.ZeroFreeSpace.False(),
		Output:        c.Output,
		Look:          c.looks(),
		Image: image.Options{
			Filetype: c.Filetype, Level: c.CompressionLevel, Force: c.PackerForce, SkipVerify: !c.verifies(),
		},
	}
}

// verifies says whether the image is read again.
func (c *Config) verifies() bool { return c.Verify != config.TriFalse }
