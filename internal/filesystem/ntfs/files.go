package ntfs

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Root is the number of the root folder.
const Root = recordRoot

// maxNames bounds the names of a folder.
const maxNames = 1 << 18

// flagFolder is set in the flags of a folder's name.
const flagFolder = 0x10000000

// Name is a name in a folder.
type Name struct {
	Name   string
	Number int64
	Folder bool
	Size   int64
}

// Names lists a folder, without the short names that DOS would see. What is on a
// damaged part of the folder's index is not in it.
func (fs *FS) Names(folder int64) (names []Name, err error) {
	defer guard(&err)
	record, err := fs.record(folder)
	if err != nil {
		return nil, fmt.Errorf("folder %d: %w", folder, err)
	}
	for _, a := range record.EnumerateAttributes(fs.ntfs) {
		if size := a.DataSize(); size < 0 || size > maxIndex {
			return nil, fmt.Errorf("folder %d: an attribute of %d bytes", folder, size)
		}
	}
	for _, e := range record.Dir(fs.ntfs) {
		file := e.File()
		one := Name{file.Name(), int64(e.MftReference()), file.Flags().Value&flagFolder != 0, int64(file.FilenameSize())}
		if file.NameType().Name == "DOS" || one.Name == "" || one.Name == "." || strings.ContainsAny(one.Name, "/\x00") {
			continue
		}
		if names = append(names, one); len(names) > maxNames {
			return nil, fmt.Errorf("folder %d: more than %d names", folder, maxNames)
		}
	}
	slices.SortFunc(names, func(a, b Name) int { return strings.Compare(a.Name, b.Name) })
	return names, fs.volume.failed()
}

// ReadFile reads a small file, one with holes or compressed excepted.
func (fs *FS) ReadFile(number, limit int64) (data []byte, err error) {
	defer guard(&err)
	c, err := fs.content(number, typeData)
	if err != nil {
		return nil, err
	}
	if c.size > limit {
		return nil, fmt.Errorf("file record %d: %d bytes; at most %d are read", number, c.size, limit)
	}
	data = make([]byte, c.size)
	if _, err := c.ReadAt(data, 0); err != nil {
		return nil, fmt.Errorf("file record %d: %w", number, err)
	}
	return data, fs.volume.failed()
}

// Open opens a file to be read in parts, one with holes or compressed excepted,
// and returns its size.
func (fs *FS) Open(number int64) (r io.ReaderAt, size int64, err error) {
	defer guard(&err)
	c, err := fs.content(number, typeData)
	if err != nil {
		return nil, 0, err
	}
	return c, c.size, fs.volume.failed()
}
