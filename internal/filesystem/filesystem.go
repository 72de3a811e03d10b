// Package filesystem is what every file system reader offers: inodes with all
// that a root tarball can carry, directories, and the data of files with their
// holes. One sub-package reads one family of file systems.
//
// Readers take a disk.Volume that may hold anything: a damaged file system
// ends in an error that names the structure, in bounded time and memory.
package filesystem

import (
	"io"
	"time"
)

// FS is a file system opened for reading. Its methods are safe for concurrent
// use.
type FS interface {
	Info() Info
	// Inode returns the inode of the given number.
	Inode(number uint64) (*Inode, error)
	// ReadDir lists a directory, sorted by name, without "." and "..".
	ReadDir(dir *Inode) ([]DirEntry, error)
	// Open gives access to a regular file's data.
	Open(file *Inode) (File, error)
}

// Subvolumes is a file system of several trees that can be mounted each by
// itself, as those of btrfs can. As an FS it is the tree that mount(8) takes if
// none is named; a tree that lies below another one is a folder of that.
type Subvolumes interface {
	FS
	// Subvolumes lists the trees, sorted by ID.
	Subvolumes() ([]Subvolume, error)
	// Subvolume opens the tree of the given ID.
	Subvolume(id uint64) (FS, error)
}

// Subvolume is one of the trees.
type Subvolume struct {
	ID   uint64
	Path string // from the top of the file system, "@/var"; "" for the top itself
}

// Info is what a file system says about itself.
type Info struct {
	Type  string // as blkid(8) and fstab(5) name it: "ext4", "vfat"
	UUID  string // as blkid(8) prints it: lower case for ext4, "ABCD-1234" for FAT
	Label string
	Root  uint64 // inode number of the root directory
	Used  int64  // bytes in use, for an estimate of the work; 0 if unknown
	// Linux is the oldest that mounts it for writing, as {5, 19}; zero if all do
	// that matter.
	Linux [2]int
	// Warnings are things a person should know that do not hinder reading,
	// such as errors recorded by the kernel or a journal that was replayed.
	Warnings []string
}

// Mode is a file's type and permissions as stat(2) gives them in st_mode.
type Mode uint16

// The file types of st_mode.
const (
	ModeType    Mode = 0o170000
	ModeFIFO    Mode = 0o010000
	ModeChar    Mode = 0o020000
	ModeDir     Mode = 0o040000
	ModeBlock   Mode = 0o060000
	ModeRegular Mode = 0o100000
	ModeSymlink Mode = 0o120000
	ModeSocket  Mode = 0o140000
)

// Type returns the file type bits.
func (m Mode) Type() Mode { return m & ModeType }

// Perm returns the permission bits with setuid, setgid and sticky.
func (m Mode) Perm() Mode { return m &^ ModeType }

// IsDir says whether m is a directory's.
func (m Mode) IsDir() bool { return m.Type() == ModeDir }

// IsRegular says whether m is a regular file's.
func (m Mode) IsRegular() bool { return m.Type() == ModeRegular }

// Inode is a file without its names.
type Inode struct {
	Number       uint64
	Mode         Mode
	Links        uint32
	UID, GID     uint32
	Size         int64 // bytes; of a symlink, the length of Target
	Modified     time.Time
	Major, Minor uint32  // of a device
	Target       string  // of a symlink
	Xattrs       []Xattr // sorted by name
	// Sys is the reader's own form of the inode, for its ReadDir and Open.
	Sys any
}

// Xattr is an extended attribute as getxattr(2) gives it: the full name and,
// for POSIX ACLs, the value in the kernel's version 2 form.
type Xattr struct {
	Name  string
	Value []byte
}

// DirEntry is a name in a directory. Names are bytes, not always UTF-8.
type DirEntry struct {
	Name  string
	Inode uint64
}

// File is the data of a regular file. ReadAt reads holes as zeros and returns
// io.EOF at the inode's size.
type File interface {
	io.ReaderAt
	// Segments lists the runs of data in order; all between them, and from
	// the last one to the inode's size, is a hole.
	Segments() []Segment
	// Prefetch is disk.Volume's Prefetch for a part of this file.
	Prefetch(off, n int64)
}

// Segment is a run of a file's data, in bytes from the file's start.
type Segment struct {
	Offset, Length int64
}
