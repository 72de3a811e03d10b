package fat

import (
	"bytes"
	"errors"
	"fmt"
	"iter"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

var _ filesystem.FreeSpace = (*volume)(nil)

// Free implements filesystem.FreeSpace: the clusters whose entry of the table is
// zero. The count of free clusters that FAT32 has beside the table is only a
// hint, so it is not asked.
func (fs *volume) Free() iter.Seq2[filesystem.Segment, error] {
	return func(yield func(filesystem.Segment, error) bool) {
		err := fs.checkClean()
		if err == nil {
			err = fs.checkTables()
		}
		if err == nil {
			err = fs.checkOwned()
		}
		if err == nil {
			err = fs.free(yield)
		}
		if err != nil {
			yield(filesystem.Segment{}, fmt.Errorf("fat: %w", err))
		}
	}
}

// checkClean looks at both places that say whether the file system was
// unmounted: Linux uses the one in the boot sector, Windows that in the entry
// of cluster 1 (Microsoft, "FAT Volume Initialization"), which FAT12 lacks.
func (fs *volume) checkClean() error {
	entry, _, err := fs.next(1)
	if err != nil {
		return err
	}
	clean, errorless := uint32(1<<15), uint32(1<<14)
	if fs.bits == 32 {
		clean, errorless = 1<<27, 1<<26
	}
	switch {
	case fs.dirty || fs.bits > 12 && entry&clean == 0:
		return errors.New("it was not unmounted cleanly")
	case fs.bits > 12 && entry&errorless == 0:
		return errors.New("errors were recorded in it: run fsck.fat on it")
	}
	return nil
}

// checkTables compares the copies of the table.
func (fs *volume) checkTables() error {
	one, other := make([]byte, pageSize), make([]byte, pageSize)
	for copied := fs.table + fs.tableSize; copied < fs.root; copied += fs.tableSize {
		for at := int64(0); at < fs.tableSize; at += pageSize {
			n := min(pageSize, fs.tableSize-at)
			if err := errors.Join(fs.readAt(one[:n], fs.table+at), fs.readAt(other[:n], copied+at)); err != nil {
				return fmt.Errorf("table: %w", err)
			}
			if !bytes.Equal(one[:n], other[:n]) {
				return errors.New("the copies of its table differ: run fsck.fat on it")
			}
		}
	}
	return nil
}

// checkOwned looks whether all clusters of files are in use by the table. Those
// of folders are, or these could not be read.
func (fs *volume) checkOwned() error {
	clusters := int64(0)
	todo := []uint64{rootNumber}
	for len(todo) > 0 {
		dir, err := fs.Inode(todo[len(todo)-1])
		if err != nil {
			return err
		}
		todo = todo[:len(todo)-1]
		entries, err := fs.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			inode, err := fs.Inode(e.Inode)
			switch {
			case err != nil:
				return err
			case inode.Mode.IsDir():
				todo = append(todo, e.Inode)
				continue
			case inode.Size == 0:
				continue
			}
			if clusters += (inode.Size-1)/fs.cluster + 1; clusters > int64(fs.clusters) {
				return errors.New("its files have more clusters than it has: run fsck.fat on it")
			}
			if err := fs.checkFile(inode); err != nil {
				return fmt.Errorf("%q: %w", e.Name, err)
			}
		}
	}
	return nil
}

// checkFile looks at the last cluster of a file; all before it name the next.
func (fs *volume) checkFile(inode *filesystem.Inode) error {
	first, _ := inode.Sys.(uint32)
	runs, err := fs.chain(first, inode.Size)
	if err != nil {
		return err
	}
	last := runs[len(runs)-1]
	cluster := uint32((last.volume+last.length-fs.data)/fs.cluster) + 1
	entry, _, err := fs.next(cluster)
	if err == nil && entry == 0 {
		err = fmt.Errorf("cluster %d is in use, but free by the table", cluster)
	}
	return err
}

// free yields runs of clusters that are free.
func (fs *volume) free(yield func(filesystem.Segment, error) bool) error {
	start := uint32(0)
	for c := uint32(2); c <= fs.clusters; c++ {
		isFree := false
		if c < fs.clusters {
			entry, _, err := fs.next(c)
			if err != nil {
				return err
			}
			isFree = entry == 0
		}
		switch {
		case isFree && start == 0:
			start = c
		case !isFree && start != 0:
			if !yield(filesystem.Segment{Offset: fs.data + int64(start-2)*fs.cluster, Length: int64(c-start) * fs.cluster}, nil) {
				return nil
			}
			start = 0
		}
	}
	return nil
}
