package btrfs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// entryEncrypted marks a name that fscrypt made.
const entryEncrypted = 0x80

// dirEntry is a name in a directory, or an attribute's ("DIR_ITEM").
type dirEntry struct {
	location   key
	kind       byte
	name, data []byte
}

// eachEntry calls f for all that stand in one item, which is several where
// their names have the same hash.
func eachEntry(b []byte, f func(dirEntry) error) error {
	for len(b) > 0 {
		if len(b) < dirEntryHeader {
			return fmt.Errorf("an entry is cut short")
		}
		data, name := int(le.Uint16(b[25:])), int(le.Uint16(b[27:]))
		if dirEntryHeader+name+data > len(b) {
			return fmt.Errorf("an entry of %d and %d bytes is cut short", name, data)
		}
		e := dirEntry{location: parseKey(b), kind: b[29], name: b[dirEntryHeader:][:name], data: b[dirEntryHeader+name:][:data]}
		if err := f(e); err != nil {
			return err
		}
		b = b[dirEntryHeader+name+data:]
	}
	return nil
}

// ReadDir lists a directory, sorted by name.
func (fs *FS) ReadDir(dir *filesystem.Inode) ([]filesystem.DirEntry, error) {
	if _, ok := dir.Sys.(emptyDir); ok {
		return nil, nil
	}
	n, err := fs.node(dir)
	if err != nil {
		return nil, err
	}
	if !n.mode().IsDir() {
		return nil, n.errorf("not a directory")
	}
	var entries []filesystem.DirEntry
	for i, err := range fs.items(&n.subvolume.tree, key{n.object, typeDirIndex, 0}, key{n.object, typeDirIndex, maxOffset}) {
		if err == nil {
			err = eachEntry(i.data, func(e dirEntry) error {
				number, err := fs.number(n, dir, e)
				entries = append(entries, filesystem.DirEntry{Name: string(e.name), Inode: number})
				return err
			})
		}
		if err != nil {
			return nil, n.errorf("directory: %w", err)
		}
	}
	slices.SortFunc(entries, func(a, b filesystem.DirEntry) int { return cmp.Compare(a.Name, b.Name) })
	for i := 1; i < len(entries); i++ {
		if entries[i].Name == entries[i-1].Name {
			return nil, n.errorf("directory: two entries named %q", entries[i].Name)
		}
	}
	return entries, nil
}

// number is the number of the inode that an entry names: in the same subvolume,
// or the root of another.
func (fs *FS) number(n *node, dir *filesystem.Inode, e dirEntry) (uint64, error) {
	name, id := string(e.name), e.location.object
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return 0, fmt.Errorf("name %q", name)
	}
	if e.kind&entryEncrypted != 0 {
		return 0, fmt.Errorf("encrypted (fscrypt): it cannot be read without the guest's key")
	}
	if id > maxInode {
		return 0, fmt.Errorf("%q: inode %d: numbers this great cannot be read", name, id)
	}
	switch e.location.kind {
	case typeInode:
		return n.subvolume.number(id), nil
	case typeRoot:
		if s := fs.subvolumes[id]; s != nil && s.parent == n.subvolume.id && s.dir == n.object && s.name == name {
			return s.rootInode(), nil
		}
		return fs.addStub(n, dir, id), nil
	}
	return 0, fmt.Errorf("%q: names an item of type %d", name, e.location.kind)
}

// emptyDir is what the reader needs to know of a directory that addStub made.
type emptyDir struct{}

// addStub remembers what Linux shows where a subvolume is named that has its
// place elsewhere, as in a snapshot of its parent: an empty directory.
func (fs *FS) addStub(n *node, dir *filesystem.Inode, id uint64) uint64 {
	number := stubSubvolume | n.subvolume.number(id)
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.stubs[number] = &filesystem.Inode{
		Number: number, Mode: filesystem.ModeDir | 0o755, Links: 1, UID: dir.UID, GID: dir.GID,
		Modified: dir.Modified, // Linux says now
		Sys:      emptyDir{},
	}
	return number
}

func (fs *FS) stub(number uint64) (*filesystem.Inode, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	stub := fs.stubs[number]
	if stub == nil {
		return nil, fmt.Errorf("btrfs: inode %d: no such subvolume", number)
	}
	inode := *stub
	return &inode, nil
}
