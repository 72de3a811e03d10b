package partition

import (
	"bytes"
	"fmt"
	"math/bits"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
)

const (
	// mbrSector is the sector size of MBR tables, which cannot tell theirs.
	mbrSector = 512
	// firstLogical is the number of the first logical partition.
	firstLogical = 5
	// maxLogical is more than any tool makes and the kernel takes.
	maxLogical = 256

	typeProtective = 0xee
)

// mbrEntry is one of the four of a boot record (UEFI 2.10, table 5.2).
type mbrEntry struct {
	flag, kind     byte
	start, sectors int64
}

func (e mbrEntry) used() bool { return e.sectors != 0 }

func (e mbrEntry) extended() bool { return e.kind == 0x05 || e.kind == 0x0f || e.kind == 0x85 }

// bootRecord is the first sector of a disk or of a logical partition.
type bootRecord struct {
	signed     bool // ends in 55 aa
	fileSystem bool // is the boot sector of a file system
	id         uint32
	entries    [4]mbrEntry
}

func parseBootRecord(raw []byte) *bootRecord {
	r := &bootRecord{signed: raw[510] == 0x55 && raw[511] == 0xaa, id: le32(raw, 440), fileSystem: isBootSector(raw)}
	for i := range r.entries {
		e := raw[446+16*i:]
		r.entries[i] = mbrEntry{flag: e[0], kind: e[4], start: int64(le32(e, 8)), sectors: int64(le32(e, 12))}
	}
	return r
}

// readMBR reads the first sector. A disk without one has no table.
func readMBR(v disk.Volume) (*bootRecord, error) {
	if v.Size() < mbrSector {
		return &bootRecord{}, nil
	}
	raw, err := readFull(v, 0, mbrSector)
	if err != nil {
		return nil, fmt.Errorf("mbr: read sector 0: %w", err)
	}
	return parseBootRecord(raw), nil
}

// isBootSector says whether a sector begins a FAT, exFAT or NTFS file system,
// all of which end it in 55 aa as an MBR does.
func isBootSector(raw []byte) bool {
	if raw[0] != 0xeb && raw[0] != 0xe9 { // a jump over the parameters
		return false
	}
	if string(raw[3:11]) == "EXFAT   " {
		return true
	}
	sector := int(raw[11]) | int(raw[12])<<8
	if bits.OnesCount(uint(sector)) != 1 || sector < 512 || sector > 4096 {
		return false
	}
	if string(raw[3:11]) == "NTFS    " {
		return true
	}
	cluster, reserved, fats, media := raw[13], int(raw[14])|int(raw[15])<<8, raw[16], raw[21]
	return bits.OnesCount8(cluster) == 1 && reserved > 0 && (fats == 1 || fats == 2) && (media == 0xf0 || media >= 0xf8) &&
		(bytes.HasPrefix(raw[54:], []byte("FAT")) || bytes.HasPrefix(raw[82:], []byte("FAT")))
}

// protective says whether a GPT rules the disk.
func (r *bootRecord) protective() bool {
	for _, e := range r.entries {
		if r.signed && e.kind == typeProtective && e.used() {
			return true
		}
	}
	return false
}

// hybrid says whether a protective MBR has partitions of its own.
func (r *bootRecord) hybrid() bool {
	for _, e := range r.entries {
		if e.used() && e.kind != typeProtective && e.kind != 0 {
			return true
		}
	}
	return false
}

// isTable says whether this is a partition table with a partition. Boot code
// in front of a file system looks like one without.
func (r *bootRecord) isTable() bool {
	used := false
	for _, e := range r.entries {
		if e.flag != 0 && e.flag != 0x80 {
			return false
		}
		used = used || e.used()
	}
	return r.signed && !r.fileSystem && used
}

// mbrReader follows the chain of boot records.
type mbrReader struct {
	volume disk.Volume
	table  *Table
	id     uint32
}

func readMBRTable(v disk.Volume, boot *bootRecord) *Table {
	r := &mbrReader{volume: v, table: &Table{Scheme: MBR, SectorSize: mbrSector}, id: boot.id}
	if boot.id != 0 {
		r.table.DiskID = fmt.Sprintf("%08x", boot.id)
	}
	for i, e := range boot.entries {
		if e.used() {
			r.add(i+1, e.start, e)
		}
	}
	number := firstLogical
	for _, e := range boot.entries {
		if e.used() && e.extended() {
			number = r.readExtended(e, number)
		}
	}
	return r.table
}

// add appends a partition that begins at the given sector.
func (r *mbrReader) add(number int, start int64, e mbrEntry) {
	p := Partition{
		Number: number, Offset: start * mbrSector, Size: e.sectors * mbrSector,
		Type: fmt.Sprintf("%#x", e.kind), Container: e.extended(),
	}
	if r.id != 0 {
		p.UUID = fmt.Sprintf("%08x-%02x", r.id, number)
	}
	r.table.Partitions = append(r.table.Partitions, p)
}

// readExtended follows the chain of boot records in an extended partition: each
// has a logical partition, which is placed relative to it, and the place of the
// next boot record relative to the extended partition. What is damaged ends the
// chain with a warning. It returns the next free number.
func (r *mbrReader) readExtended(extended mbrEntry, number int) int {
	seen := map[int64]bool{}
	for at := extended.start; !seen[at]; {
		seen[at] = true
		if len(seen) > maxLogical {
			r.table.warn("more than %d logical partitions: the others are left out", maxLogical)
			return number
		}
		raw, err := readFull(r.volume, at*mbrSector, mbrSector)
		if err != nil {
			r.table.warn("boot record of a logical partition at sector %d: %v: the chain ends there", at, err)
			return number
		}
		record := parseBootRecord(raw)
		if !record.signed {
			r.table.warn("boot record of a logical partition at sector %d has no signature: the chain ends there", at)
			return number
		}
		next := int64(-1)
		for _, e := range record.entries[:2] {
			switch {
			case !e.used():
			case !e.extended():
				r.add(number, at+e.start, e)
				number++
			case next < 0:
				next = extended.start + e.start
			}
		}
		if next < 0 {
			return number
		}
		at = next
	}
	r.table.warn("the chain of logical partitions is a loop")
	return number
}
