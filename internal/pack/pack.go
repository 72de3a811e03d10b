// Package pack is the whole way of an image in one function: open the disk,
// find the system, lay over it what MAAS needs, write the image. It knows
// nothing of Packer.
package pack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/curtin"
	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/facts"
	"github.com/packer-maas/packer-plugin-maas/internal/image"
	"github.com/packer-maas/packer-plugin-maas/internal/system"
)

// Job is what to pack, and how.
type Job struct {
	Disk      string   // path of a disk image
	MoreDisks []string // further disks of the same system
	Format    string   // of all, as qemu-img names it; "" to look at the content

	System       system.Options
	KeepIdentity []string
	CurtinHooks  string // folder that becomes /curtin
	Overlay      string // folder laid over the root
	Shrink       bool   // cut a whole disk to what it needs

	KeepFreeSpace bool // of a whole disk: pack also what no file owns

	Output string
	// Beside are files that are written about the image later, and so must not
	// be any of the disk's either.
	Beside []string
	Image  image.Options
	// Look gathers the facts that checks need, on the way.
	Look bool
}

// Reporter is told how the work goes.
type Reporter interface {
	// Say tells of a step, or of something a person should know.
	Say(message string)
	// Progress is called often; total is an estimate, 0 if there is none.
	Progress(done, total int64)
}

// Result is the account of an image.
type Result struct {
	System  string // what the system calls itself
	Release map[string]string
	Facts   *facts.Facts // if the job says Look
	image.Summary
	Elapsed time.Duration
}

// Run packs an image. When it returns an error, no image and nothing else of
// its own is left.
func Run(ctx context.Context, job Job, to Reporter) (result Result, err error) {
	start := time.Now()
	epoch, err := sourceDateEpoch()
	if err != nil {
		return Result{}, err
	}
	var read sources
	opts := disk.Options{Format: job.Format, Log: to.Say, Files: read.add}
	d, err := disk.Open(ctx, job.Disk, opts)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	for _, path := range job.MoreDisks {
		more, err := disk.Open(ctx, path, opts)
		if err != nil {
			return Result{}, err
		}
		defer more.Close()
		job.System.MoreDisks = append(job.System.MoreDisks, more)
	}
	if err := job.checkKeeps(read.paths); err != nil {
		return Result{}, err
	}
	job.Image.Confirm = read.unchanged

	if image.IsDisk(job.Image.Filetype) {
		result, err = packDisk(ctx, d, job, to)
	} else {
		result, err = packTree(ctx, d, job, epoch, to)
	}
	result.Elapsed = time.Since(start)
	return result, err
}

// packTree packs the system on the disk as a tree of files.
func packTree(ctx context.Context, d disk.Disk, job Job, epoch time.Time, to Reporter) (Result, error) {
	s, err := system.Open(d, job.System)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", job.Disk, err)
	}
	to.Say("Found " + s.Name + ":")
	for _, m := range s.Mounts {
		to.Say("  " + m.String())
	}
	for _, note := range s.Notes {
		to.Say("Note: " + note)
	}
	entries, err := s.Tree(ctx, system.TreeOptions{
		Layers: job.layers(), KeepIdentity: job.KeepIdentity, Epoch: epoch,
	})
	if err != nil {
		return Result{}, err
	}
	var seen facts.Collector
	if job.Look {
		entries = seen.Watch(ctx, entries)
	}
	total := s.Used()
	job.Image.Progress = func(done int64) { to.Progress(done, total) }
	sum, err := image.Pack(ctx, job.Output, entries, job.Image)
	if err != nil {
		return Result{}, err
	}
	result := Result{System: s.Name, Release: s.Release, Summary: sum}
	if job.Look {
		result.Facts = &facts.Facts{Tree: seen.Tree(ctx)}
	}
	return result, nil
}

func (job Job) layers() []system.Layer {
	var layers []system.Layer
	if job.CurtinHooks != "" {
		layers = append(layers, system.Layer{Source: job.CurtinHooks, Target: curtin.Folder, Hooks: true})
	}
	if job.Overlay != "" {
		layers = append(layers, system.Layer{Source: job.Overlay, Target: "/"})
	}
	return layers
}

// sourceDateEpoch is the time that reproducible builds give to what they make
// (reproducible-builds.org, SOURCE_DATE_EPOCH); zero if it is not set.
func sourceDateEpoch() (time.Time, error) {
	value := os.Getenv("SOURCE_DATE_EPOCH")
	if value == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("environment variable SOURCE_DATE_EPOCH is %q; it must be a number of seconds", value)
	}
	return time.Unix(seconds, 0), nil
}
