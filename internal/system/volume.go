// Package system finds the operating system on a disk, joins its volumes as
// its own /etc/fstab says, and lays over it what an image needs: its identity
// reset, curtin hooks and extra files. It runs nothing of what it finds.
package system

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/lvm"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/md"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/partition"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/probe"
)

// Volume is a partition, a disk without a partition table, a logical volume or
// a RAID array, and what it holds.
type Volume struct {
	disk.Volume
	Partition partition.Partition // of what is none: only its size
	Type      string              // as blkid(8) names it; "" if unknown
	FS        filesystem.FS       // nil unless the type is one that can be read
	Err       error               // why a file system that should be read was not

	disk    int    // that it is directly on, from 1; 0 for one made of others
	place   string // its name where it is not just a partition of the only disk
	partOf  string // what it belongs to: a volume group, an array
	logical *lvm.LogicalVolume
	array   *md.Array

	whole *Volume // that this is a subvolume of; nil if it is none
	tree  filesystem.Subvolume
	trees map[uint64]*Volume // subvolumes that were opened
}

// Name tells a person which volume this is: "partition 2".
func (v *Volume) Name() string {
	if v.whole != nil {
		return v.whole.Name() + ", subvolume " + cmp.Or(short(printable(v.tree.Path)), "/")
	}
	if v.Partition.Number == 0 {
		return cmp.Or(v.place, "the whole disk")
	}
	name := fmt.Sprintf("partition %d", v.Partition.Number)
	if v.place != "" {
		name = v.place + ", " + name
	}
	return name
}

// String is the volume's line in a list of what was seen.
func (v *Volume) String() string {
	holds := v.Type
	switch {
	case v.Err != nil && holds == probe.Empty:
		holds = "cannot be read: " + printable(v.Err.Error())
	case v.Err != nil:
		holds += " that cannot be read: " + printable(v.Err.Error())
	case holds == probe.Empty:
		holds = "nothing known"
	case v.partOf != "":
		holds += " of " + v.partOf
	case v.FS == nil:
		holds += ", which is not read"
	}
	var names []string
	if v.FS != nil {
		info := v.FS.Info()
		names = appendName(names, "UUID", info.UUID)
		names = appendName(names, "LABEL", info.Label)
	}
	names = appendName(names, "PARTLABEL", v.Partition.Name)
	if len(names) > 0 {
		holds += " (" + strings.Join(names, ", ") + ")"
	}
	return fmt.Sprintf("%s, %s: %s", v.Name(), humanSize(v.Size()), holds)
}

func appendName(names []string, key, value string) []string {
	if value == "" {
		return names
	}
	return append(names, key+"="+printable(value))
}

func humanSize(n int64) string {
	const unit = 1024
	switch {
	case n >= unit*unit*unit:
		return fmt.Sprintf("%.1f GiB", float64(n)/(unit*unit*unit))
	case n >= unit*unit:
		return fmt.Sprintf("%.1f MiB", float64(n)/(unit*unit))
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/unit)
}

// HasFolder says whether there is a folder of that name on the volume, which
// has to be one that can be read. Symbolic links are followed as if the volume
// were the root.
func (v *Volume) HasFolder(name string) (bool, error) {
	at, _, err := namespace{".": v}.lookup(name)
	if err != nil {
		return false, ignoreMissing(err)
	}
	return at.Mode.IsDir(), nil
}
