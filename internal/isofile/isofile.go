// Package isofile takes single files, such as an installer's kernel, out of an
// ISO, and knows its label.
package isofile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"
)

const block = 2048

// Extract copies a file out of an ISO. A name is found in any case, as plain
// ISO 9660 has capitals only. The error is fs.ErrNotExist if the ISO has no
// such file.
func Extract(iso, name, target string) (err error) {
	volume, source, err := open(iso)
	if err != nil {
		return err
	}
	defer source.Close()
	found, err := find(volume, name)
	if err != nil {
		return fmt.Errorf("%s: %w", iso, err)
	}
	content, err := volume.Open(found)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", iso, found, err)
	}
	defer content.Close()
	out, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, content)
	if err := errors.Join(err, out.Close()); err != nil {
		_ = os.Remove(target)
		return fmt.Errorf("%s: %s: %w", iso, found, err)
	}
	return nil
}

// Label is an ISO's label, such as "RHEL-9-6-0-BaseOS-x86_64".
func Label(iso string) (string, error) {
	volume, source, err := open(iso)
	if err != nil {
		return "", err
	}
	defer source.Close()
	return strings.Trim(volume.Label(), " \x00"), nil
}

func open(iso string) (*iso9660.FileSystem, io.Closer, error) {
	source, err := os.Open(iso)
	if err != nil {
		return nil, nil, err
	}
	volume, err := iso9660.Read(file.New(source, true), 0, 0, block)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s is not an ISO: %w", iso, err), source.Close())
	}
	return volume, source, nil
}

// find is the path of a file, as the ISO spells it, without a leading slash.
func find(volume *iso9660.FileSystem, name string) (string, error) {
	at := "."
	for part := range strings.SplitSeq(strings.Trim(path.Clean("/"+name), "/"), "/") {
		entries, err := volume.ReadDir(at)
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		found := ""
		for _, entry := range entries {
			spelt, _, _ := strings.Cut(entry.Name(), ";")
			if spelt == part || found == "" && strings.EqualFold(strings.TrimSuffix(spelt, "."), part) {
				found = entry.Name()
			}
		}
		if found == "" {
			return "", fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
		at = path.Join(at, found)
	}
	return at, nil
}
