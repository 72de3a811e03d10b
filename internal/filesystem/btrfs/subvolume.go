package btrfs

import (
	"fmt"
	"math"
)

const (
	rootItemSize  = 239 // without what was added to it later
	topSubvolume  = 5
	firstFree     = 256 // the first number that is given to subvolumes, and to inodes
	lastFree      = math.MaxUint64 - 256
	checksumsTree = 7

	dirEntryHeader = 30 // before the name in directories and of attributes
	backrefHeader  = 18
)

// A number that stands for an inode here is made of its subvolume's and of its
// own in that; nobody has used up as many as these.
const (
	inodeBits     = 40
	maxInode      = 1<<inodeBits - 1
	maxSubvolume  = 1<<(63-inodeBits) - 1
	stubSubvolume = 1 << 63 // a number of what stands for a subvolume that is elsewhere
)

// subvolume is a tree of files.
type subvolume struct {
	id      uint64
	tree    treeRoot
	rootDir uint64
	// parent is the subvolume in which this one has its name; 0 if it has none.
	parent, dir uint64
	name        string
}

// rootInode is the number of its root directory.
func (s *subvolume) rootInode() uint64 { return s.number(s.rootDir) }

// number is the number of one of its inodes.
func (s *subvolume) number(inode uint64) uint64 { return s.id<<inodeBits | inode }

// readRoots reads the list of subvolumes, and which is the default.
func (d *device) readRoots() (defaultID uint64, err error) {
	d.subvolumes = make(map[uint64]*subvolume)
	defaultID = topSubvolume
	for i, err := range d.items(&d.sb.root, key{}, key{lastFree, math.MaxUint8, maxOffset}) {
		if err != nil {
			return 0, err
		}
		switch {
		case i.key.kind == typeRoot:
			err = d.addRoot(i)
		case i.key.kind == typeBackref:
			err = d.addBackref(i)
		case i.key.kind == typeDirItem && i.key.object == d.sb.rootDir:
			err = eachEntry(i.data, func(e dirEntry) error {
				if string(e.name) == "default" {
					defaultID = e.location.object
				}
				return nil
			})
		}
		if err != nil {
			return 0, fmt.Errorf("item %v: %w", i.key, err)
		}
	}
	if d.sums == nil {
		return 0, fmt.Errorf("the tree of checksums is missing")
	}
	return defaultID, nil
}

// addRoot takes the root of a subvolume, or of the tree of checksums, and none
// else.
func (d *device) addRoot(i item) error {
	id := i.key.object
	if id != topSubvolume && id != checksumsTree && id < firstFree {
		return nil
	}
	b := i.data
	if len(b) < rootItemSize {
		return fmt.Errorf("root of %d bytes", len(b))
	}
	if le.Uint32(b[216:]) == 0 {
		return nil // it is being deleted
	}
	tree := treeRoot{block: le.Uint64(b[176:]), generation: le.Uint64(b[160:]), level: b[238]}
	if id == checksumsTree {
		d.sums = &tree
		return nil
	}
	s := &subvolume{id: id, tree: tree, rootDir: le.Uint64(b[168:])}
	if id > maxSubvolume || s.rootDir > maxInode {
		return fmt.Errorf("subvolume %d with root directory %d: numbers this great cannot be read", id, s.rootDir)
	}
	d.subvolumes[id] = s
	return nil
}

// addBackref takes where a subvolume has its name, which comes after its root.
func (d *device) addBackref(i item) error {
	s := d.subvolumes[i.key.object]
	if s == nil {
		return nil
	}
	b := i.data
	if len(b) < backrefHeader || len(b) != backrefHeader+int(le.Uint16(b[16:])) {
		return fmt.Errorf("reference of %d bytes", len(b))
	}
	s.parent, s.dir, s.name = i.key.offset, le.Uint64(b), string(b[backrefHeader:])
	return nil
}
