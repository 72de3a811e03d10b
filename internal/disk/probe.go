package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/qcow2"
)

// Formats by QEMU's names.
const (
	formatRaw   = "raw"
	formatQcow2 = "qcow2"
	formatVHDX  = "vhdx"
	formatVMDK  = "vmdk"
	formatVDI   = "vdi"
	formatVPC   = "vpc" // VHD
)

// imageFormat says what format the image in the file path is to be read as:
// the wanted one, or else what its content looks like.
func imageFormat(path, wanted string) (string, error) {
	if wanted != "" && !slices.Contains(Formats, wanted) {
		return "", fmt.Errorf("format %q is not known; known are %s", wanted, strings.Join(Formats, ", "))
	}
	file, size, err := openFile(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	if wanted != "" {
		return wanted, nil
	}
	return probe(file, size)
}

// openFile opens a file that can be a disk image, and finds its size.
func openFile(path string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, plain(err)
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return nil, 0, errors.New("it is a directory, not a disk image")
	case !mode.IsRegular() && mode&(fs.ModeDevice|fs.ModeCharDevice) != fs.ModeDevice:
		return nil, 0, errors.New("it is neither a file nor a block device")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, plain(err)
	}
	size, err := file.Seek(0, io.SeekEnd) // knows block devices as well
	if err == nil && size == 0 {
		err = errors.New("the file is empty")
	}
	if err != nil {
		_ = file.Close()
		return nil, 0, plain(err)
	}
	return file, size, nil
}

// plain is an error without the path that the caller names anyway.
func plain(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// probe finds a format by an image's content. What is nothing else is raw.
func probe(file io.ReaderAt, size int64) (string, error) {
	head := make([]byte, 512)
	n, err := file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", plain(err)
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte(qcow2.Magic)):
		return formatQcow2, nil
	case bytes.HasPrefix(head, []byte("vhdxfile")):
		return formatVHDX, nil
	case bytes.HasPrefix(head, []byte("KDMV")), bytes.HasPrefix(head, []byte("COWD")),
		bytes.HasPrefix(head, []byte("# Disk DescriptorFile")):
		return formatVMDK, nil
	case n >= 68 && binary.LittleEndian.Uint32(head[64:]) == 0xbeda107f:
		return formatVDI, nil
	case bytes.HasPrefix(head, []byte("conectix")), hasFixedVHDFooter(file, size):
		return formatVPC, nil
	}
	return formatRaw, nil
}

// hasFixedVHDFooter says whether a file ends in the footer that alone tells a
// VHD of fixed size from a raw disk (Virtual Hard Disk Image Format
// Specification, Hard Disk Footer Format).
func hasFixedVHDFooter(file io.ReaderAt, size int64) bool {
	const length, fixed = 512, 2
	footer := make([]byte, length)
	if size <= length {
		return false
	}
	if _, err := file.ReadAt(footer, size-length); err != nil || !bytes.HasPrefix(footer, []byte("conectix")) {
		return false
	}
	sum := binary.BigEndian.Uint32(footer[64:])
	clear(footer[64:68])
	for _, b := range footer {
		sum += uint32(b)
	}
	return ^sum == 0 && binary.BigEndian.Uint32(footer[60:]) == fixed
}
