package fat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
)

// Storage is a volume that can be written.
type Storage interface {
	disk.Volume
	io.WriterAt
}

const (
	// maxTable is the longest table that is edited, 32 million clusters of
	// FAT32: all of it is kept in memory.
	maxTable = 128 << 20
	// maxFile is the longest file that FAT has.
	maxFile = 1<<32 - 1
	// noMirrors in FAT32's flags says that only one of the tables is kept.
	noMirrors = 0x80
)

// Editor adds folders and files to a FAT file system and replaces files; it
// removes nothing. It leaves all else as it was, byte for byte. After an error
// the file system is not to be used.
//
// It is an editor of its own because those of go-diskfs 1.9.4 write whole
// directories anew and lose what they do not know of other files' entries, and
// take two tables for granted.
type Editor struct {
	*volume
	to      io.WriterAt
	boot    []byte
	changed map[int64]bool // pages of the table, by their offset in it
	free    int64          // clusters
	cursor  uint32         // where to look for a free one
}

// Edit opens the file system on v for changes. One that is damaged, so that
// writing could damage it further, is refused.
func Edit(v Storage) (*Editor, error) {
	opened, err := Open(v)
	if err != nil {
		return nil, err
	}
	e := &Editor{volume: opened.(*volume), to: v, changed: map[int64]bool{}, cursor: 2}
	if e.boot, err = readBoot(v); err != nil {
		return nil, err
	}
	if e.tableSize > maxTable {
		return nil, fmt.Errorf("fat: a table of %d bytes is too large to be changed here", e.tableSize)
	}
	if e.bits == 32 && binary.LittleEndian.Uint16(e.boot[40:])&noMirrors != 0 {
		return nil, errors.New("fat: only one of its tables is in use, which cannot be changed here")
	}
	// The reader's window onto the table becomes the whole of it.
	e.page, e.pageAt = make([]byte, e.tableSize), 0
	if err := e.readAt(e.page, e.table); err != nil {
		return nil, fmt.Errorf("fat: table: %w", err)
	}
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("fat: the file system is damaged; repair it on a copy of the disk with fsck.fat or chkdsk, or build it again: %w", err)
	}
	return e, nil
}

// Free is how many bytes files can still take.
func (e *Editor) Free() int64 { return e.free * e.cluster }

// Capacity is how many bytes all files can take.
func (e *Editor) Capacity() int64 { return int64(e.clusters-2) * e.cluster }

// folder is a directory: its inode number and its first cluster.
type folder struct {
	number uint64
	first  uint32
}

func (e *Editor) top() folder { return folder{rootNumber, e.rootCluster} }

func (e *Editor) folder(found *entry) folder { return folder{found.number, e.firstOf(found)} }

// firstOf is the first cluster of an entry.
func (e *Editor) firstOf(found *entry) uint32 { return e.inode(found).Sys.(uint32) }

// find returns the entry of a name, long or short, whatever its case; nil if
// there is none.
func (e *Editor) find(in folder, name string) (*entry, error) {
	entries, err := e.readDir(in.number, in.first)
	if err != nil {
		return nil, err
	}
	for _, one := range entries {
		if one.isFile() && (strings.EqualFold(one.name, name) || strings.EqualFold(shortName(one.raw[:]), name)) {
			return one, nil
		}
	}
	return nil, nil
}

// parent finds the folder that a path is in.
func (e *Editor) parent(name string) (folder, error) {
	at := e.top()
	dir := path.Dir(name)
	if dir == "." {
		return at, nil
	}
	for part := range strings.SplitSeq(dir, "/") {
		found, err := e.find(at, part)
		switch {
		case err != nil:
			return folder{}, err
		case found == nil:
			return folder{}, fmt.Errorf("there is no folder %s", part)
		case !found.isDir():
			return folder{}, fmt.Errorf("%s is not a folder", part)
		}
		at = e.folder(found)
	}
	return at, nil
}

// Mkdir makes the folder of a path, "curtin/lib", if it is not there.
func (e *Editor) Mkdir(name string, modified time.Time) error {
	if err := e.mkdir(name, modified); err != nil {
		return fmt.Errorf("fat: folder /%s: %w", name, err)
	}
	return nil
}

func (e *Editor) mkdir(name string, modified time.Time) error {
	in, err := e.parent(name)
	if err != nil {
		return err
	}
	found, err := e.find(in, path.Base(name))
	switch {
	case err != nil:
		return err
	case found != nil && !found.isDir():
		return errors.New("there is a file of that name")
	case found != nil:
		return nil
	}
	clusters, err := e.allocate(1)
	if err != nil {
		return err
	}
	self := record{attributes: attrDir, modified: modified, first: clusters[0]}
	above := self
	if above.first = in.first; in.number == rootNumber {
		above.first = 0 // also where the root has a number, in FAT32
	}
	content := make([]byte, e.cluster)
	copy(content, self.bytes(padded(".", "")))
	copy(content[entrySize:], above.bytes(padded("..", "")))
	if err := e.writeAt(content, e.place(clusters[0])); err != nil {
		return err
	}
	return e.add(in, path.Base(name), self)
}

// WriteFile makes the file of a path, whose folder must be there, or replaces
// it. size is how much data there is.
func (e *Editor) WriteFile(name string, data io.Reader, size int64, modified time.Time) error {
	if err := e.writeFile(name, data, size, modified); err != nil {
		return fmt.Errorf("fat: file /%s: %w", name, err)
	}
	return nil
}

func (e *Editor) writeFile(name string, data io.Reader, size int64, modified time.Time) error {
	if size > maxFile {
		return fmt.Errorf("it has %d bytes; FAT holds files of up to %d", size, maxFile)
	}
	in, err := e.parent(name)
	if err != nil {
		return err
	}
	found, err := e.find(in, path.Base(name))
	if err != nil {
		return err
	}
	if found != nil {
		if found.isDir() {
			return errors.New("there is a folder of that name")
		}
		if err := e.release(e.firstOf(found)); err != nil {
			return err
		}
	}
	first, err := e.store(data, size)
	if err != nil {
		return err
	}
	written := record{attributes: attrArchive, modified: modified, first: first, size: uint32(size)}
	if found == nil {
		return e.add(in, path.Base(name), written)
	}
	written.attributes |= found.raw[11]
	raw := written.bytes([11]byte(found.raw[:11]))
	copy(raw[12:18], found.raw[12:18]) // the case of its short name, and when it was made
	return e.writeAt(raw, int64(found.number)*entrySize)
}

// store writes data into clusters of its own, and zeros behind it.
func (e *Editor) store(data io.Reader, size int64) (first uint32, err error) {
	if size == 0 {
		return 0, nil
	}
	clusters, err := e.allocate((size + e.cluster - 1) / e.cluster)
	if err != nil {
		return 0, fmt.Errorf("it has %d bytes, and %w", size, err)
	}
	content := make([]byte, e.cluster)
	for _, c := range clusters {
		part := content[:min(e.cluster, size)]
		clear(content[len(part):])
		if _, err := io.ReadFull(data, part); err != nil {
			return 0, err
		}
		if err := e.writeAt(content, e.place(c)); err != nil {
			return 0, err
		}
		size -= int64(len(part))
	}
	return clusters[0], nil
}

// place is where a cluster is on the volume.
func (e *Editor) place(cluster uint32) int64 { return e.data + int64(cluster-2)*e.cluster }

func (e *Editor) writeAt(p []byte, off int64) error {
	_, err := e.to.WriteAt(p, off)
	return err
}
