package partition

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
)

// Changeable is a disk that can be written and cut.
type Changeable interface {
	disk.Disk
	io.WriterAt
	Truncate(size int64) error
}

// cutUnit is what the size of a disk that was cut is a multiple of: all that
// makes partitions aligns them to it.
const cutUnit = 1 << 20

// rawTypes are partitions that serve without a byte in them: Microsoft's
// reserved one, ESXi's for a crash's dump, and those of boot loaders.
var rawTypes = []string{
	"e3c9e316-0b5c-4db8-817d-f92df00215ae", "9d275380-40ad-11db-bf97-000c2911d1b8",
	"21686148-6449-6e6f-744e-656564454649", "9e1a2d38-c612-4316-aa26-8b49521e5a8b",
}

// Shrink takes the last partitions of a GPT disk away as long as there is
// nothing in them, and what is free behind those that are left, and puts the
// backup of the table to the new end. It returns the partitions that are gone.
func Shrink(d Changeable) ([]Partition, error) {
	table, err := Read(d)
	switch {
	case err != nil:
		return nil, err
	case table.Scheme != GPT:
		return nil, fmt.Errorf("only disks with a GPT can be shrunk; the partition table of this one is %s", table.Scheme)
	case len(table.Warnings) > 0:
		return nil, fmt.Errorf("a partition table that is not in order cannot be shrunk: %s", table.Warnings[0])
	}
	left := slices.Clone(table.Partitions)
	slices.SortFunc(left, func(a, b Partition) int { return int((a.Offset - b.Offset) / table.SectorSize) })
	var gone []Partition
	for len(left) > 1 {
		last := left[len(left)-1]
		if slices.Contains(rawTypes, last.Type) {
			break
		}
		if empty, err := isEmpty(d, last); err != nil {
			return nil, fmt.Errorf("partition %d: %w", last.Number, err)
		} else if !empty {
			break
		}
		gone, left = append(gone, last), left[:len(left)-1]
	}
	if len(left) == 0 {
		return nil, errors.New("there are no partitions")
	}
	first, last := left[0], left[len(left)-1]
	return gone, cut(d, table.SectorSize, first.Offset, last.Offset+last.Size, gone)
}

// isEmpty says whether a partition is all zeros.
func isEmpty(d disk.Disk, p Partition) (bool, error) {
	buf := make([]byte, cutUnit)
	for run := range d.Extents(p.Offset, p.Size) {
		for off, end := run.Offset, run.Offset+run.Length; !run.Hole && off < end; {
			part := buf[:min(int64(len(buf)), end-off)]
			if n, err := d.ReadAt(part, off); n < len(part) {
				return false, err
			}
			if len(bytes.Trim(part, "\x00")) > 0 {
				return false, nil
			}
			off += int64(len(part))
		}
	}
	return true, nil
}

// cut writes the table for a disk whose partitions are in the bytes from first to
// used, and cuts it soon after those.
func cut(d Changeable, sector, first, used int64, gone []Partition) error {
	header, err := readGPTHeader(d, sector, 1)
	if err != nil {
		return err
	}
	length := int64(header.count) * int64(header.size)
	backup := (length + sector - 1) / sector * sector // the entries, padded
	size := (used + backup + sector + cutUnit - 1) / cutUnit * cutUnit
	if size >= d.Size() {
		if size = d.Size(); len(gone) == 0 {
			return nil
		}
	}
	switch {
	case int64(header.entries)*sector+length > first:
		return fmt.Errorf("the partition table, at sector %d, is not in front of the partitions", header.entries)
	case used+backup+sector > size/sector*sector:
		return errors.New("the partitions leave no room for the table's backup behind them")
	}
	raw, err := readFull(d, sector, sector)
	if err != nil {
		return err
	}
	entries := make([]byte, backup)
	if _, err := d.ReadAt(entries[:length], int64(header.entries)*sector); err != nil {
		return err
	}
	for _, p := range gone {
		at := (p.Number - 1) * int(header.size)
		clear(entries[at : at+int(header.size)])
	}
	if err := d.Truncate(size); err != nil {
		return err
	}
	last := uint64(size/sector) - 1
	backupEntries := last - uint64(backup/sector)
	le := binary.LittleEndian
	le.PutUint64(raw[48:], backupEntries-1) // the last sector for partitions
	le.PutUint32(raw[88:], crc32.ChecksumIEEE(entries[:length]))
	second := bytes.Clone(raw)
	sealHeader(raw, 1, last, header.entries)
	sealHeader(second, last, 1, backupEntries)
	for _, part := range []struct {
		content []byte
		sector  uint64
	}{{raw, 1}, {entries[:length], header.entries}, {entries, backupEntries}, {second, last}} {
		if _, err := d.WriteAt(part.content, int64(part.sector)*sector); err != nil {
			return err
		}
	}
	return protect(d, last)
}

// sealHeader says where a header, its copy and its entries are, and makes its
// checksum right.
func sealHeader(raw []byte, at, other, entries uint64) {
	le := binary.LittleEndian
	le.PutUint64(raw[24:], at)
	le.PutUint64(raw[32:], other)
	le.PutUint64(raw[72:], entries)
	le.PutUint32(raw[16:], 0)
	le.PutUint32(raw[16:], crc32.ChecksumIEEE(raw[:le32(raw, 12)]))
}

// protect has the protective MBR reach to the last sector.
func protect(d Changeable, last uint64) error {
	boot, err := readFull(d, 0, mbrSector)
	if err != nil {
		return err
	}
	for at := 446; at < 510; at += 16 {
		if boot[at+4] == typeProtective {
			binary.LittleEndian.PutUint32(boot[at+12:], uint32(min(last, math.MaxUint32)))
		}
	}
	_, err = d.WriteAt(boot, 0)
	return err
}
