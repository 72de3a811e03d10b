// Package fat reads and edits FAT12, FAT16 and FAT32 with long names, as EFI system
// partitions have them.
//
// It is a reader of its own because those of go-diskfs 1.9.4 follow a cluster
// chain that loops until memory ends, take a failed read of data for zeros, and
// find no files where there is only one table.
//
// FAT has neither owners nor permissions: all is root's, and 0755 as the
// kernel's vfat shows it with its default mask. It has no time zone either:
// times are taken as UTC.
package fat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

const (
	bootSize  = 512 // bytes of the boot sector that matter
	entrySize = 32  // bytes of a directory entry
	// maxDir is the longest directory: 65536 entries (Microsoft, FAT: General
	// Overview of On-Disk Format 1.03, "FAT Directory Structure").
	maxDir = 65536 * entrySize
	// pageSize is how much of the table is read at a time.
	pageSize = 64 << 10
	// rootNumber is the inode number of the root directory. All others are
	// the position of their directory entry in units of entrySize, of which
	// this one lies in the boot sector.
	rootNumber = 1
)

// volume is an opened file system.
type volume struct {
	geometry
	v     disk.Volume
	label string

	mu     sync.Mutex
	page   []byte // a part of the table
	pageAt int64
	// owners are the inode numbers of directories by their first cluster: two
	// for one cluster would make a tree without end.
	owners map[uint32]uint64
}

// geometry is what the boot sector says, in bytes.
type geometry struct {
	bits        int   // 12, 16 or 32
	cluster     int64 // size of a cluster
	table       int64 // offset of the first table
	tableSize   int64
	root        int64 // FAT12 and FAT16: offset of the root directory,
	rootSize    int64 // and its size
	rootCluster uint32
	data        int64  // offset of cluster 2
	clusters    uint32 // the last cluster's number + 1
	serial      uint32
	hasSerial   bool
	bootLabel   string
	dirty       bool
}

// Probe says whether v looks like FAT.
func Probe(v disk.Volume) bool {
	boot, err := readBoot(v)
	if err != nil {
		return false
	}
	_, err = parseBoot(boot, v.Size())
	return err == nil
}

// Open opens the FAT file system on v.
func Open(v disk.Volume) (filesystem.FS, error) {
	boot, err := readBoot(v)
	if err != nil {
		return nil, err
	}
	g, err := parseBoot(boot, v.Size())
	if err != nil {
		return nil, err
	}
	fs := &volume{geometry: g, v: v, label: g.bootLabel, pageAt: -1, owners: map[uint32]uint64{}}
	entries, err := fs.readDir(rootNumber, g.rootCluster)
	if err != nil {
		return nil, fmt.Errorf("fat: root directory: %w", err)
	}
	for _, e := range entries {
		if e.isLabel() {
			fs.label = labelText(e.raw[:11])
			break
		}
	}
	return fs, nil
}

func readBoot(v disk.Volume) ([]byte, error) {
	boot := make([]byte, bootSize)
	if _, err := v.ReadAt(boot, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("fat: read boot sector: %w", err)
	}
	return boot, nil
}

// parseBoot reads the BIOS parameter block (the same document, "Boot Sector
// and BPB"). Like the kernel it tells FAT32 by its table's size and FAT12 from
// FAT16 by the count of clusters.
func parseBoot(b []byte, size int64) (geometry, error) {
	le := binary.LittleEndian
	sector, perCluster := int64(le.Uint16(b[11:])), int64(b[13])
	reserved, tables := int64(le.Uint16(b[14:])), int64(b[16])
	rootEntries, tableSectors := int64(le.Uint16(b[17:])), int64(le.Uint16(b[22:]))
	sectors := int64(le.Uint16(b[19:]))
	if sectors == 0 {
		sectors = int64(le.Uint32(b[32:]))
	}
	switch {
	case le.Uint16(b[510:]) != 0xaa55 || b[0] != 0xeb && b[0] != 0xe9:
		return geometry{}, errors.New("fat: no FAT boot sector")
	case sector < 512 || sector > 4096 || sector&(sector-1) != 0:
		return geometry{}, fmt.Errorf("fat: boot sector: sectors of %d bytes", sector)
	case perCluster == 0 || perCluster&(perCluster-1) != 0:
		return geometry{}, fmt.Errorf("fat: boot sector: clusters of %d sectors", perCluster)
	case reserved == 0 || tables == 0:
		return geometry{}, fmt.Errorf("fat: boot sector: %d reserved sectors, %d tables", reserved, tables)
	case sectors*sector > size:
		return geometry{}, fmt.Errorf("fat: file system of %d bytes in a volume of %d", sectors*sector, size)
	}
	g := geometry{bits: 16, cluster: perCluster * sector, table: reserved * sector}
	extended := b[38:] // signature, serial, label (FAT12 and FAT16)
	g.dirty = b[37]&1 != 0
	if tableSectors == 0 {
		tableSectors = int64(le.Uint32(b[36:]))
		g.bits, g.rootCluster, extended, g.dirty = 32, le.Uint32(b[44:]), b[66:], b[65]&1 != 0
		if version := le.Uint16(b[42:]); version != 0 {
			return geometry{}, fmt.Errorf("fat: FAT32 version %d.%d is unknown", version>>8, version&0xff)
		}
	}
	g.tableSize = tableSectors * sector
	g.root = g.table + tables*g.tableSize
	g.rootSize = rootEntries * entrySize
	g.data = g.root + (g.rootSize+sector-1)/sector*sector
	count := (sectors*sector - g.data) / g.cluster
	if g.data >= sectors*sector || count == 0 {
		return geometry{}, errors.New("fat: boot sector: no room for data")
	}
	if g.bits == 16 && count < 4085 {
		g.bits = 12
	}
	if g.bits != 32 && g.rootSize == 0 {
		return geometry{}, errors.New("fat: boot sector: no root directory")
	}
	g.clusters = uint32(min(count+2, g.tableSize*8/int64(g.bits), 0x0ffffff7))
	if g.clusters < 3 {
		return geometry{}, errors.New("fat: boot sector: no room in the table")
	}
	if s := extended[0]; s == 0x28 || s == 0x29 {
		g.serial, g.hasSerial = le.Uint32(extended[1:]), true
		if s == 0x29 {
			g.bootLabel = labelText(extended[5:16])
		}
	}
	return g, nil
}

