package fat

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// check walks all folders and sees that every cluster belongs to one file
// only: in a table that says otherwise, a cluster that looks free may hold
// somebody's data. It counts the free ones.
func (e *Editor) check() error {
	taken := make([]bool, e.clusters)
	folders := []folder{e.top()}
	if e.bits == 32 {
		if err := e.claim(taken, e.rootCluster); err != nil {
			return fmt.Errorf("root folder: %w", err)
		}
	}
	for len(folders) > 0 {
		in := folders[len(folders)-1]
		folders = folders[:len(folders)-1]
		entries, err := e.readDir(in.number, in.first)
		if err != nil {
			return err
		}
		for _, one := range entries {
			first := e.firstOf(one)
			if !one.isFile() || one.name == "." || one.name == ".." || first == 0 && !one.isDir() {
				continue
			}
			if err := e.claim(taken, first); err != nil {
				return fmt.Errorf("%q: %w", one.name, err)
			}
			if one.isDir() {
				folders = append(folders, e.folder(one))
			}
		}
	}
	for c := uint32(2); c < e.clusters; c++ {
		value, _, err := e.next(c)
		if err != nil {
			return err
		}
		if value == 0 {
			e.free++
		}
	}
	return nil
}

// claim marks the clusters of a chain.
func (e *Editor) claim(taken []bool, first uint32) error {
	for c := first; ; {
		if c < 2 || c >= e.clusters {
			return fmt.Errorf("cluster chain from %d: cluster %d is not on the file system", first, c)
		}
		if taken[c] {
			return fmt.Errorf("cluster chain from %d: cluster %d belongs to another file too", first, c)
		}
		taken[c] = true
		next, ok, err := e.next(c)
		if err != nil || !ok {
			return err
		}
		c = next
	}
}

// allocate takes n clusters and chains them.
func (e *Editor) allocate(n int64) ([]uint32, error) {
	if n > e.free {
		return nil, fmt.Errorf("the file system is full: %d of its %d bytes are free", e.Free(), e.Capacity())
	}
	clusters := make([]uint32, 0, n)
	for range e.clusters {
		c := e.cursor
		if e.cursor++; e.cursor == e.clusters {
			e.cursor = 2
		}
		value, _, err := e.next(c)
		if err != nil {
			return nil, err
		}
		if value != 0 {
			continue
		}
		e.set(c, e.last())
		if len(clusters) > 0 {
			e.set(clusters[len(clusters)-1], c)
		}
		if clusters = append(clusters, c); int64(len(clusters)) == n {
			e.free -= n
			return clusters, nil
		}
	}
	return nil, errors.New("free clusters were counted that are not there")
}

// release gives back the chain of a file.
func (e *Editor) release(first uint32) error {
	for c := first; c != 0; {
		next, ok, err := e.next(c)
		if err != nil {
			return err
		}
		e.set(c, 0)
		e.free++
		if !ok {
			return nil
		}
		c = next
	}
	return nil
}

// last is what ends a chain.
func (e *Editor) last() uint32 { return 1<<min(e.bits, 28) - 1 }

// set changes the table.
func (e *Editor) set(cluster, value uint32) {
	pos := int64(cluster) * int64(e.bits) / 8
	b := e.page[pos:]
	switch e.bits {
	case 12:
		shift := cluster % 2 * 4
		old := uint32(binary.LittleEndian.Uint16(b))
		binary.LittleEndian.PutUint16(b, uint16(old&^(0xfff<<shift)|value<<shift))
	case 16:
		binary.LittleEndian.PutUint16(b, uint16(value))
	default: // its upper four bits are reserved
		binary.LittleEndian.PutUint32(b, binary.LittleEndian.Uint32(b)&0xf0000000|value)
	}
	e.changed[pos&^(tablePage-1)] = true
	e.changed[(pos+1)&^(tablePage-1)] = true // an entry of FAT12 may go on there
}

// tablePage is the unit in which the table is written.
const tablePage = 4096

// Close writes the table, in all its copies, and what FAT32 has noted of it.
func (e *Editor) Close() error {
	for table := e.table; table < e.root; table += e.tableSize {
		for at := range e.changed {
			if err := e.writeAt(e.page[at:min(at+tablePage, e.tableSize)], table+at); err != nil {
				return fmt.Errorf("fat: write table: %w", err)
			}
		}
	}
	if e.bits != 32 {
		return nil
	}
	if err := e.noteFree(); err != nil {
		return fmt.Errorf("fat: write count of free clusters: %w", err)
	}
	return nil
}

// noteFree writes the count of free clusters into FAT32's FSINFO sector, if
// there is one (the same document as for maxDir, "FAT32 FSInfo Sector
// Structure").
func (e *Editor) noteFree() error {
	sector, number := int64(binary.LittleEndian.Uint16(e.boot[11:])), int64(binary.LittleEndian.Uint16(e.boot[48:]))
	if number == 0 || number*sector+bootSize > e.table {
		return nil
	}
	info := make([]byte, bootSize)
	if err := e.readAt(info, number*sector); err != nil {
		return err
	}
	if !bytes.HasPrefix(info, []byte("RRaA")) || !bytes.HasPrefix(info[484:], []byte("rrAa")) {
		return nil
	}
	binary.LittleEndian.PutUint32(info[488:], uint32(e.free))
	return e.writeAt(info, number*sector)
}
