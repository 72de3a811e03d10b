package facts

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/image"
	"github.com/packer-maas/packer-plugin-maas/internal/tree"
)

const (
	// maxDatabase is the largest package database in a tar that is read, in
	// bytes: it is held in memory.
	maxDatabase = 512 << 20
	// maxPath and maxPart are how long names may be in Linux, in bytes.
	maxPath, maxPart = 4096, 255
	// maxRefused is how many of the names that tar refuses are kept.
	maxRefused = 100
	// holeGrain is the run of zeros that becomes a hole of an unpacked disk.
	holeGrain = 64 << 10
)

// ReadImage looks at an image that is ready, made by whatever. All of it is
// read once. A disk is unpacked for that into a file beside it, or in the
// folder for temporary files, with holes where it has zeros.
func ReadImage(ctx context.Context, name, filetype string) (*Facts, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if filetype == "ddraw" {
		return readRaw(ctx, name)
	}
	content, err := image.Reader(ctx, filetype, bufio.NewReaderSize(file, 1<<20))
	switch {
	case err != nil && image.IsDisk(filetype):
		return &Facts{Disk: &Disk{}, Damage: damageOf(err)}, ctx.Err()
	case err != nil:
		return &Facts{Tree: newTree(), Damage: damageOf(err)}, ctx.Err()
	case image.IsDisk(filetype):
		return readPackedDisk(ctx, name, content, image.IsTar(filetype))
	}
	f := &Facts{}
	var c Collector
	for _, err := range c.Watch(ctx, tarEntries(&c, content, &f.Damage)) {
		if err != nil {
			f.Damage = damageOf(err)
			break
		}
	}
	f.Tree = c.Tree(ctx)
	return f, ctx.Err()
}

// damageOf is why an image cannot be read to its end.
func damageOf(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the image ends too early, as after a download that broke off"
	}
	return "the image cannot be read to its end: " + err.Error()
}

// readRaw looks at a disk image that is not packed.
func readRaw(ctx context.Context, name string) (_ *Facts, err error) {
	d, err := disk.Open(ctx, name, disk.Options{Format: "raw"})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return ReadDisk(ctx, d)
}

// readPackedDisk unpacks a disk image and looks at it.
func readPackedDisk(ctx context.Context, name string, content io.Reader, inTar bool) (_ *Facts, err error) {
	temp, err := os.CreateTemp(filepath.Dir(name), ".look-*")
	if err != nil {
		temp, err = os.CreateTemp("", "maas-image-*")
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(temp.Name())) }()
	members, broken := unpackDisk(temp, content, inTar)
	if err := temp.Close(); err != nil {
		return nil, err
	}
	var full *os.PathError // of writing
	if errors.As(broken, &full) || ctx.Err() != nil {
		return nil, errors.Join(ctx.Err(), broken)
	}
	f, err := readRaw(ctx, temp.Name())
	if broken != nil && ctx.Err() == nil {
		if f == nil {
			f, err = &Facts{Disk: &Disk{}}, nil
		}
		f.Damage = damageOf(broken)
	}
	if f != nil {
		f.Members = members
	}
	return f, err
}

// unpackDisk writes the disk, the first member of a tar if it is in one, and
// reads the rest. It says how many members there are.
func unpackDisk(to *os.File, content io.Reader, inTar bool) (members int, err error) {
	if !inTar {
		return 0, copySparse(to, content)
	}
	archive := tar.NewReader(content)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			_, err := io.Copy(io.Discard, content)
			return members, err
		}
		if err != nil {
			return members, err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if members++; members == 1 {
			if err := copySparse(to, archive); err != nil {
				return members, err
			}
		}
	}
}

// copySparse copies with holes for zeros.
func copySparse(to *os.File, from io.Reader) error {
	buffer, zeros := make([]byte, holeGrain), make([]byte, holeGrain)
	for size := int64(0); ; {
		n, err := io.ReadFull(from, buffer)
		if n > 0 && !bytes.Equal(buffer[:n], zeros[:n]) {
			if _, err := to.WriteAt(buffer[:n], size); err != nil {
				return err
			}
		}
		size += int64(n)
		if err == nil {
			continue
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) && n > 0 && n < len(buffer) {
			// A stream that is cut off ends in ErrUnexpectedEOF as well; the
			// next read tells.
			if _, again := from.Read(buffer[:1]); again != nil && !errors.Is(again, io.EOF) {
				return again
			}
			return to.Truncate(size)
		}
		return err
	}
}

