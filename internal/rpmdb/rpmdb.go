// Package rpmdb lists the packages in the database of rpm, in any of the forms
// that it had: Berkeley DB (up to Red Hat 8), ndb (SUSE) and SQLite (since Red
// Hat 9). It reads them where they are, with no copy and no lock, and takes a
// damaged one for what it is: an error, in bounded time and memory.
package rpmdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

const (
	// maxHeader is the largest header of a package, in bytes; rpm's own bound.
	maxHeader = 256 << 20
	// maxPackages is more than any system has.
	maxPackages = 1 << 17
	// maxReads is how often more than the database has may be read of it: each
	// byte is part of one header, unless it is damaged.
	maxReads = 4
)

// File is a file of a database.
type File struct {
	io.ReaderAt
	Size int64
}

// Package is a package that the database lists.
type Package struct {
	Name, Version, Release, Architecture string
	Epoch                                int
	Source                               string // the source package's file
	License, Summary, Vendor             string
}

// Read lists the packages of a database. log is the write-ahead log beside a
// SQLite database, which a system that was not shut down leaves; its zero value
// is none.
func Read(ctx context.Context, file, log File) ([]Package, error) {
	magic := make([]byte, 16)
	if err := file.read(magic, 0); err != nil {
		return nil, err
	}
	var each func(File, func([]byte) error) error
	switch {
	case bytes.Equal(magic, []byte(sqliteMagic)):
		each = func(f File, visit func([]byte) error) error { return eachSQLite(f, log, visit) }
	case bytes.HasPrefix(magic, []byte(ndbMagic)):
		each = eachNDB
	case isBerkeley(magic):
		each = eachBerkeley
	default:
		return nil, errors.New("neither a SQLite, nor an ndb, nor a Berkeley database")
	}
	var list []Package
	left := maxReads * (file.Size + log.Size)
	err := each(file, func(header []byte) error {
		if left -= int64(len(header)); left < 0 || len(list) == maxPackages {
			return errors.New("the database has more than it can have")
		}
		p, err := parse(header)
		if err != nil {
			return fmt.Errorf("package %d: %w", len(list)+1, err)
		}
		list = append(list, p)
		return ctx.Err()
	})
	return list, err
}

// read fills b from an offset.
func (f File) read(b []byte, off int64) error {
	if off < 0 || off+int64(len(b)) > f.Size {
		return fmt.Errorf("the database ends at byte %d; what is at %d is missing", f.Size, off)
	}
	if _, err := f.ReadAt(b, off); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
