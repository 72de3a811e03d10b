// Package partition reads partition tables: GPT (UEFI 2.10, chapter 5) and MBR
// with logical partitions.
package partition

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
)

// Scheme is a kind of partition table.
type Scheme string

// The schemes.
const (
	GPT Scheme = "gpt"
	MBR Scheme = "mbr"
	// None is a disk without partitions: it may hold a file system itself.
	None Scheme = "none"
)

// Table is what a disk is divided into.
type Table struct {
	Scheme Scheme
	// SectorSize is the unit of the table's own numbers, in bytes.
	SectorSize int64
	// DiskID is the table's own identity, as blkid(8) prints PTUUID.
	DiskID string
	// Partitions are sorted by number.
	Partitions []Partition
	// CutShort are the numbers of partitions that run past the end of the disk;
	// they are not among the others.
	CutShort []int
	// Warnings say what is wrong with the table but did not keep it from
	// being read.
	Warnings []string
}

// Partition is a part of a disk. All of it is on the disk.
type Partition struct {
	// Number is that of the kernel's device: logical partitions begin at 5.
	Number int
	// Offset and Size are in bytes.
	Offset, Size int64
	// Type is the partition's type as blkid(8) prints PART_ENTRY_TYPE: a GUID
	// in lower case, or "0x83".
	Type string
	// Name is the partition's label (PARTLABEL); MBR has none.
	Name string
	// UUID is the partition's identity (PARTUUID) as blkid(8) prints it: a
	// GUID in lower case, or "abcdef12-01"; "" where the table has none.
	UUID string
	// Container is set for an extended partition, which holds the logical
	// partitions and no data of its own.
	Container bool
}

// Read reads the partition table of a disk. A disk without one is no error.
func Read(v disk.Volume) (*Table, error) {
	boot, err := readMBR(v)
	if err != nil {
		return nil, err
	}
	var table *Table
	switch {
	case boot.protective():
		table, err = readGPT(v)
		if err == nil && boot.hybrid() {
			table.warn("the MBR lists partitions beside its protective one (hybrid MBR): only the GPT's are used")
		}
	case boot.isTable():
		table = readMBRTable(v, boot)
		if hasGPT(v) {
			table.warn("there is a GPT without a protective MBR: only the MBR's partitions are used")
		}
	case !boot.signed && hasGPT(v):
		if table, err = readGPT(v); err == nil {
			table.warn("the protective MBR is missing")
		}
	default:
		return &Table{Scheme: None, SectorSize: mbrSector}, nil
	}
	if err != nil {
		return nil, err
	}
	table.check(v.Size())
	return table, nil
}

// Volume returns the partition as a volume of v, the disk it was read from.
func (p Partition) Volume(v disk.Volume) (disk.Volume, error) {
	volume, err := disk.Section(v, p.Offset, p.Size)
	if err != nil {
		return nil, fmt.Errorf("partition %d: %w", p.Number, err)
	}
	return volume, nil
}

func (t *Table) warn(format string, args ...any) {
	t.Warnings = append(t.Warnings, fmt.Sprintf("%s: %s", t.Scheme, fmt.Sprintf(format, args...)))
}

// check leaves out what is not on a disk of size bytes, and notices partitions
// that overlap.
func (t *Table) check(size int64) {
	kept := t.Partitions[:0]
	for _, p := range t.Partitions {
		if p.Offset > size || p.Size > size-p.Offset {
			if !p.Container { // it holds nothing that is not in another one
				t.CutShort = append(t.CutShort, p.Number)
			}
			t.warn("partition %d, %d bytes at offset %d, runs past the end of the disk, which has %d bytes: it is left out",
				p.Number, p.Size, p.Offset, size)
			continue
		}
		kept = append(kept, p)
	}
	t.Partitions = kept
	sort.SliceStable(kept, func(i, j int) bool { return kept[i].Number < kept[j].Number })

	var sorted []Partition
	for _, p := range kept {
		if !p.Container {
			sorted = append(sorted, p)
		}
	}
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].Offset < sorted[j].Offset })
	for i := 1; i < len(sorted); i++ {
		before, p := sorted[i-1], sorted[i]
		if before.Offset+before.Size > p.Offset {
			t.warn("partitions %d and %d overlap", before.Number, p.Number)
		}
		if before.Offset+before.Size > p.Offset+p.Size {
			sorted[i] = before // it may overlap the next one as well
		}
	}
}

// readFull reads n bytes at off; an offset that is not on the disk is an error.
func readFull(v disk.Volume, off, n int64) ([]byte, error) {
	if off < 0 || off > v.Size() || n > v.Size()-off {
		return nil, fmt.Errorf("offset %d is not on the disk, which has %d bytes", off, v.Size())
	}
	data := make([]byte, n)
	got, err := v.ReadAt(data, off)
	if int64(got) == n {
		return data, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}
