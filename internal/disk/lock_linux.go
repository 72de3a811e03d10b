package disk

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/nbd"
)

// qemuWriteLock is the byte that QEMU locks in an image it has open for
// writing (block/file-posix.c: lock base 100, permission bit 1).
const qemuWriteLock = 101

// checkUnused refuses an image that a virtual machine is writing to, as
// qemu-nbd does.
func checkUnused(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: qemuWriteLock, Len: 1}
	if err := unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
		return nil // a file system without locks has none to tell of
	}
	if lock.Type != unix.F_UNLCK {
		return nbd.ErrInUse
	}
	return nil
}
