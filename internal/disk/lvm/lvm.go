// Package lvm finds the logical volumes of LVM2 on physical volumes: linear and
// striped ones, over any number of them. The formats are those of lvm(8)'s own
// tools: a label and areas of text on each physical volume, with checksums.
//
// Of what it does not read, such as thin, cached and mirrored volumes, it says
// so by name.
package lvm

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
)

// Member is a volume with an LVM2 label: a physical volume.
type Member struct {
	disk.Volume
	Name string // tells a person which volume it is
	// Group is the volume group that it belongs to; "" if none is known. Volumes
	// sets it, and Err if the volume's own metadata cannot be read.
	Group string
	Err   error

	uuid string
}

// LogicalVolume is a volume of a volume group. Reading one that has Err fails.
type LogicalVolume struct {
	disk.Volume
	Group, Name string
	// UUID is the group's and the volume's own, as udev joins them.
	UUID string
	Err  error
}

// String is the volume's name as lvm(8) takes it: "vg/root".
func (v *LogicalVolume) String() string { return v.Group + "/" + v.Name }

// Mapper is the volume's name in /dev/mapper, in which a dash that is part of a
// name is doubled.
func (v *LogicalVolume) Mapper() string {
	double := func(name string) string { return strings.ReplaceAll(name, "-", "--") }
	return double(v.Group) + "-" + double(v.Name)
}

// Volumes lists the logical volumes that the members make up, sorted by group
// and name. Every physical volume counts, whichever disk it is on.
func Volumes(members []*Member) []*LogicalVolume {
	newest, left := map[string]*group{}, uint64(maxText)
	for _, m := range members {
		var copies []*group
		copies, m.Err = m.read(&left)
		for _, g := range copies {
			if known := newest[g.id]; known == nil || known.seqno < g.seqno {
				newest[g.id] = g
			}
		}
	}
	var volumes []*LogicalVolume
	for _, g := range newest {
		g.claim(members)
		volumes = append(volumes, g.volumes()...)
	}
	slices.SortFunc(volumes, func(a, b *LogicalVolume) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.Name, b.Name))
	})
	return volumes
}

// unread is a logical volume that cannot be read.
type unread struct {
	size int64
	err  error
}

func (u unread) Size() int64                       { return u.size }
func (u unread) ReadAt([]byte, int64) (int, error) { return 0, u.err }
func (unread) Prefetch(off, n int64)               {}

// readFull reads n bytes at off; an offset that is not on the volume is an error.
func readFull(v disk.Volume, off, n uint64) ([]byte, error) {
	size := uint64(v.Size())
	if off > size || n > size-off {
		return nil, fmt.Errorf("%d bytes at offset %d are not within the volume's %d", n, off, size)
	}
	b := make([]byte, n)
	if got, err := v.ReadAt(b, int64(off)); got < len(b) {
		return nil, cmp.Or(err, io.ErrUnexpectedEOF)
	}
	return b, nil
}

// plain is a UUID without its dashes, or, if it is not printable, in hex.
func plain(uuid string) string {
	uuid = strings.ReplaceAll(uuid, "-", "")
	for _, c := range []byte(uuid) {
		if c < '!' || c > '~' {
			return hex.EncodeToString([]byte(uuid))
		}
	}
	return uuid
}
