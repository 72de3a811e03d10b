// Package ntfs tells what state an NTFS file system is in and which bytes of
// it nobody owns, and reads folders and the files that say what Windows is on
// it. It is no filesystem.FS: files with holes or compressed it does not read.
//
// The structures are found by go-ntfs, a reader made for forensics: it goes on
// where something is damaged, and hides what it could not read. So nothing that
// it says is taken for whole before it was checked.
package ntfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"www.velocidex.com/golang/go-ntfs/parser"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
)

var le = binary.LittleEndian

// Records of the master file table that have a fixed number.
const (
	recordMFT    = 0
	recordMirror = 1
	recordLog    = 2
	recordVolume = 3
	recordRoot   = 5
	recordBitmap = 6
)

// mirrored is how many records have a copy.
const mirrored = 4

// Types of attributes.
const (
	typeVolumeInformation = 0x70
	typeData              = 0x80
	typeBitmap            = 0xb0
)

// maxRecords bounds the records of the file table that are looked through.
const maxRecords = 1 << 26

// FS is an NTFS file system opened to be looked at.
type FS struct {
	volume   *watched
	ntfs     *parser.NTFSContext
	cluster  int64 // size in bytes
	clusters int64
}

// watched remembers the first failure to read, for go-ntfs forgets them.
type watched struct {
	disk.Volume
	mu  sync.Mutex
	err error
}

// ReadAt implements io.ReaderAt.
func (w *watched) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.Volume.ReadAt(p, off)
	if n < len(p) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.err == nil && (err == nil || errors.Is(err, io.EOF)) {
			w.err = fmt.Errorf("read %d bytes at %d: %w", len(p), off, io.ErrUnexpectedEOF)
		} else if w.err == nil {
			w.err = err
		}
	}
	return n, err
}

func (w *watched) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Open opens the NTFS file system on v.
func Open(v disk.Volume) (fs *FS, err error) {
	defer guard(&err)
	w := &watched{Volume: v}
	context, err := parser.GetNTFSContext(w, 0)
	if failed := w.failed(); failed != nil {
		err = failed
	}
	if err != nil {
		return nil, err
	}
	fs = &FS{volume: w, ntfs: context, cluster: context.ClusterSize}
	sectors, sector := context.Boot.VolumeSize(), int64(context.Boot.Sector_size())
	if sectors <= 0 || sectors > v.Size()/sector {
		return nil, fmt.Errorf("file system of %d sectors in a partition of %d: the disk is cut short or was shrunk", sectors, v.Size()/sector)
	}
	fs.clusters = sectors * sector / fs.cluster
	if record := context.GetRecordSize(); record < 256 || record > 64<<10 || record&(record-1) != 0 {
		return nil, fmt.Errorf("boot sector: records of %d bytes", record)
	}
	return fs, nil
}

// guard turns a panic of go-ntfs into an error: on damaged structures it is
// possible.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("a structure is damaged: %v", r)
	}
	if *err != nil {
		*err = fmt.Errorf("ntfs: %w", *err)
	}
}

// record reads a record of the file table.
func (fs *FS) record(number int64) (*parser.MFT_ENTRY, error) {
	record, err := fs.ntfs.GetMFT(number)
	if err != nil {
		return nil, err
	}
	magic := make([]byte, 4)
	if _, err := record.Reader.ReadAt(magic, record.Offset); err != nil || string(magic) != "FILE" {
		return nil, fmt.Errorf("it begins with %q", magic)
	}
	return record, nil
}

// attributes returns the unnamed attributes of one type that a record has, those
// in its extension records included.
func (fs *FS) attributes(number int64, kind uint64) ([]*parser.NTFS_ATTRIBUTE, error) {
	record, err := fs.record(number)
	if err == nil && !record.Flags().IsSet("ALLOCATED") {
		err = errors.New("not in use")
	}
	if err != nil {
		return nil, fmt.Errorf("file record %d: %w", number, err)
	}
	var found []*parser.NTFS_ATTRIBUTE
	for _, a := range record.EnumerateAttributes(fs.ntfs) {
		if a.Type().Value == kind && a.Name() == "" {
			found = append(found, a)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("file record %d: no attribute of type %#x", number, kind)
	}
	return found, nil
}

// content is an attribute's content as it is on the volume.
type content struct {
	fs       *FS
	resident []byte
	runs     []*parser.Run
	size     int64
}

// content finds all of an attribute's runs. Nothing may be missing, sparse or
// not initialised: the attributes that are read here never are.
func (fs *FS) content(number int64, kind uint64) (*content, error) {
	parts, err := fs.attributes(number, kind)
	if err != nil {
		return nil, err
	}
	c := &content{fs: fs}
	if a := parts[0]; a.IsResident() {
		c.resident = make([]byte, min(a.Content_size(), 64<<10))
		n, _ := a.Reader.ReadAt(c.resident, a.Offset+int64(a.Content_offset()))
		c.resident, c.size = c.resident[:n], int64(n)
		return c, nil
	}
	next := int64(0)
	for found := true; found; {
		found = false
		for _, a := range parts {
			// A list of attributes makes go-ntfs return some twice.
			if int64(a.Runlist_vcn_start()) != next || a.IsResident() {
				continue
			}
			if next == 0 {
				c.size = int64(a.Initialized_size())
			}
			runs, err := fs.runs(a)
			if err != nil {
				return nil, fmt.Errorf("file record %d: %w", number, err)
			}
			for _, run := range runs {
				if isHole(run) {
					return nil, fmt.Errorf("file record %d: it has holes", number)
				}
				next += run.Length
				found = true
			}
			c.runs = append(c.runs, runs...)
			break
		}
	}
	if c.size < 0 || next > fs.clusters || c.size > next*fs.cluster {
		return nil, fmt.Errorf("file record %d: %d clusters for %d bytes", number, next, c.size)
	}
	return c, nil
}

// runs are what an attribute lists itself of its content, holes included.
func (fs *FS) runs(a *parser.NTFS_ATTRIBUTE) ([]*parser.Run, error) {
	runs := a.RunList()
	count := int64(0)
	for _, run := range runs {
		if run.Length <= 0 || !isHole(run) && (run.Offset <= 0 || run.Length > fs.clusters || run.Offset > fs.clusters-run.Length) {
			return nil, fmt.Errorf("clusters %d+%d are not on the volume", run.Offset, run.Length)
		}
		if count += run.Length; count < 0 {
			return nil, errors.New("its clusters are without number")
		}
	}
	if want := int64(a.Runlist_vcn_end()) + 1 - int64(a.Runlist_vcn_start()); count != want {
		return nil, fmt.Errorf("%d clusters of %d", count, want)
	}
	return runs, nil
}

// isHole says whether a run is a hole or, as go-ntfs cannot tell them apart, the
// boot sector.
func isHole(run *parser.Run) bool { return run.RelativeUrnOffset == 0 }

// ReadAt implements io.ReaderAt.
func (c *content) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off > c.size || int64(len(p)) > c.size-off {
		return 0, io.ErrUnexpectedEOF
	}
	if c.resident != nil {
		return copy(p, c.resident[off:]), nil
	}
	done, start := 0, int64(0)
	for _, run := range c.runs {
		length := run.Length * c.fs.cluster
		if at := off + int64(done) - start; at < length && done < len(p) {
			part := p[done:min(int64(len(p)), int64(done)+length-at)]
			n, err := c.fs.volume.ReadAt(part, run.Offset*c.fs.cluster+at)
			if done += n; n < len(part) {
				return done, fmt.Errorf("read at cluster %d: %w", run.Offset, err)
			}
		}
		start += length
	}
	return done, nil
}
