package qemu

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/hashicorp/packer-plugin-sdk/multistep"

	"github.com/packer-maas/packer-plugin-maas/internal/process"
)

const imageProgram = "qemu-img"

// qemuImg runs qemu-img, which ends with the build.
func qemuImg(ctx context.Context, args ...string) error {
	path, err := exec.LookPath(imageProgram)
	if err != nil {
		return err
	}
	p, err := process.Start(exec.Command(path, args...))
	if err != nil {
		return err
	}
	select {
	case <-p.Exited():
		return p.Err()
	case <-ctx.Done():
		p.Kill()
		return context.Cause(ctx)
	}
}

// stepDisks makes the machine's disks: empty ones, or a copy of what the build
// starts from.
type stepDisks struct{ *build }

func (s *stepDisks) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	q := &s.config.QEMU
	s.disks = []string{filepath.Join(q.OutputDir, q.VMName)}
	if err := s.first(ctx); err != nil {
		return s.fail(state, fmt.Errorf("make the disk: %w", err))
	}
	for i, size := range q.AdditionalDiskSize {
		path := filepath.Join(q.OutputDir, fmt.Sprintf("%s-%d", q.VMName, i+1))
		if err := s.create(ctx, path, size); err != nil {
			return s.fail(state, fmt.Errorf("make disk %d: %w", i+2, err))
		}
		s.disks = append(s.disks, path)
	}
	return multistep.ActionContinue
}

func (*stepDisks) Cleanup(multistep.StateBag) {}

func (s *stepDisks) create(ctx context.Context, path, size string, options ...string) error {
	args := append([]string{"create", "-f", s.config.QEMU.Format}, options...)
	args = append(args, s.config.QEMU.QemuImgArgs.Create...)
	return qemuImg(ctx, append(args, path, size)...)
}

func (s *stepDisks) first(ctx context.Context) error {
	q := &s.config.QEMU
	switch {
	case !q.DiskImage:
		return s.create(ctx, s.disks[0], q.DiskSize)
	case q.UseBackingFile:
		if q.SkipResizeDisk {
			args := append([]string{"create", "-f", q.Format, "-b", s.iso, "-F", "qcow2"}, q.QemuImgArgs.Create...)
			return qemuImg(ctx, append(args, s.disks[0])...)
		}
		return s.create(ctx, s.disks[0], q.DiskSize, "-b", s.iso, "-F", "qcow2")
	}
	s.ui.Say("Copying the disk")
	if err := s.copy(ctx); err != nil {
		return err
	}
	if q.SkipResizeDisk {
		return nil
	}
	args := append([]string{"resize", "-f", q.Format}, q.QemuImgArgs.Resize...)
	return qemuImg(ctx, append(args, s.disks[0], q.DiskSize)...)
}

// copy converts the disk, unless its name says that it is in the right format.
func (s *stepDisks) copy(ctx context.Context) error {
	q := &s.config.QEMU
	if filepath.Ext(s.iso) == "."+q.Format && len(q.QemuImgArgs.Convert) == 0 {
		return copyFile(ctx, s.disks[0], s.iso)
	}
	args := append([]string{"convert"}, q.QemuImgArgs.Convert...)
	return qemuImg(ctx, append(args, "-O", q.Format, s.iso, s.disks[0])...)
}

// stepCompact writes the disk again without what is not used of it.
type stepCompact struct{ *build }

func (s *stepCompact) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	q := &s.config.QEMU
	if q.SkipCompaction && !q.DiskCompression {
		return multistep.ActionContinue
	}
	s.ui.Say("Compacting the disk")
	// What it holds came from the machine: a raw disk can look like another
	// format, with files of this one behind it.
	args := []string{"convert", "-f", q.Format}
	if q.DiskCompression {
		args = append(args, "-c")
	}
	args = append(args, q.QemuImgArgs.Convert...)
	compact := s.disks[0] + ".convert"
	err := qemuImg(ctx, append(args, "-O", q.Format, s.disks[0], compact)...)
	if err == nil {
		err = os.Rename(compact, s.disks[0])
	}
	if err != nil {
		return s.fail(state, fmt.Errorf("compact the disk: %w", err))
	}
	return multistep.ActionContinue
}

func (*stepCompact) Cleanup(multistep.StateBag) {}
