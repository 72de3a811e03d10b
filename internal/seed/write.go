package seed

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/diskfs/go-diskfs"
	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/disk"
	"github.com/diskfs/go-diskfs/filesystem"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"
	"github.com/diskfs/go-diskfs/partition/mbr"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fat"
)

const (
	isoBlock = 2048

	sector         = 512
	partitionStart = 2048 // in sectors, where all tools put the first
	// FAT32 has no fewer clusters than take about 32 MiB. Nothing of it is
	// written to this machine's disk but what the volume holds.
	fatLeast = 64 << 20
)

// writeISO makes an ISO 9660 file system of a tree, which it removes. Linux
// takes Rock Ridge's names, Windows Joliet's. go-diskfs 1.9.3 writes folders
// into Joliet's tree that point to those of the plain one, which readers refuse,
// so a volume with folders has no Joliet names.
func writeISO(target, tree, label string) error {
	storage, err := file.CreateFromPath(target, fatLeast)
	if err != nil {
		return err
	}
	defer storage.Close()
	entries, err := os.ReadDir(tree)
	if err != nil {
		return err
	}
	flat := !slices.ContainsFunc(entries, fs.DirEntry.IsDir)
	volume, err := iso9660.Create(storage, 0, 0, isoBlock, tree)
	if err != nil {
		return err
	}
	return volume.Finalize(iso9660.FinalizeOptions{RockRidge: true, Joliet: flat, VolumeIdentifier: label})
}

// writeFAT makes a disk with one FAT partition that has a tree in it. go-diskfs
// makes the empty file system; the folders that 1.9.3 makes lead up to where
// none is, for which fsck and chkdsk call the volume damaged.
func writeFAT(target, tree, label string) error {
	size, err := sizeOf(tree)
	if err != nil {
		return err
	}
	size = max(fatLeast, (size+size/8)&^(1<<20-1)+(16<<20))
	if err := formatFAT(target, size, label); err != nil {
		return err
	}
	file, err := os.OpenFile(target, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	editor, err := fat.Edit(&partition{file, size - partitionStart*sector})
	if err == nil {
		err = errors.Join(fill(editor, tree), editor.Close())
	}
	return errors.Join(err, file.Close())
}

func formatFAT(target string, size int64, label string) error {
	volume, err := diskfs.Create(target, size, sector)
	if err != nil {
		return err
	}
	err = volume.Partition(&mbr.Table{
		LogicalSectorSize: sector, PhysicalSectorSize: sector,
		Partitions: []*mbr.Partition{{Index: 1, Type: mbr.Fat32LBA, Start: partitionStart, Size: uint32(size/sector - partitionStart)}},
	})
	if err == nil {
		_, err = volume.CreateFilesystem(disk.FilesystemSpec{Partition: 1, FSType: filesystem.TypeFat32, VolumeLabel: label})
	}
	return errors.Join(err, volume.Close())
}

// partition is the disk's one, as the editor of its file system sees it.
type partition struct {
	disk *os.File
	size int64
}

func (p *partition) Size() int64           { return p.size }
func (p *partition) Prefetch(int64, int64) {}

func (p *partition) ReadAt(b []byte, off int64) (int, error) {
	return p.disk.ReadAt(b, partitionStart*sector+off)
}

func (p *partition) WriteAt(b []byte, off int64) (int, error) {
	return p.disk.WriteAt(b, partitionStart*sector+off)
}

// sizeOf is what the files of a tree take, each in whole clusters.
func sizeOf(tree string) (int64, error) {
	var size int64
	err := filepath.WalkDir(tree, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			size += info.Size() + 4<<10
		}
		return err
	})
	return size, err
}

// fill copies a tree into a file system.
func fill(root *fat.Editor, tree string) error {
	return filepath.WalkDir(tree, func(at string, entry fs.DirEntry, err error) error {
		if err != nil || at == tree {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		below, err := filepath.Rel(tree, at)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(below)
		if entry.IsDir() {
			return root.Mkdir(name, info.ModTime())
		}
		source, err := os.Open(at) //nolint:gosec // the tree is this package's own
		if err != nil {
			return err
		}
		defer source.Close()
		return root.WriteFile(name, source, info.Size(), info.ModTime())
	})
}
