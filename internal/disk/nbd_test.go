//go:build cgo && linux

package disk_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/disktest"
)

func TestNBDHoles(t *testing.T) {
	disktest.Require(t, "qemu-nbd")
	holesFound(t, disk.Options{})
}

func TestNBD(t *testing.T) {
	disktest.Require(t, "qemu-nbd")
	disktest.TestDisk(t, opener(disk.Options{}), disk.Formats...)
}

// qemu-nbd closes a connection where it cannot read, and only its own words
// tell why.
func TestDamagedData(t *testing.T) {
	disktest.Require(t, "qemu-img", "qemu-io", "qemu-nbd")
	path := filepath.Join(t.TempDir(), "disk.qcow2")
	disktest.Run(t, "", "qemu-img", "create", "-q", "-f", "qcow2", path, "1M")
	disktest.Run(t, "", "qemu-io", "-f", "qcow2", "-c", "write -c -P 7 0 64k", path)
	damage(t, path)
	d := openDisk(t, path, disk.Options{Format: "qcow2"})
	_, err := d.ReadAt(make([]byte, 4096), 0)
	if err == nil || !strings.Contains(err.Error(), "qemu-nbd closed the connection") || !strings.Contains(err.Error(), "Input/output error") {
		t.Errorf("reading damaged data: %v", err)
	}
}

// damage overwrites the last bytes of a file.
func damage(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt(bytes.Repeat([]byte{0xff}, 32), info.Size()-32); err != nil {
		t.Fatal(err)
	}
}
