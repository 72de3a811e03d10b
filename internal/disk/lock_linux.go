package disk

import (
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/nbd"
)

// Bytes that QEMU locks in an image (block/file-posix.c): one from 100 on for
// each permission that it uses, from 200 on for each that it denies to others.
const (
	qemuReads       = 100 // permission bit 0, consistent reads
	qemuWrites      = 101 // permission bit 1
	qemuDeniesWrite = 201
)

// hold refuses an image that a virtual machine is writing to, and keeps others
// from beginning to until the result is closed, as qemu-nbd does.
func hold(path string) (io.Closer, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, plain(err)
	}
	// A file system without locks has none to tell of, and keeps none.
	for _, at := range []int64{qemuReads, qemuDeniesWrite} {
		lock := unix.Flock_t{Type: unix.F_RDLCK, Start: at, Len: 1}
		_ = unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &lock)
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: qemuWrites, Len: 1}
	if err := unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &lock); err == nil && lock.Type != unix.F_UNLCK {
		_ = file.Close()
		return nil, nbd.ErrInUse
	}
	return file, nil
}
