// Package tree is a system's files as one stream of entries in path order: the
// form in which a system leaves its disk and becomes an image.
package tree

import (
	"iter"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// Entry is a name in the tree with its inode.
type Entry struct {
	// Path is relative to the root and slash-separated, without "./" or a
	// slash at either end: "etc/fstab"; the root itself is ".".
	Path string
	filesystem.Inode
	// HardLink is the path of an earlier entry that is the same inode; such an
	// entry has no Data of its own.
	HardLink string
	// Data is a regular file's data; nil for all else.
	Data filesystem.File
}

// Entries is a tree: every directory before what is in it, the names of a
// directory sorted by their bytes. It ends at the first error.
type Entries = iter.Seq2[*Entry, error]
