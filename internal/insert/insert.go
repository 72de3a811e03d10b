// Package insert puts files of this machine into a volume of a disk: curtin's
// hooks, and what else an image of a whole disk needs. It adds and replaces,
// and removes nothing.
package insert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/curtin"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/changed"
	"github.com/packer-maas/packer-plugin-maas/internal/system"
)

// Job is what to put where.
type Job struct {
	Layers []system.Layer
	// Epoch, if not zero, is the latest time that a file may have.
	Epoch time.Time
	// Folder is where a copy of a volume may be made that no other way leads
	// into.
	Folder string
	// Say is told what happens.
	Say func(message string)
}

// file is a file or folder of this machine, and its place on the volume.
type file struct {
	at       string // "curtin/finalize"
	from     string
	folder   bool
	size     int64
	modified time.Time
}

// Into puts the layers' files into a volume of the disk.
func Into(ctx context.Context, d *changed.Disk, v *system.Volume, job Job) error {
	files, err := job.files()
	if err != nil {
		return err
	}
	if v.Partition.Number == 0 || v.Partition.Size != v.Size() {
		return fmt.Errorf("%s is no partition: curtin looks on partitions only", v.Name())
	}
	p := &part{disk: d, off: v.Partition.Offset, size: v.Partition.Size}
	switch v.Type {
	case "vfat":
		err = intoFAT(ctx, p, files)
	case "ntfs":
		err = intoNTFS(ctx, p, files, job)
	default:
		err = refusal(v)
	}
	if err != nil {
		return fmt.Errorf("put files into %s: %w", v.Name(), err)
	}
	job.Say(fmt.Sprintf("Put %d files and folders into %s", len(files), v.Name()))
	return nil
}

// refusal is what to do about a file system that is not written.
func refusal(v *system.Volume) error {
	what := v.Type
	if what == "" {
		what = "what it holds"
	}
	return fmt.Errorf("%s cannot be written here, only FAT and NTFS can; have the build's provisioner put the files on the disk, /curtin among them, and leave out curtin_hooks and overlay", what)
}

// files lists what the layers hold, every folder before what is in it.
func (job Job) files() ([]file, error) {
	var files []file
	for _, l := range job.Layers {
		source, err := filepath.EvalSymlinks(l.Source)
		if err != nil {
			return nil, err
		}
		err = filepath.WalkDir(source, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			relative, err := filepath.Rel(source, name)
			if err != nil {
				return err
			}
			f, err := job.file(l, filepath.ToSlash(relative), name, d)
			if err == nil && f.at != "." {
				files = append(files, f)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("lay %s over %s: %w", l.Source, l.Target, err)
		}
	}
	return files, nil
}

func (job Job) file(l system.Layer, relative, name string, d fs.DirEntry) (file, error) {
	info, err := d.Info()
	if l.Hooks && curtin.IsHook(relative) {
		info, err = os.Stat(name) // a link could lead to what the image has not
	}
	if err != nil {
		return file{}, err
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return file{}, fmt.Errorf("%s: neither a file nor a folder; FAT and NTFS have no symbolic links or devices that MAAS could use", relative)
	}
	f := file{
		at: path.Join(path.Clean("/" + l.Target)[1:], relative), from: name,
		folder: info.IsDir(), size: info.Size(), modified: info.ModTime(),
	}
	if !job.Epoch.IsZero() && f.modified.After(job.Epoch) {
		f.modified = job.Epoch
	}
	return f, nil
}

// part is a partition that can be written.
type part struct {
	disk      *changed.Disk
	off, size int64
}

func (p *part) Size() int64 { return p.size }

func (p *part) Prefetch(off, n int64) { p.disk.Prefetch(p.off+off, n) }

func (p *part) ReadAt(b []byte, off int64) (int, error) {
	return io.NewSectionReader(p.disk, p.off, p.size).ReadAt(b, off)
}

func (p *part) WriteAt(b []byte, off int64) (int, error) {
	if off < 0 || off > p.size || int64(len(b)) > p.size-off {
		return 0, errors.New("write past the end of the partition")
	}
	return p.disk.WriteAt(b, p.off+off)
}
