// Package freespace shows a disk as if nothing had ever been written to what its
// file systems do not use, so that it is neither read nor packed, and what was
// deleted does not travel.
package freespace

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/extent"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/ntfs"
	"github.com/packer-maas/packer-plugin-maas/internal/system"
)

// Hide returns d without the free space of those of its partitions that tell of
// it, and what there is to say about the others. All outside of partitions
// stays, and so does a partition about which there is any doubt.
func Hide(d disk.Disk, volumes []*system.Volume) (*Disk, []string) {
	volumes = slices.DeleteFunc(slices.Clone(volumes), func(v *system.Volume) bool { return v.Partition.Number == 0 })
	slices.SortStableFunc(volumes, func(a, b *system.Volume) int { return cmp.Compare(a.Partition.Offset, b.Partition.Offset) })
	hidden := &Disk{Disk: d, used: extent.New(d.Size())}
	var notes, asTheyAre []string
	end := int64(0) // of the volumes so far
	for i, v := range volumes {
		start := v.Partition.Offset
		if start > end {
			hidden.used.Add(end, start-end)
		}
		used, err := usedBy(v)
		if start < end || i+1 < len(volumes) && start+v.Size() > volumes[i+1].Partition.Offset {
			err = fmt.Errorf("it overlaps another partition")
		}
		switch {
		case err != nil:
			notes = append(notes, fmt.Sprintf("%s: its free space is packed as it is: %v", v.Name(), err))
			used = extent.Full(v.Size())
		case used == nil:
			asTheyAre = append(asTheyAre, v.Name())
			used = extent.Full(v.Size())
		case !used.Exact():
			notes = append(notes, fmt.Sprintf("%s: the smallest parts of its free space are packed as they are: they are too many", v.Name()))
		}
		for run := range used.Runs(0, v.Size()) {
			if at := max(start+run.Offset, end); !run.Hole {
				hidden.used.Add(at, start+run.Offset+run.Length-at)
			}
		}
		end = max(end, start+v.Size())
	}
	hidden.used.Add(end, d.Size()-end)
	if len(asTheyAre) > 0 {
		notes = append(notes, "packed as they are, for what is free on them is not known: "+strings.Join(asTheyAre, ", "))
	}
	return hidden, notes
}

// reader returns what knows the free space of a volume; nil if nothing does.
// What is not a file system that is read joins here.
func reader(v *system.Volume) (filesystem.FreeSpace, error) {
	if v.Err != nil {
		return nil, v.Err
	}
	if known, ok := v.FS.(filesystem.FreeSpace); ok {
		return known, nil
	}
	if v.Type == "ntfs" {
		return ntfs.Open(v)
	}
	return nil, nil
}

// usedBy maps what of a volume is in use, or holds what its file system does not
// manage; nil if that is not known.
func usedBy(v *system.Volume) (*extent.Map, error) {
	known, err := reader(v)
	if known == nil || err != nil {
		return nil, err
	}
	used := extent.New(v.Size())
	end := int64(0)
	for free, err := range known.Free() {
		if err != nil {
			return nil, err
		}
		if free.Offset < end || free.Length < 0 || free.Length > v.Size()-free.Offset {
			return nil, fmt.Errorf("%d free bytes at %d are out of order, or not on it", free.Length, free.Offset)
		}
		used.Add(end, free.Offset-end)
		end = free.Offset + free.Length
	}
	used.Add(end, v.Size()-end)
	return used, nil
}
