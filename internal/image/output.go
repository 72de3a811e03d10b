package image

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ChecksumEnding makes the name of an image's checksum out of the image's.
const ChecksumEnding = ".sha256"

// Output is a file that appears under its name when it is complete, and its
// checksum beside it. Until then it is hidden: ".<name>.partial-<random>".
type Output struct {
	path  string
	force bool
	file  *os.File // nil after Commit or Abort
	hash  hash.Hash
	size  int64
	err   error // the first failed write
}

// Create begins the file of that name in the same directory. A file that
// exists is an error, or replaced at Commit if force is set.
func Create(path string, force bool) (*Output, error) {
	if err := replaceable(path, force); err != nil {
		return nil, err
	}
	// A checksum without its image is always replaced.
	if err := replaceable(path+ChecksumEnding, true); err != nil {
		return nil, err
	}
	f, err := createPartial(path)
	if err != nil {
		return nil, err
	}
	return &Output{path: path, force: force, file: f, hash: sha256.New()}, nil
}

// replaceable says whether a file may be put at path.
func replaceable(path string, force bool) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("create image: %w", err)
	case info.IsDir():
		return fmt.Errorf("create image: %s is a folder; name the image's file", path)
	case !info.Mode().IsRegular() && info.Mode().Type() != fs.ModeSymlink:
		return fmt.Errorf("create image: %s is a device, pipe or socket", path)
	case !force:
		return fmt.Errorf("create image: %s exists; remove it, or replace it by packer build -force", path)
	}
	return nil
}

// createPartial creates the hidden file that is to become path, with the mode
// of any new file.
func createPartial(path string) (*os.File, error) {
	dir, base := filepath.Split(path)
	if base == "" || base == "." || base == ".." {
		return nil, fmt.Errorf("create image: %q is no file name", path)
	}
	name := filepath.Join(dir, "."+base+".partial-"+rand.Text()[:8])
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", path, cause(err))
	}
	return f, nil
}

// cause drops the name of a partial file from an error: its user knows only
// the final one.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Write appends to the file. After a failure all writes fail.
func (o *Output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	if o.file == nil {
		return 0, os.ErrClosed
	}
	n, err := o.file.Write(p)
	o.hash.Write(p[:n])
	o.size += int64(n)
	if err != nil {
		o.err = fmt.Errorf("write %s: %w", o.path, cause(err))
	}
	return n, o.err
}

// Hole appends n zeros as a hole of the file.
func (o *Output) Hole(n int64) error {
	if o.err != nil {
		return o.err
	}
	if o.file == nil {
		return os.ErrClosed
	}
	end, err := o.file.Seek(n, io.SeekCurrent)
	if err == nil {
		err = o.file.Truncate(end) // it may be the end of the file
	}
	if err != nil {
		o.err = fmt.Errorf("write %s: %w", o.path, cause(err))
		return o.err
	}
	o.size += n
	for n > 0 {
		part := min(n, grain)
		o.hash.Write(zeroGrain[:part])
		n -= part
	}
	return nil
}

// Path is the final name.
func (o *Output) Path() string { return o.path }

// Size is the bytes written so far.
func (o *Output) Size() int64 { return o.size }

// SHA256 is the checksum of the bytes written so far, in lower case hex.
func (o *Output) SHA256() string { return hex.EncodeToString(o.hash.Sum(nil)) }

// Commit makes the file and its checksum durable and gives them their names.
// The checksum of an image that is replaced goes before the image does, so
// that it never stands beside another.
func (o *Output) Commit() (err error) {
	if o.err != nil {
		return o.err
	}
	if o.file == nil {
		return fmt.Errorf("commit %s: %w", o.path, os.ErrClosed)
	}
	sumPath := o.path + ChecksumEnding
	sum, err := createPartial(o.path) // no longer than the name that was possible before
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, discard(sum))
		}
	}()
	if _, err := sum.WriteString(checksumLine(o.SHA256(), filepath.Base(o.path))); err != nil {
		return fmt.Errorf("write %s: %w", sumPath, cause(err))
	}
	if err := finish(sum, sumPath); err != nil {
		return err
	}
	if err := finish(o.file, o.path); err != nil {
		return err
	}
	if err := replaceable(o.path, o.force); err != nil {
		return err
	}
	if err := os.Remove(sumPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replace checksum: %w", err)
	}
	if err := syncDir(filepath.Dir(o.path)); err != nil {
		return err
	}
	if err := os.Rename(o.file.Name(), o.path); err != nil {
		return fmt.Errorf("name image: %w", err)
	}
	o.file = nil
	if err := os.Rename(sum.Name(), sumPath); err != nil {
		return fmt.Errorf("name checksum: %w", err)
	}
	return syncDir(filepath.Dir(o.path))
}

// Abort removes the unfinished file. After Commit it does nothing.
func (o *Output) Abort() error {
	if o.file == nil {
		return nil
	}
	f := o.file
	o.file = nil
	if err := discard(f); err != nil {
		return fmt.Errorf("remove unfinished %s: %w", o.path, err)
	}
	return nil
}

// discard closes and removes a partial file.
func discard(f *os.File) error {
	_ = f.Close() // it may be closed, and is lost anyway
	if err := os.Remove(f.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// finish makes a file's content durable and closes it.
func finish(f *os.File, path string) error {
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", path, cause(err))
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("close %s: %w", path, cause(err))
	}
	return nil
}

// syncDir makes a directory's names durable, where its file system can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// checksumLine is the line that sha256sum(1) writes, with its escapes.
func checksumLine(sum, name string) string {
	line := sum + "  " + name + "\n"
	if strings.ContainsAny(name, "\\\n\r") {
		escaped := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(name)
		line = `\` + sum + "  " + escaped + "\n"
	}
	return line
}
