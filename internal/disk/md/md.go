// Package md finds the arrays of Linux's software RAID, md(4): of mirrors
// (RAID1) it reads one leg that is in step; other levels it refuses by name.
package md

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
)

// Member is a volume that belongs to an array.
type Member struct {
	disk.Volume
	Name string // tells a person which volume it is
	// Array is the array that it belongs to; Arrays sets it, and Err if the
	// volume's own superblock cannot be read.
	Array *Array
	Err   error

	sb *superblock
}

// Array is what its members make up. Reading one that has Err fails.
type Array struct {
	disk.Volume
	// Name is what mdadm(8) was told to call it, without the host's name: "root"
	// or "0"; "" of an old one without a name.
	Name string
	UUID string // as mdadm(8) prints it
	Err  error
	// Warnings are things that a person should know of the array's state.
	Warnings []string

	members []*Member
}

// String names the array to a person.
func (a *Array) String() string { return cmp.Or(a.Name, a.UUID) }

// Is says whether a volume has the superblock of an array's member.
func Is(v disk.Volume) bool {
	sb, err := read(v)
	return sb != nil || err != nil
}

// Arrays lists the arrays that the members make up, sorted by UUID.
func Arrays(members []*Member) []*Array {
	known := map[string]*Array{}
	var arrays []*Array
	for _, m := range members {
		if m.sb, m.Err = read(m); m.Err != nil || m.sb == nil {
			continue
		}
		m.Array = known[m.sb.uuid]
		if m.Array == nil {
			m.Array = &Array{UUID: m.sb.uuid, Name: m.sb.name}
			known[m.sb.uuid] = m.Array
			arrays = append(arrays, m.Array)
		}
		m.Array.members = append(m.Array.members, m)
	}
	for _, a := range arrays {
		if a.Volume, a.Err = a.leg(); a.Err != nil {
			a.Err = fmt.Errorf("RAID array %s: %w", a, a.Err)
			a.Volume = unread{size: a.members[0].sb.size, err: a.Err}
		}
	}
	slices.SortFunc(arrays, func(x, y *Array) int { return strings.Compare(x.UUID, y.UUID) })
	return arrays
}

// leg picks the member that is read: of those that saw the array's last event,
// the first that holds all of it.
func (a *Array) leg() (disk.Volume, error) {
	slices.SortStableFunc(a.members, func(x, y *Member) int {
		return cmp.Or(cmp.Compare(y.sb.events, x.sb.events), cmp.Compare(x.sb.role, y.sb.role))
	})
	newest := a.members[0].sb
	switch {
	case newest.level != 1:
		return nil, fmt.Errorf("level %s is not read, only RAID1", levelName(newest.level))
	case newest.reshaping:
		return nil, fmt.Errorf("it is being reshaped; let the guest finish that")
	}
	var flaws []string
	for _, m := range a.members {
		switch {
		case m.sb.events != newest.events:
			m.sb.flaw = "it is out of date"
		case m.sb.flaw == "":
			part, err := disk.Section(m, m.sb.offset, m.sb.size)
			if err != nil {
				return nil, fmt.Errorf("%s: the member is cut short: %w", m.Name, err)
			}
			a.note(newest)
			return part, nil
		}
		flaws = append(flaws, m.Name+": "+m.sb.flaw)
	}
	return nil, fmt.Errorf("none of its members that were given can be read; %s", strings.Join(flaws, "; "))
}

// note warns of what may make one leg differ from another.
func (a *Array) note(newest *superblock) {
	if len(a.members) < newest.disks {
		a.Warnings = append(a.Warnings, fmt.Sprintf("RAID array %s has %d members, of which %d are on the disks that were given", a, newest.disks, len(a.members)))
	}
	if newest.unclean {
		a.Warnings = append(a.Warnings, fmt.Sprintf("RAID array %s was not stopped cleanly: its members may differ", a))
	}
}

// unread is an array that cannot be read.
type unread struct {
	size int64
	err  error
}

func (u unread) Size() int64                       { return u.size }
func (u unread) ReadAt([]byte, int64) (int, error) { return 0, u.err }
func (unread) Prefetch(off, n int64)               {}

// levelName calls a RAID level as mdadm(8) does.
func levelName(level int32) string {
	switch level {
	case -1:
		return "linear"
	case -4:
		return "multipath"
	case -5:
		return "faulty"
	case -6, -7:
		return "container"
	}
	return fmt.Sprintf("RAID%d", level)
}
