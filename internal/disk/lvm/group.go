package lvm

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
)

// Bounds of the numbers in the text, far above those of lvm(8).
const (
	maxExtents    = math.MaxUint32
	maxExtentSize = 1 << 31 // sectors
	maxVolumes    = 4096    // of a group
)

// group is a volume group as its text describes it.
type group struct {
	name, id   string
	seqno      int64
	extentSize int64 // bytes
	physical   map[string]*physical
	logical    []*section
}

// physical is a physical volume of a group.
type physical struct {
	uuid, device string
	start        int64 // of the first extent, in bytes
	extents      int64
	missing      bool // as the text says
	members      []*Member
}

// parseGroup reads the text of a group. Its volumes are looked at later: one
// that is not understood must not hide the others.
func parseGroup(text []byte) (*group, error) {
	top, err := parse(text)
	if err != nil {
		return nil, err
	}
	if len(top.sections) != 1 {
		return nil, fmt.Errorf("%d volume groups in the text", len(top.sections))
	}
	s := top.sections[0]
	g := &group{
		name: s.name, id: plain(s.text("id")), physical: map[string]*physical{},
		logical: s.child("logical_volumes").sections,
	}
	if len(g.logical) > maxVolumes {
		return nil, fmt.Errorf("%s: %d logical volumes; at most %d are read", s.name, len(g.logical), maxVolumes)
	}
	if format := s.text("format"); format != "lvm2" && format != "" {
		return nil, fmt.Errorf("%s: format %q is not read", s.name, format)
	}
	if g.seqno, err = s.number("seqno", math.MaxInt64); err != nil {
		return nil, err
	}
	if g.extentSize, err = s.number("extent_size", maxExtentSize); err != nil || g.extentSize == 0 {
		return nil, fmt.Errorf("%s: extents of no size", s.name)
	}
	g.extentSize *= sector
	for _, p := range s.child("physical_volumes").sections {
		v := &physical{uuid: plain(p.text("id")), device: p.text("device"), missing: p.has("flags", "MISSING")}
		if v.start, err = p.number("pe_start", math.MaxInt64/sector); err != nil {
			return nil, err
		}
		v.start *= sector
		if v.extents, err = p.number("pe_count", maxExtents); err != nil {
			return nil, err
		}
		g.physical[p.name] = v
	}
	return g, nil
}

// claim finds the group's physical volumes among the members.
func (g *group) claim(members []*Member) {
	for _, p := range g.physical {
		for _, m := range members {
			if m.uuid == p.uuid {
				m.Group = g.name
				p.members = append(p.members, m)
			}
		}
	}
}

// volumes lists the logical volumes that a system can use, read or not.
func (g *group) volumes() []*LogicalVolume {
	stores := map[string]string{} // of snapshots: their origin
	for _, s := range g.logical {
		if is := s.child("segment1"); is.text("type") == "snapshot" {
			stores[is.text("cow_store")] = is.text("origin")
			if store := is.text("merging_store"); store != "" {
				stores[store] = is.text("origin")
				stores[is.text("origin")] = ""
			}
		}
	}
	var volumes []*LogicalVolume
	for _, s := range g.logical {
		origin, isStore := stores[s.name]
		if !isStore && !s.has("status", "VISIBLE") || s.child("segment1").text("type") == "snapshot" {
			continue
		}
		v := &LogicalVolume{Group: g.name, Name: s.name, UUID: g.id + plain(s.text("id"))}
		var err error
		switch {
		case isStore && origin == "":
			err = errors.New("a snapshot is being merged into it; let the guest finish that")
		case isStore:
			err = fmt.Errorf("it is a snapshot of %s, which is not read", origin)
		default:
			v.Volume, err = g.volume(s)
		}
		if err != nil {
			v.Err = fmt.Errorf("logical volume %s: %w", v, err)
			v.Volume = unread{size: g.size(s), err: v.Err}
		}
		volumes = append(volumes, v)
	}
	return volumes
}

