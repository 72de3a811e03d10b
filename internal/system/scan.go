package system

import (
	"fmt"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/lvm"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/md"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/partition"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/probe"
)

// Volumes lists what is on a disk, read or not: its partitions, or the disk
// itself. What is made of several volumes is not among them.
func Volumes(d disk.Volume) ([]*Volume, error) {
	s := scanner{disks: 1}
	err := s.table(d, 1, "")
	return s.volumes, err
}

// scanner collects volumes, those that others are made of before these.
type scanner struct {
	disks    int
	volumes  []*Volume
	warnings []string
}

// scan lists the volumes of a system's disks and opens those that can be read.
// One that cannot be is an error only if the system needs it.
func scan(disks []disk.Volume) ([]*Volume, []string, error) {
	s := scanner{disks: len(disks)}
	for i, d := range disks {
		place := ""
		if len(disks) > 1 {
			place = fmt.Sprintf("disk %d", i+1)
		}
		if err := s.table(d, i+1, place); err != nil {
			return nil, nil, err
		}
	}
	s.arrays()
	s.logical()
	return s.volumes, s.warnings, nil
}

// table adds the partitions of a disk or of what looks like one, or all of it
// if it has none.
func (s *scanner) table(d disk.Volume, number int, place string) error {
	table, err := partition.Read(d)
	if err != nil {
		return s.errorf(place, "read partition table: %w", err)
	}
	for _, p := range table.Partitions {
		if p.Container {
			continue // of logical partitions, which are listed too
		}
		section, err := p.Volume(d)
		if err != nil {
			return s.errorf(place, "%w", err)
		}
		s.add(&Volume{Volume: section, Partition: p, disk: number, place: place})
	}
	if table.Scheme == partition.None {
		s.add(&Volume{Volume: d, Partition: partition.Partition{Size: d.Size()}, disk: number, place: place})
	}
	for _, w := range table.Warnings {
		if place != "" {
			w = place + ": " + w
		}
		s.warnings = append(s.warnings, w)
	}
	return nil
}

func (*scanner) errorf(place, format string, err error) error {
	err = fmt.Errorf(format, err)
	if place != "" {
		err = fmt.Errorf("%s: %w", place, err)
	}
	return err
}

// add opens a volume, unless it is known that it cannot be read.
func (s *scanner) add(v *Volume) {
	s.volumes = append(s.volumes, v)
	if v.Err != nil {
		return
	}
	if v.Type, v.Err = probe.Type(v); v.Err != nil || !probe.Readable(v.Type) {
		return
	}
	if fs, err := probe.Open(v, v.Type); err != nil {
		v.Err = err
	} else {
		v.FS = fs
		v.Type = fs.Info().Type
	}
}

// of lists the volumes of a type.
func (s *scanner) of(kind string) []*Volume {
	var list []*Volume
	for _, v := range s.volumes {
		if v.Type == kind && v.Err == nil {
			list = append(list, v)
		}
	}
	return list
}

// arrays adds the RAID arrays that the volumes so far make up.
func (s *scanner) arrays() {
	var members []*md.Member
	volumes := s.of("linux_raid_member")
	for _, v := range volumes {
		members = append(members, &md.Member{Volume: v.Volume, Name: v.Name()})
	}
	arrays := md.Arrays(members)
	for i, v := range volumes {
		if v.Err = members[i].Err; members[i].Array != nil {
			v.partOf = "RAID array " + printable(members[i].Array.String())
		}
	}
	for _, a := range arrays {
		before := len(s.volumes)
		place := "RAID array " + printable(a.String())
		s.warnings = append(s.warnings, a.Warnings...)
		err := a.Err
		if err == nil {
			err = s.table(a, 0, place)
		}
		if err != nil {
			s.add(&Volume{Volume: a, Partition: partition.Partition{Size: a.Size()}, place: place, Err: err})
		}
		for _, v := range s.volumes[before:] {
			v.array = a
		}
	}
}

// logical adds the logical volumes that the volumes so far make up.
func (s *scanner) logical() {
	var members []*lvm.Member
	volumes := s.of("LVM2_member")
	for _, v := range volumes {
		members = append(members, &lvm.Member{Volume: v.Volume, Name: v.Name()})
	}
	logical := lvm.Volumes(members)
	for i, v := range volumes {
		if v.Err = members[i].Err; members[i].Group != "" {
			v.partOf = "volume group " + members[i].Group
		}
	}
	for _, l := range logical {
		s.add(&Volume{
			Volume: l, Partition: partition.Partition{Size: l.Size()}, Err: l.Err,
			place: "logical volume " + l.String(), logical: l,
		})
	}
}
