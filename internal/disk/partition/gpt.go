package partition

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"unicode/utf16"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
)

const (
	gptSignature  = "EFI PART"
	gptHeaderSize = 92 // the fields that are defined
	gptEntrySize  = 128
	gptNameUnits  = 36
	// maxGPTEntries is 32 times what all tools make; each is read.
	maxGPTEntries  = 4096
	maxGPTEntryLen = 4096
)

// gptSectors are the sector sizes a table may have been made for; which one
// only the place of its header tells.
var gptSectors = []int64{512, 4096}

// gptHeader is UEFI 2.10, table 5.5.
type gptHeader struct {
	sector       int64
	lba, other   uint64 // where this header and its copy are
	disk         string
	entries      uint64 // where the entries begin
	count, size  uint32
	entriesCheck uint32
}

// hasGPT says whether there is a sound primary header.
func hasGPT(v disk.Volume) bool {
	for _, sector := range gptSectors {
		if _, err := readGPTHeader(v, sector, 1); err == nil {
			return true
		}
	}
	return false
}

// readGPT reads the primary table, or the backup at the end of the disk where
// the primary one is damaged.
func readGPT(v disk.Volume) (*Table, error) {
	var damage []error
	for _, sector := range gptSectors {
		header, err := readGPTHeader(v, sector, 1)
		if errors.Is(err, errNoGPT) {
			continue
		}
		if err == nil {
			table, err := header.table(v)
			if err == nil {
				return table, nil
			}
			damage = append(damage, err)
			if table, err = readBackup(v, sector, header.other); err == nil {
				table.warn("the primary table is damaged (%v), its backup is used", damage[0])
				return table, nil
			}
		} else {
			damage = append(damage, err)
		}
	}
	if len(damage) == 0 {
		damage = append(damage, errNoGPT)
	}
	for _, sector := range gptSectors {
		table, err := readBackup(v, sector, uint64(v.Size()/sector)-1)
		if err == nil {
			table.warn("the primary table is damaged (%v), its backup is used", damage[0])
			return table, nil
		}
		if !errors.Is(err, errNoGPT) {
			damage = append(damage, fmt.Errorf("backup: %w", err))
		}
	}
	return nil, fmt.Errorf("gpt: the table is damaged, and so is its backup: %w", errors.Join(damage...))
}

func readBackup(v disk.Volume, sector int64, lba uint64) (*Table, error) {
	header, err := readGPTHeader(v, sector, lba)
	if err != nil {
		return nil, err
	}
	return header.table(v)
}

var errNoGPT = errors.New("no GPT header")

// readGPTHeader reads and checks the header in a sector.
func readGPTHeader(v disk.Volume, sector int64, lba uint64) (*gptHeader, error) {
	if lba == 0 || lba >= uint64(v.Size()/sector) {
		return nil, errNoGPT
	}
	raw, err := readFull(v, int64(lba)*sector, sector)
	if err != nil {
		return nil, fmt.Errorf("read header at sector %d: %w", lba, err)
	}
	if !bytes.HasPrefix(raw, []byte(gptSignature)) {
		return nil, errNoGPT
	}
	if length := le32(raw, 12); length < gptHeaderSize || int64(length) > sector {
		return nil, fmt.Errorf("header at sector %d: its own length, %d bytes, is out of range", lba, length)
	}
	check := le32(raw, 16)
	clear(raw[16:20])
	if sum := crc32.ChecksumIEEE(raw[:le32(raw, 12)]); sum != check {
		return nil, fmt.Errorf("header at sector %d: its checksum is %#08x, not %#08x", lba, sum, check)
	}
	h := &gptHeader{
		sector: sector, lba: le64(raw, 24), other: le64(raw, 32), disk: guid(raw[56:72]), entries: le64(raw, 72),
		count: le32(raw, 80), size: le32(raw, 84), entriesCheck: le32(raw, 88),
	}
	switch {
	case h.lba != lba:
		return nil, fmt.Errorf("header at sector %d: it says it is at sector %d", lba, h.lba)
	case h.size < gptEntrySize || h.size > maxGPTEntryLen || h.size%8 != 0:
		return nil, fmt.Errorf("header at sector %d: entries of %d bytes are out of range", lba, h.size)
	case h.count > maxGPTEntries:
		return nil, fmt.Errorf("header at sector %d: %d entries are out of range", lba, h.count)
	case h.entries > uint64(v.Size()/sector):
		return nil, fmt.Errorf("header at sector %d: entries at sector %d are past the end of the disk", lba, h.entries)
	}
	return h, nil
}

// table reads the entries.
func (h *gptHeader) table(v disk.Volume) (*Table, error) {
	raw, err := readFull(v, int64(h.entries)*h.sector, int64(h.count)*int64(h.size))
	if err != nil {
		return nil, fmt.Errorf("read entries at sector %d: %w", h.entries, err)
	}
	if sum := crc32.ChecksumIEEE(raw); sum != h.entriesCheck {
		return nil, fmt.Errorf("entries at sector %d: their checksum is %#08x, not %#08x", h.entries, sum, h.entriesCheck)
	}
	t := &Table{Scheme: GPT, SectorSize: h.sector, DiskID: h.disk}
	sectors := uint64(v.Size() / h.sector)
	for i := range int(h.count) {
		h.entry(t, i+1, raw[i*int(h.size):], sectors)
	}
	return t, nil
}

// entry adds the partition of an entry (UEFI 2.10, table 5.6) that is in use.
func (h *gptHeader) entry(t *Table, number int, raw []byte, sectors uint64) {
	if len(bytes.Trim(raw[:16], "\x00")) == 0 {
		return
	}
	first, last := le64(raw, 32), le64(raw, 40)
	if first > last {
		t.warn("partition %d begins at sector %d and ends before, at %d: it is left out", number, first, last)
		return
	}
	if last >= sectors { // told here, where the numbers cannot overflow
		t.CutShort = append(t.CutShort, number)
		t.warn("partition %d, sectors %d to %d, runs past the end of the disk, which has %d sectors: it is left out",
			number, first, last, sectors)
		return
	}
	t.Partitions = append(t.Partitions, Partition{
		Number: number,
		Offset: int64(first) * h.sector,
		Size:   int64(last-first+1) * h.sector,
		Type:   guid(raw[:16]),
		Name:   gptName(raw[56 : 56+2*gptNameUnits]),
		UUID:   guid(raw[16:32]),
	})
}

// gptName decodes UTF-16 up to the first NUL.
func gptName(raw []byte) string {
	units := make([]uint16, 0, gptNameUnits)
	for ; len(raw) >= 2; raw = raw[2:] {
		unit := binary.LittleEndian.Uint16(raw)
		if unit == 0 {
			break
		}
		units = append(units, unit)
	}
	return string(utf16.Decode(units))
}

// guid prints a GUID as it is stored: its first three fields are little-endian
// (UEFI 2.10, appendix A).
func guid(b []byte) string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", le32(b, 0), binary.LittleEndian.Uint16(b[4:]),
		binary.LittleEndian.Uint16(b[6:]), b[8:10], b[10:16])
}

func le32(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
func le64(b []byte, at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
