package seed

import (
	"errors"
	"fmt"
	"io"
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

// writeFAT makes a disk with one FAT partition that has a tree in it.
func writeFAT(target, tree, label string) (err error) {
	size, err := sizeOf(tree)
	if err != nil {
		return err
	}
	size = max(fatLeast, (size+size/8)&^(1<<20-1)+(16<<20))
	volume, err := diskfs.Create(target, size, sector)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, volume.Close()) }()
	err = volume.Partition(&mbr.Table{
		LogicalSectorSize: sector, PhysicalSectorSize: sector,
		Partitions: []*mbr.Partition{{Index: 1, Type: mbr.Fat32LBA, Start: partitionStart, Size: uint32(size/sector - partitionStart)}},
	})
	if err != nil {
		return err
	}
	root, err := volume.CreateFilesystem(disk.FilesystemSpec{Partition: 1, FSType: filesystem.TypeFat32, VolumeLabel: label})
	if err != nil {
		return err
	}
	return errors.Join(fill(root, tree), root.Close())
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
func fill(root filesystem.FileSystem, tree string) error {
	return filepath.WalkDir(tree, func(at string, entry fs.DirEntry, err error) error {
		if err != nil || at == tree {
			return err
		}
		below, err := filepath.Rel(tree, at)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(below)
		if entry.IsDir() {
			return root.Mkdir(name)
		}
		if err := copyInto(root, name, at); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

func copyInto(root filesystem.FileSystem, name, from string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := root.OpenFile(name, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}