// Info implements filesystem.FS.
func (fs *volume) Info() filesystem.Info {
	info := filesystem.Info{Type: "vfat", Label: fs.label, Root: rootNumber}
	if fs.hasSerial {
		info.UUID = fmt.Sprintf("%04X-%04X", fs.serial>>16, fs.serial&0xffff)
	}
	if fs.dirty {
		info.Warnings = []string{"the file system was not unmounted cleanly: its last changes may be missing"}
	}
	return info
}

// readAt reads all of p.
func (fs *volume) readAt(p []byte, off int64) error {
	if n, err := fs.v.ReadAt(p, off); n < len(p) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read %d bytes at %d: %w", len(p), off, err)
	}
	return nil
}

// next is the table's entry of a cluster: the one after it in its chain. ok is
// false at the chain's end.
func (fs *volume) next(cluster uint32) (next uint32, ok bool, err error) {
	pos := int64(cluster) * int64(fs.bits) / 8
	width := int64(2)
	if fs.bits == 32 {
		width = 4
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if pos < fs.pageAt || pos+width > fs.pageAt+int64(len(fs.page)) || fs.pageAt < 0 {
		at := pos &^ (pageSize - 1)
		// The last entry of a page of FAT12 may end in the next page.
		page := make([]byte, min(pageSize+2, fs.tableSize-at))
		if err := fs.readAt(page, fs.table+at); err != nil {
			return 0, false, fmt.Errorf("table: %w", err)
		}
		fs.page, fs.pageAt = page, at
	}
	b := fs.page[pos-fs.pageAt:]
	var end uint32
	switch fs.bits {
	case 12:
		next, end = uint32(binary.LittleEndian.Uint16(b))>>(cluster%2*4)&0xfff, 0xff8
	case 16:
		next, end = uint32(binary.LittleEndian.Uint16(b)), 0xfff8
	default:
		next, end = binary.LittleEndian.Uint32(b)&0x0fffffff, 0x0ffffff8
	}
	return next, next < end, nil
}

// run is a piece of a chain that lies in one piece on the volume, in bytes.
type run struct{ file, volume, length int64 }

// chain follows the clusters of a file of size bytes, or of a directory whose
// size is unknown and given as -1.
func (fs *volume) chain(first uint32, size int64) ([]run, error) {
	limit := (size + fs.cluster - 1) / fs.cluster
	if size < 0 {
		limit = max(maxDir/fs.cluster, 1)
	}
	if size >= 0 && limit > int64(fs.clusters) {
		return nil, fmt.Errorf("size of %d bytes exceeds the file system", size)
	}
	var runs []run
	mark, steps := first, int64(1) // Brent: the mark meets a loop after its length
	for c, n := first, int64(0); ; {
		if c < 2 || c >= fs.clusters {
			return nil, fmt.Errorf("cluster chain from %d: cluster %d is not on the file system", first, c)
		}
		at := fs.data + int64(c-2)*fs.cluster
		if last := len(runs) - 1; last >= 0 && runs[last].volume+runs[last].length == at {
			runs[last].length += fs.cluster
		} else {
			runs = append(runs, run{n * fs.cluster, at, fs.cluster})
		}
		if n++; n == limit && size >= 0 {
			return runs, nil
		}
		next, ok, err := fs.next(c)
		switch {
		case err != nil:
			return nil, err
		case !ok && size >= 0:
			return nil, fmt.Errorf("cluster chain from %d ends after %d of %d clusters", first, n, limit)
		case !ok:
			return runs, nil
		case n == limit:
			return nil, fmt.Errorf("cluster chain from %d: directory longer than %d bytes", first, maxDir)
		case next == mark:
			return nil, fmt.Errorf("cluster chain from %d loops at %d", first, next)
		}
		if c = next; n == steps {
			mark, steps = c, steps*2
		}
	}
}