// size is a volume's length in bytes as far as its text tells.
func (g *group) size(s *section) int64 {
	extents := int64(0)
	for _, c := range s.sections {
		n, _ := c.number("extent_count", maxExtents)
		extents += n
	}
	return min(extents, math.MaxInt64/g.extentSize) * g.extentSize
}

// volume puts a logical volume together from its segments.
func (g *group) volume(s *section) (disk.Volume, error) {
	count, err := s.number("segment_count", int64(len(s.sections)))
	if err != nil {
		return nil, err
	}
	var parts []disk.Volume
	next := int64(0) // extent
	for i := range count {
		seg := s.child(fmt.Sprintf("segment%d", i+1))
		if kind := seg.text("type"); kind != "striped" && kind != "linear" {
			return nil, fmt.Errorf("type %s is not read, only linear and striped", kind)
		}
		start, err := seg.number("start_extent", maxExtents)
		if err != nil {
			return nil, err
		}
		extents, err := seg.number("extent_count", maxExtents)
		if err != nil {
			return nil, err
		}
		if start != next || extents == 0 || next+extents > math.MaxInt64/g.extentSize {
			return nil, fmt.Errorf("%s: %d extents from %d, where %d is next", seg.name, extents, start, next)
		}
		next += extents
		part, err := g.segment(seg, extents)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", seg.name, err)
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return nil, errors.New("it has no segments")
	}
	return disk.Join(parts...), nil
}

// segment finds a run of a volume on its stripes, of which a linear one has one.
func (g *group) segment(s *section, extents int64) (disk.Volume, error) {
	areas := s.list("stripes")
	count, err := s.number("stripe_count", int64(len(areas)/2))
	if err != nil {
		return nil, err
	}
	if count == 0 || count*2 != int64(len(areas)) || extents%count != 0 {
		return nil, fmt.Errorf("%d extents in %d stripes, of which %d are listed", extents, count, len(areas)/2)
	}
	width := int64(0)
	if count > 1 {
		width, err = s.number("stripe_size", maxExtentSize)
		if width *= sector; err != nil || width == 0 || extents/count*g.extentSize%width != 0 {
			return nil, fmt.Errorf("stripes of %d bytes in %d extents of %d", width, extents/count, g.extentSize)
		}
	}
	var parts []disk.Volume
	for i := int64(0); i < count*2; i += 2 {
		name, _ := areas[i].(string)
		first, ok := areas[i+1].(int64)
		if !ok || first < 0 || first > maxExtents {
			return nil, fmt.Errorf("stripe at extent %v", areas[i+1])
		}
		part, err := g.extents(name, first, extents/count)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return disk.Stripe(width, parts...), nil
}

// extents returns a run of extents of a physical volume.
func (g *group) extents(name string, first, count int64) (disk.Volume, error) {
	p := g.physical[name]
	switch {
	case p == nil:
		return nil, fmt.Errorf("it lies on %q, which is no physical volume (a pvmove that did not end?)", name)
	case p.missing:
		return nil, fmt.Errorf("the volume group says that it lost the physical volume %s (UUID %s, once %s)", name, p.uuid, p.device)
	case len(p.members) == 0:
		return nil, fmt.Errorf("the physical volume %s (UUID %s, at %s in the guest) is not on the disks that were given", name, p.uuid, p.device)
	case len(p.members) > 1:
		var names []string
		for _, m := range p.members {
			names = append(names, m.Name)
		}
		return nil, fmt.Errorf("the physical volume %s (UUID %s) is there %d times: %s", name, p.uuid, len(names), strings.Join(names, "; "))
	case count > p.extents || first > p.extents-count:
		return nil, fmt.Errorf("extents %d+%d are not within the %d of physical volume %s", first, count, p.extents, name)
	}
	m := p.members[0]
	if first > (math.MaxInt64-p.start)/g.extentSize-count {
		return nil, fmt.Errorf("extents %d+%d of physical volume %s are past any disk's end", first, count, name)
	}
	part, err := disk.Section(m, p.start+first*g.extentSize, count*g.extentSize)
	if err != nil {
		return nil, fmt.Errorf("%s: the physical volume is cut short: %w", m.Name, err)
	}
	return part, nil
}
