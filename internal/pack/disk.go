package pack

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/curtin"
	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/changed"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/partition"
	"github.com/packer-maas/packer-plugin-maas/internal/facts"
	"github.com/packer-maas/packer-plugin-maas/internal/freespace"
	"github.com/packer-maas/packer-plugin-maas/internal/image"
	"github.com/packer-maas/packer-plugin-maas/internal/insert"
	"github.com/packer-maas/packer-plugin-maas/internal/system"
)

// installerFolders are those by one of which curtin recognises the partition
// to finish the installation on (curtin/block/__init__.py, get_root_device).
var installerFolders = []string{"curtin", "system-data/var/lib/snapd", "snaps"}

// packDisk packs the disk, with the changes that are asked for.
func packDisk(ctx context.Context, d disk.Disk, job Job, to Reporter) (result Result, err error) {
	if err := job.checkWhole(); err != nil {
		return Result{}, err
	}
	if err := checkTable(d, to); err != nil {
		return Result{}, fmt.Errorf("%s: %w", job.Disk, err)
	}
	c := changed.New(d, filepath.Dir(job.Output))
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := job.change(ctx, c, to); err != nil {
		return Result{}, fmt.Errorf("%s: %w", job.Disk, err)
	}
	volumes, err := system.Volumes(c)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", job.Disk, err)
	}
	if err := checkPartitions(volumes, job.CurtinHooks != "" || job.Look, to); err != nil {
		return Result{}, fmt.Errorf("%s: %w", job.Disk, err)
	}
	to.Say(fmt.Sprintf("The whole disk of %d bytes: machines need a disk at least as large", c.Size()))

	result = Result{System: "whole disk"}
	if s, err := system.Open(c, system.Options{}); err == nil {
		result.System, result.Release = s.Name, s.Release
	}
	if job.Look {
		if result.Facts, err = facts.ReadDisk(ctx, c); err != nil {
			return Result{}, fmt.Errorf("%s: %w", job.Disk, err)
		}
	}
	whole := disk.Disk(c)
	if !job.KeepFreeSpace {
		whole = hideFreeSpace(c, volumes, to)
	}
	total := int64(0)
	for run := range whole.Extents(0, whole.Size()) {
		if !run.Hole {
			total += run.Length
		}
	}
	job.Image.Progress = func(done int64) { to.Progress(done, total) }
	result.Summary, err = image.PackDisk(ctx, job.Output, whole, job.Image)
	return result, err
}

// change makes the changes that are asked for.
func (job Job) change(ctx context.Context, d *changed.Disk, to Reporter) error {
	if layers := job.layers(); len(layers) > 0 {
		if err := job.insert(ctx, d, layers, to); err != nil {
			return err
		}
	}
	if job.Shrink {
		return shrink(d, to)
	}
	return nil
}

// insert puts hooks and files into a volume of the disk.
func (job Job) insert(ctx context.Context, d *changed.Disk, layers []system.Layer, to Reporter) error {
	epoch, err := sourceDateEpoch()
	if err != nil {
		return err
	}
	volumes, err := system.Volumes(d)
	if err != nil {
		return err
	}
	v, err := system.HooksVolume(volumes, curtin.Folder, job.System.Root)
	if err != nil {
		return err
	}
	return insert.Into(ctx, d, v, insert.Job{Layers: layers, Epoch: epoch, Folder: filepath.Dir(job.Output), Say: to.Say})
}

// shrink cuts the disk to what it needs.
func shrink(d *changed.Disk, to Reporter) error {
	before := d.Size()
	gone, err := partition.Shrink(d)
	if err != nil {
		return fmt.Errorf("shrink: %w; without the option, the disk is packed as large as it is", err)
	}
	for _, p := range gone {
		to.Say(fmt.Sprintf("Left out, for it is all zeros: partition %d of %d bytes", p.Number, p.Size))
	}
	if d.Size() == before {
		to.Say("Note: the last partition reaches to the end of the disk and is in use, so that there is nothing to be shrunk")
		return nil
	}
	to.Say(fmt.Sprintf("Shrunk the disk from %d to %d bytes", before, d.Size()))
	return nil
}

// hideFreeSpace returns the disk without what its file systems do not use.
func hideFreeSpace(d disk.Disk, volumes []*system.Volume, to Reporter) disk.Disk {
	hidden, notes := freespace.Hide(d, volumes)
	for _, note := range notes {
		to.Say("Note: " + note)
	}
	to.Say(fmt.Sprintf("Free space that may hold old data, packed as zeros: %d bytes", hidden.Hidden()))
	return hidden
}

// checkWhole refuses what a whole disk has no use for.
func (job Job) checkWhole() error {
	if len(job.MoreDisks) > 0 {
		return fmt.Errorf("filetype %s: the image is one disk; %d are given", job.Image.Filetype, len(job.MoreDisks)+1)
	}
	if len(job.KeepIdentity) > 0 || len(job.System.SkipMounts) > 0 {
		return fmt.Errorf("filetype %s: nothing is reset on a whole disk or left out of it, so nothing can be kept or skipped", job.Image.Filetype)
	}
	return nil
}

// checkTable refuses a disk that was cut short, as a copy is that did not come
// to its end: nothing else tells so of a raw one.
func checkTable(d disk.Disk, to Reporter) error {
	table, err := partition.Read(d)
	if err != nil {
		return fmt.Errorf("read partition table: %w", err)
	}
	if len(table.CutShort) > 0 {
		return fmt.Errorf("the disk was cut short, or its partition table is damaged: %s; get the whole of it, or remove the partition from its table",
			strings.Join(table.Warnings, "; "))
	}
	for _, warning := range table.Warnings {
		to.Say("Note: " + warning)
	}
	return nil
}

// checkPartitions looks for what curtin needs: a partition, on which there is
// a folder that it knows, unless it was put there, or who looks at the image
// says more of that.
func checkPartitions(volumes []*system.Volume, found bool, to Reporter) error {
	var unread []string
	partitions, bare := 0, ""
	for _, v := range volumes {
		if v.Partition.Number == 0 {
			if v.Type != "" {
				bare = ", it holds " + v.Type
			}
			continue
		}
		partitions++
		to.Say("  " + v.String())
		if v.FS == nil {
			unread = append(unread, v.Name())
			continue
		}
		for _, name := range installerFolders {
			is, err := v.HasFolder(name)
			if err != nil {
				unread = append(unread, v.Name())
				break
			}
			found = found || is
		}
	}
	switch {
	case partitions == 0:
		return fmt.Errorf("the disk has no partitions%s: curtin, which writes a whole disk to the machine, looks for the system on its partitions only; pack it as tgz, or give the disk a partition table", bare)
	case found:
	case len(unread) > 0:
		to.Say(fmt.Sprintf("Note: curtin needs a folder /curtin on one of the partitions; there is none on those that can be read here, and %s cannot be.",
			strings.Join(unread, ", ")))
	default:
		to.Say("Warning: no partition has a folder /curtin: curtin will not find the system, and the deployment will fail.")
	}
	return nil
}
