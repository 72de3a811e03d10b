package image

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/tree"
)

// minHole is the shortest hole worth keeping: one block of the file systems
// that images are deployed to.
const minHole = 4096

// planned is an entry that has been checked, with the way it is written.
type planned struct {
	*tree.Entry
	typ    byte  // 0 for what a tar cannot hold: sockets
	sparse bool  // written as its map and its data
	stored int64 // bytes that follow the headers, without padding
	// regions of data that are read and written, in order. All but one that
	// ends at the file's end are whole blocks: GNU tar expects it.
	regions []filesystem.Segment
	sizeMap []byte // of a sparse file: how many regions, and each, padded
}

// plan checks an entry and decides how it is written.
func plan(e *tree.Entry) (*planned, error) {
	p := &planned{Entry: e}
	if err := checkPath(e.Path); err != nil {
		return nil, err
	}
	switch e.Mode.Type() {
	case filesystem.ModeRegular:
		p.typ = typeRegular
	case filesystem.ModeDir:
		p.typ = typeDir
	case filesystem.ModeSymlink:
		p.typ = typeSymlink
		if e.Target == "" || strings.ContainsRune(e.Target, 0) {
			return nil, fmt.Errorf("symlink target %q is not one", e.Target)
		}
	case filesystem.ModeFIFO:
		p.typ = typeFIFO
	case filesystem.ModeChar:
		p.typ = typeChar
	case filesystem.ModeBlock:
		p.typ = typeBlock
	case filesystem.ModeSocket:
		return p, nil
	default:
		return nil, fmt.Errorf("file type %#o is unknown", e.Mode.Type())
	}
	if e.Major > maxOctal7 || e.Minor > maxOctal7 {
		return nil, fmt.Errorf("device %d:%d does not fit a tar header", e.Major, e.Minor)
	}
	if e.HardLink != "" {
		p.typ = typeHardLink
		if e.Mode.IsDir() {
			return nil, errors.New("a directory cannot be a hard link")
		}
		if err := checkPath(e.HardLink); err != nil {
			return nil, fmt.Errorf("hard link to %q: %w", e.HardLink, err)
		}
		return p, nil
	}
	if p.typ == typeRegular {
		return p, p.planData()
	}
	return p, nil
}

// checkPath refuses what would leave the root on extraction, or end it: tar
// fails as a whole at a "..".
func checkPath(name string) error {
	switch {
	case name == ".":
		return nil
	case strings.ContainsRune(name, 0):
		return errors.New("path contains NUL")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("path component %q is not allowed", part)
		}
	}
	return nil
}

// planData decides between the file's data as it is and its map and data.
func (p *planned) planData() error {
	if p.Size < 0 {
		return fmt.Errorf("size %d is negative", p.Size)
	}
	p.stored = p.Size
	if p.Size == 0 {
		return nil
	}
	if p.Data == nil {
		return errors.New("file has no data")
	}
	p.regions = []filesystem.Segment{{Offset: 0, Length: p.Size}}
	if p.Size < minHole {
		return nil
	}
	regions, err := dataRegions(p.Data.Segments(), p.Size)
	if err != nil {
		return err
	}
	data := int64(0)
	for _, r := range regions {
		data += r.Length
	}
	if data == p.Size {
		return nil
	}
	sizeMap := sparseMap(regions, p.Size)
	// A sparse member has a pax header of two blocks, other files often none.
	if data+int64(len(sizeMap))+2*blockSize >= p.Size {
		return nil
	}
	p.sparse, p.regions, p.sizeMap = true, regions, sizeMap
	p.stored = int64(len(sizeMap)) + data
	return nil
}

// dataRegions widens segments to whole blocks and joins those with less than
// minHole between them.
func dataRegions(segments []filesystem.Segment, size int64) ([]filesystem.Segment, error) {
	regions := make([]filesystem.Segment, 0, len(segments))
	last := int64(0)
	for _, s := range segments {
		if s.Length < 0 || s.Offset < last || s.Offset+s.Length < s.Offset {
			return nil, fmt.Errorf("data segments out of order at offset %d", s.Offset)
		}
		last = s.Offset + s.Length
		start, end := s.Offset&^(blockSize-1), min(last+padding(last), size)
		if start >= end { // empty, or preallocated beyond the end
			continue
		}
		if n := len(regions) - 1; n >= 0 && start-regions[n].Offset-regions[n].Length < minHole {
			regions[n].Length = end - regions[n].Offset
		} else if n < 0 && start < minHole {
			regions = append(regions, filesystem.Segment{Length: end})
		} else {
			regions = append(regions, filesystem.Segment{Offset: start, Length: end - start})
		}
	}
	if n := len(regions) - 1; n >= 0 && size-regions[n].Offset-regions[n].Length < minHole {
		regions[n].Length = size - regions[n].Offset
	}
	return slices.Clip(regions), nil
}

// sparseMap is the map before a sparse file's data (GNU tar manual, "PAX
// Format, Version 1.0"). An empty region at the end stands for a trailing hole.
func sparseMap(regions []filesystem.Segment, size int64) []byte {
	end := int64(0)
	n := len(regions)
	if n > 0 {
		end = regions[n-1].Offset + regions[n-1].Length
	}
	if end < size {
		regions = append(regions[:n:n], filesystem.Segment{Offset: size})
	}
	b := strconv.AppendInt(nil, int64(len(regions)), 10)
	for _, r := range regions {
		b = append(b, '\n')
		b = strconv.AppendInt(b, r.Offset, 10)
		b = append(b, '\n')
		b = strconv.AppendInt(b, r.Length, 10)
	}
	b = append(b, '\n')
	return append(b, zeros[:padding(int64(len(b)))]...)
}

// cost is roughly the memory that an entry takes while it waits.
func (p *planned) cost() int {
	n := 256 + len(p.Path) + len(p.Target) + len(p.HardLink) + len(p.sizeMap) + 16*len(p.regions)
	for _, x := range p.Xattrs {
		n += 64 + len(x.Name) + len(x.Value)
	}
	return n
}
