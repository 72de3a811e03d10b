package disk

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// checkComplete finds out whether an image of a format that only QEMU reads
// was cut short, where QEMU would read what is missing as zeros. It refuses
// vhdx and vpc images by itself.
func checkComplete(ctx context.Context, path, format string) error {
	switch format {
	case formatVDI:
		return checkVDI(path)
	case formatVMDK:
		return checkVMDK(ctx, path)
	}
	return nil
}

// Offsets in a VDI image's header, from QEMU's block/vdi.c.
const (
	vdiDataOffset = 0x158
	vdiBlockSize  = 0x178
	vdiAllocated  = 0x184
	vdiHeaderSize = 0x188
)

// checkVDI compares the file's length with the blocks that its header counts,
// which are stored one after the other.
func checkVDI(path string) error {
	file, size, err := openFile(path)
	if err != nil {
		return err
	}
	defer file.Close()
	header := make([]byte, vdiHeaderSize)
	if _, err := file.ReadAt(header, 0); err != nil {
		return fmt.Errorf("read VDI header: %w", err)
	}
	field := func(at int) int64 { return int64(binary.LittleEndian.Uint32(header[at:])) }
	if want := field(vdiDataOffset) + field(vdiAllocated)*field(vdiBlockSize); size < want {
		return fmt.Errorf("the file was cut short: it has %d bytes of %d", size, want)
	}
	return nil
}

// checkVMDK has qemu-img look, for a VMDK image can have many forms.
func checkVMDK(ctx context.Context, path string) error {
	image, err := filepath.Abs(path) // a path with a colon could mean a protocol
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "qemu-img", "check", "-q", "-f", formatVMDK, image)
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	switch {
	case err == nil || errors.Is(err, exec.ErrNotFound):
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &failed) && failed.ExitCode() == qemuImgCannotCheck:
		return nil
	}
	return fmt.Errorf("the file is damaged, or was cut short: qemu-img check: %w: %s", err, strings.TrimSpace(string(out)))
}

// qemuImgCannotCheck is qemu-img's exit status where a format has no checks
// (qemu-img(1), check).
const qemuImgCannotCheck = 63