// tarEntries reads a tar as the entries that it was made of. What cannot be
// read ends it, and is said in damage; what leaves the root goes to the
// collector alone.
func tarEntries(c *Collector, content io.Reader, damage *string) tree.Entries {
	return func(yield func(*tree.Entry, error) bool) {
		archive := tar.NewReader(content)
		for {
			header, err := archive.Next()
			if errors.Is(err, io.EOF) {
				_, err = io.Copy(io.Discard, content) // to the compressed stream's checksum
				if err == nil {
					return
				}
			}
			if err != nil {
				*damage = damageOf(err)
				return
			}
			at := path.Clean(strings.TrimLeft(header.Name, "/"))
			if refused(header.Name) {
				if len(c.tree.Refused) < maxRefused {
					c.tree.Refused = append(c.tree.Refused, header.Name)
				}
				continue
			}
			if !yield(tarEntry(at, header, archive), nil) {
				return
			}
		}
	}
}

// refused says whether tar does not extract a name.
func refused(name string) bool {
	if len(name) >= maxPath {
		return true
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." || len(part) > maxPart {
			return true
		}
	}
	return false
}

func tarEntry(at string, h *tar.Header, archive *tar.Reader) *tree.Entry {
	e := &tree.Entry{Path: at, Inode: filesystem.Inode{
		Mode: filesystem.Mode(h.Mode & 0o7777), Size: h.Size, UID: uint32(h.Uid), GID: uint32(h.Gid), Modified: h.ModTime,
	}}
	for key := range h.PAXRecords {
		if name, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok {
			e.Xattrs = append(e.Xattrs, filesystem.Xattr{Name: name})
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		e.Mode |= filesystem.ModeDir
	case tar.TypeSymlink:
		e.Mode |= filesystem.ModeSymlink
		e.Target = h.Linkname
	case tar.TypeLink:
		e.Mode |= filesystem.ModeRegular
		e.HardLink = path.Clean(strings.TrimLeft(h.Linkname, "/"))
	case tar.TypeChar:
		e.Mode |= filesystem.ModeChar
	case tar.TypeBlock:
		e.Mode |= filesystem.ModeBlock
	case tar.TypeFifo:
		e.Mode |= filesystem.ModeFIFO
	default:
		e.Mode |= filesystem.ModeRegular
		e.Data = &tarFile{archive: archive}
		if interestIn(at) == installed {
			e.Data = &tarFile{archive: archive, whole: true, size: h.Size}
		}
	}
	return e
}

// tarFile is the data of a tar's current member: it can be read forwards, once;
// or, if it is held as a whole, as one likes.
type tarFile struct {
	archive *tar.Reader
	at      int64
	whole   bool
	size    int64
	held    *bytes.Reader
}

// ReadAt reads on.
func (f *tarFile) ReadAt(p []byte, off int64) (int, error) {
	if f.held != nil {
		return f.held.ReadAt(p, off)
	}
	if off != f.at {
		return 0, fmt.Errorf("a tar is read from its beginning to its end, not at %d after %d", off, f.at)
	}
	n, err := io.ReadFull(f.archive, p)
	f.at += int64(n)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// hold reads all of the member, to be read again later.
func (f *tarFile) hold() error {
	if !f.whole || f.held != nil {
		return nil
	}
	if f.size > maxDatabase {
		return fmt.Errorf("it has %d bytes; at most %d are read of a tar", f.size, maxDatabase)
	}
	b := make([]byte, f.size)
	if _, err := io.ReadFull(f.archive, b); err != nil {
		return err
	}
	f.held = bytes.NewReader(b)
	return nil
}

// Segments is not asked for.
func (*tarFile) Segments() []filesystem.Segment { return nil }

// Prefetch does nothing.
func (*tarFile) Prefetch(int64, int64) {}
