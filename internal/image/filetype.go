package image

import (
	"fmt"
	"maps"
	"slices"
)

// filetype is the form of an image.
type filetype struct {
	ending string // of its file's name
	disk   bool   // a whole disk, else the tree of files as a tar
	tar    bool   // of a disk: as the one member of a tar
	codec  *codec // nil for none
}

// filetypes are those that MAAS takes, by its names. curtin has a fixed
// decompressor for each of them, and for disks of tars `tar -xO`, which would
// write out all members that it finds.
var filetypes = map[string]filetype{
	"tgz":   {ending: ".tar.gz", codec: &gzipCodec},
	"tbz":   {ending: ".tar.bz2", codec: &bzip2Codec},
	"txz":   {ending: ".tar.xz", codec: &xzCodec},
	"ddgz":  {ending: ".dd.gz", disk: true, codec: &gzipCodec},
	"ddbz2": {ending: ".dd.bz2", disk: true, codec: &bzip2Codec},
	"ddxz":  {ending: ".dd.xz", disk: true, codec: &xzCodec},
	"ddraw": {ending: ".dd.raw", disk: true},
	"ddtar": {ending: ".dd.tar", disk: true, tar: true},
	"ddtgz": {ending: ".dd.tar.gz", disk: true, tar: true, codec: &gzipCodec},
	"ddtbz": {ending: ".dd.tar.bz2", disk: true, tar: true, codec: &bzip2Codec},
	"ddtxz": {ending: ".dd.tar.xz", disk: true, tar: true, codec: &xzCodec},
}

// DefaultFiletype is what an image is if nothing else is said.
const DefaultFiletype = "tgz"

// Filetypes are the names of all that can be written.
func Filetypes() []string { return slices.Sorted(maps.Keys(filetypes)) }

// IsDisk says whether a filetype holds a whole disk.
func IsDisk(name string) bool { return filetypes[name].disk }

// Ending is what the file names of a filetype end in.
func Ending(name string) string { return filetypes[name].ending }

// filetype is the one that the options name, if it holds what it has to.
func (o Options) filetype(disk bool) (filetype, error) {
	name := o.Filetype
	if name == "" {
		name = DefaultFiletype
	}
	ft, ok := filetypes[name]
	switch {
	case !ok:
		return ft, fmt.Errorf("filetype %q is none of %v", name, Filetypes())
	case ft.disk != disk && disk:
		return ft, fmt.Errorf("filetype %s holds a tree of files, not a disk", name)
	case ft.disk != disk:
		return ft, fmt.Errorf("filetype %s holds a disk, not a tree of files", name)
	}
	if o.Plain {
		ft.codec = nil
	}
	return ft, nil
}
