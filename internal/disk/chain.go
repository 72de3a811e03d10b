package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/native"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/qcow2"
)

// maxChain is far more backing files than anybody stacks.
const maxChain = 32

// imageChain finds the files an image consists of, the image itself first. It
// returns nil for a format that only QEMU reads. What makes an image unfit is
// found here, for all readers alike; trusted says that the format was given
// and not found by content.
func imageChain(ctx context.Context, path, format string, trusted bool) ([]native.Layer, error) {
	trusted = trusted || strings.EqualFold(filepath.Ext(path), "."+format)
	if format == formatVMDK && !trusted {
		return nil, untrusted(format, "other files")
	}
	if format != formatRaw && format != formatQcow2 {
		return nil, nil
	}
	chain := []native.Layer{{Path: path, Format: format}}
	for {
		last := &chain[len(chain)-1]
		if last.Format == formatRaw {
			return chain, nil
		}
		next, err := backingFile(ctx, last)
		if err != nil {
			if len(chain) > 1 {
				err = fmt.Errorf("backing file %q: %w", last.Path, err)
			}
			return nil, err
		}
		if next == nil {
			return chain, nil
		}
		if !trusted {
			return nil, untrusted(format, fmt.Sprintf("the file %q", next.Path))
		}
		chain = append(chain, *next)
		if len(chain) > maxChain {
			return nil, fmt.Errorf("more than %d backing files, or a loop of them, at %q", maxChain, next.Path)
		}
	}
}

var errNoBytes = errors.New("the disk has no bytes")

func untrusted(format, files string) error {
	return fmt.Errorf("by its content it is a %s image that refers to %s, but its name does not end in .%s, "+
		"and a guest can write such content to a raw disk: set the format to %q or %q", format, files, format, format, formatRaw)
}

// backingFile returns the layer below a qcow2 image; nil if there is none.
func backingFile(ctx context.Context, layer *native.Layer) (*native.Layer, error) {
	file, size, err := openFile(layer.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	header, err := qcow2.ReadHeader(file, size)
	if err != nil {
		return nil, err
	}
	layer.ExtendedL2 = header.ExtendedL2
	switch {
	case header.Size == 0:
		return nil, errNoBytes
	case header.Encrypted:
		return nil, errors.New("the image is encrypted")
	case header.Corrupt:
		return nil, errors.New("the image is marked as corrupt: see qemu-img check")
	case header.DataFile != "":
		return nil, fmt.Errorf("the image's data is in another file, %q: convert it by qemu-img convert -O qcow2", header.DataFile)
	}
	if err := header.CheckComplete(ctx, file, size); err != nil {
		return nil, err
	}
	switch {
	case header.BackingFile == "":
		return nil, nil
	case header.BackingFormat != formatRaw && header.BackingFormat != formatQcow2:
		return nil, fmt.Errorf("the image gives its backing file %q the format %q, neither raw nor qcow2: see qemu-img rebase -u -F",
			header.BackingFile, header.BackingFormat)
	}
	next := &native.Layer{Path: header.BackingFile, Format: header.BackingFormat}
	// QEMU takes what is before a colon for a protocol.
	if prefix, _, found := strings.Cut(next.Path, ":"); found && !strings.Contains(prefix, "/") {
		return nil, fmt.Errorf("the backing file %q is not a plain file name", next.Path)
	}
	if !filepath.IsAbs(next.Path) {
		// Not cleaned: ".." after a symbolic link is the target's parent.
		next.Path = layer.Path[:strings.LastIndexByte(layer.Path, '/')+1] + next.Path
	}
	if below, _, err := openFile(next.Path); err == nil {
		_ = below.Close()
	} else if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("its backing file %q is missing", next.Path)
	} else {
		return nil, fmt.Errorf("backing file %q: %w", next.Path, err)
	}
	return next, nil
}
