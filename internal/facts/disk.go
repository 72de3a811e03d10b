package facts

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/partition"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/system"
	"github.com/packer-maas/packer-plugin-maas/internal/tree"
)

// bootCodeSize is how much of the first sector is a program that a BIOS starts.
const bootCodeSize = 440

// Disk is what is known of a whole disk.
type Disk struct {
	Size     int64
	Scheme   partition.Scheme
	Sector   int64 // in bytes, as the partition table counts
	BootCode bool  // a BIOS finds a program in the first sector
	Volumes  []Volume
	Notes    []string // what is odd about it, or could not be looked at
}

// Volume is a partition or a logical volume.
type Volume struct {
	Name                             string // for a person: "partition 2"
	Kind                             string // the partition's type, as blkid(8) prints it
	Type                             string // of its file system, as blkid(8) names it
	UUID, Label, PartUUID, PartLabel string
	Offset, Size                     int64
	Partition                        bool // it has a number in the partition table
	// Linux is the oldest that mounts it for writing, as {5, 19}; zero for any.
	Linux [2]int
	// State says why Linux would not mount it for writing, and what to do; "" if
	// it would.
	State string
	// Unread says why its files are not known; "" if they are.
	Unread string
	// Files are some of them: those at its top, its /curtin and its EFI.
	Files *Tree
	// Registry is that of the Windows on it.
	Registry Registry
}

// ReadDisk looks at a disk and, if there is a Linux on it that can be read, at
// all its files' names.
func ReadDisk(ctx context.Context, d disk.Volume) (*Facts, error) {
	table, err := partition.Read(d)
	if err != nil {
		return nil, fmt.Errorf("read partition table: %w", err)
	}
	f := &Facts{Disk: &Disk{Size: d.Size(), Scheme: table.Scheme, Sector: table.SectorSize, Notes: table.Warnings}}
	code := make([]byte, min(bootCodeSize, d.Size()))
	if _, err := d.ReadAt(code, 0); err != nil {
		return nil, err
	}
	f.Disk.BootCode = strings.Trim(string(code), "\x00") != ""
	volumes, err := system.Volumes(d)
	if err != nil {
		return nil, err
	}
	for _, v := range volumes {
		one, err := readVolume(ctx, v)
		if err != nil {
			return nil, err
		}
		if one.Files != nil {
			one.Files.parsePython(ctx)
		}
		f.Disk.Volumes = append(f.Disk.Volumes, one)
		if one.Files != nil {
			for _, note := range one.Files.Notes {
				f.Disk.Notes = append(f.Disk.Notes, one.Name+": "+note)
			}
		}
	}
	return f, f.readSystem(ctx, d)
}

// readSystem looks at the Linux on the disk, if one is found.
func (f *Facts) readSystem(ctx context.Context, d disk.Volume) error {
	s, err := system.Open(d, system.Options{})
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), ";")
		f.Disk.Notes = append(f.Disk.Notes, "no Linux system was looked into: "+first)
		return ctx.Err()
	}
	entries, err := s.Tree(ctx, system.TreeOptions{KeepIdentity: system.Identities()})
	if err != nil {
		return err
	}
	var c Collector
	for _, err := range c.Watch(ctx, entries) {
		if err != nil {
			f.Disk.Notes = append(f.Disk.Notes, "the Linux system on it was not looked into: "+err.Error())
			return ctx.Err()
		}
	}
	f.Tree = c.Tree(ctx)
	return ctx.Err()
}

func readVolume(ctx context.Context, v *system.Volume) (Volume, error) {
	one := Volume{
		Name: v.Name(), Kind: v.Partition.Type, Type: v.Type, PartUUID: v.Partition.UUID, PartLabel: v.Partition.Name,
		Offset: v.Partition.Offset, Size: v.Size(), Partition: v.Partition.Number > 0,
	}
	switch {
	case v.Err != nil:
		one.Unread = v.Err.Error()
	case v.Type == "ntfs" && v.FS == nil:
		if err := one.readNTFS(ctx, v); err != nil {
			one.Unread = err.Error()
		}
		return one, ctx.Err()
	case v.FS == nil:
		one.Unread = "its file system is not read"
	default:
		info := v.FS.Info()
		one.UUID, one.Label, one.Linux = info.UUID, info.Label, info.Linux
		c := Collector{tree: newTree(), databases: map[string]database{}}
		if err := c.top(ctx, v.FS); err != nil {
			if ctx.Err() != nil {
				return one, ctx.Err()
			}
			one.Unread = err.Error()
		} else {
			one.Files = c.tree
		}
	}
	return one, nil
}

// wanted are the folders of a volume that are looked into; names are those of
// file systems that do not tell upper from lower case, too.
var wanted = []string{"curtin", "efi", "efi/*", "efi/microsoft/boot", "snaps", "system-data", "system-data/var", "system-data/var/lib", "system-data/var/lib/snapd"}

// maxVolumeFiles bounds what is looked at in one of the wanted folders.
const maxVolumeFiles = 1 << 14

// top sees the names at the top of a volume and in the wanted folders.
func (c *Collector) top(ctx context.Context, fs filesystem.FS) error {
	root, err := fs.Inode(fs.Info().Root)
	if err != nil {
		return err
	}
	return c.folder(ctx, fs, ".", root)
}

func (c *Collector) folder(ctx context.Context, fs filesystem.FS, dir string, inode *filesystem.Inode) error {
	entries, err := fs.ReadDir(inode)
	if err != nil {
		return err
	}
	for _, one := range entries[:min(len(entries), maxVolumeFiles)] {
		if err := ctx.Err(); err != nil {
			return err
		}
		child, err := fs.Inode(one.Inode)
		if err != nil {
			return err
		}
		e := &tree.Entry{Path: path.Join(dir, one.Name), Inode: *child}
		if child.Mode.IsRegular() {
			if e.Data, err = fs.Open(child); err != nil {
				return err
			}
		}
		if err := c.see(ctx, e); err != nil {
			return err
		}
		if child.Mode.IsDir() && isWanted(e.Path) {
			if err := c.folder(ctx, fs, e.Path, child); err != nil {
				return err
			}
		}
	}
	return nil
}

func isWanted(dir string) bool { return matches(wanted, strings.ToLower(dir)) }

// Installer is the folder by which curtin takes a volume for the one that the
// system is on; "" if it does not (curtin/block/__init__.py, get_root_device).
func (v Volume) Installer() string {
	if v.Files == nil {
		return ""
	}
	for _, dir := range []string{"curtin", "system-data/var/lib/snapd", "snaps"} {
		if v.Files.IsFolder(dir) {
			return dir
		}
	}
	return ""
}

// IsESP says whether firmware looks for boot loaders on the volume.
func (v Volume) IsESP() bool {
	return v.Kind == "c12a7328-f81f-11d2-ba4b-00a0c93ec93b" || v.Kind == "0xef"
}
