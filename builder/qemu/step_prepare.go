package qemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/packer-plugin-sdk/multistep"
	"github.com/hashicorp/packer-plugin-sdk/multistep/commonsteps"

	"github.com/packer-maas/packer-plugin-maas/internal/isofile"
	"github.com/packer-maas/packer-plugin-maas/internal/seed"
)

// stepISO fetches the ISO, if there is one.
type stepISO struct {
	*build

	download *commonsteps.StepDownload
}

func (s *stepISO) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	q := &s.config.QEMU
	if len(q.ISOUrls) == 0 {
		return multistep.ActionContinue
	}
	if q.ISOSkipCache {
		s.iso = q.ISOUrls[0] // QEMU reads it from there
		return multistep.ActionContinue
	}
	s.download = &commonsteps.StepDownload{
		Checksum: q.ISOChecksum, Description: "ISO", Extension: q.TargetExtension,
		ResultKey: "iso_path", TargetPath: q.TargetPath, Url: q.ISOUrls,
	}
	action := s.download.Run(ctx, state)
	if action != multistep.ActionContinue {
		return action
	}
	iso, err := filepath.Abs(state.Get("iso_path").(string))
	if err != nil {
		return s.fail(state, err)
	}
	s.iso = iso
	return action
}

func (s *stepISO) Cleanup(state multistep.StateBag) {
	if s.download != nil {
		s.download.Cleanup(state)
	}
}

// stepFolder makes the output folder, and in it one for what only this build
// needs: so nothing of it is anywhere else, even if it is killed.
type stepFolder struct{ *build }

const workFolder = ".maas-qemu"

func (s *stepFolder) Run(_ context.Context, state multistep.StateBag) multistep.StepAction {
	q := &s.config.QEMU
	if _, err := os.Stat(q.OutputDir); err == nil && q.PackerForce {
		s.ui.Say("Deleting the output folder of an earlier build")
		if err := os.RemoveAll(q.OutputDir); err != nil {
			return s.fail(state, err)
		}
	}
	work, err := filepath.Abs(filepath.Join(q.OutputDir, workFolder))
	if err != nil {
		return s.fail(state, err)
	}
	s.work = work
	if err := os.MkdirAll(q.OutputDir, 0o755); err != nil {
		return s.fail(state, err)
	}
	if err := os.Mkdir(work, 0o700); err != nil {
		return s.fail(state, fmt.Errorf("another build is in this folder, or was killed there: %w", err))
	}
	return multistep.ActionContinue
}

func (s *stepFolder) Cleanup(state multistep.StateBag) {
	folder := s.work
	if halted(state) {
		folder = s.config.QEMU.OutputDir
		s.ui.Say("Deleting the output folder")
	}
	if err := os.RemoveAll(folder); err != nil {
		s.ui.Error(err.Error())
	}
}

// stepSeeds makes the seed volumes, and takes the installer's kernel out of the
// ISO.
type stepSeeds struct{ *build }

func (s *stepSeeds) Run(_ context.Context, state multistep.StateBag) multistep.StepAction {
	for i, volume := range s.config.Seeds {
		target := filepath.Join(s.work, fmt.Sprintf("seed%d.img", i+1))
		v := seed.Volume{Label: volume.Label, CDROM: volume.Media == mediaCDROM, Files: volume.Files, Content: volume.Content}
		if err := v.Write(target); err != nil {
			return s.fail(state, err)
		}
		s.seeds = append(s.seeds, target)
	}
	for _, part := range []struct {
		name string
		path *string
	}{{s.config.Kernel, &s.kernel}, {s.config.Initrd, &s.initrd}} {
		path, err := s.boot(part.name)
		if err != nil {
			return s.fail(state, err)
		}
		*part.path = path
	}
	if path, ok := state.Get("floppy_path").(string); ok {
		s.floppy = path
	}
	if path, ok := state.Get("cd_path").(string); ok {
		s.cd = path
	}
	return multistep.ActionContinue
}

// boot is where a file is that QEMU is to start: copied out of the ISO, or on
// this machine.
func (s *stepSeeds) boot(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	var inISO error
	if s.iso != "" && !s.config.QEMU.DiskImage && !s.config.QEMU.ISOSkipCache {
		target := filepath.Join(s.work, filepath.Base(name))
		if inISO = isofile.Extract(s.iso, name, target); inISO == nil {
			s.label, inISO = isofile.Label(s.iso)
			return target, inISO
		}
		if !errors.Is(inISO, fs.ErrNotExist) {
			return "", inISO
		}
	}
	if _, err := os.Stat(name); err != nil {
		if inISO == nil {
			return "", fmt.Errorf("%w; nor is there an ISO to take it from, which iso_url names", err)
		}
		return "", errors.Join(inISO, err)
	}
	return name, nil
}

func (*stepSeeds) Cleanup(multistep.StateBag) {}

// copyUnit is how much of a file is copied before the context is asked again.
const copyUnit = 64 << 20

// copyFile copies a file, without moving its bytes where the file system can.
func copyFile(ctx context.Context, target, source string) (err error) {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, err := io.CopyN(out, in, copyUnit); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
