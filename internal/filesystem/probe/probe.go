// Package probe tells what a volume holds and opens the file systems that this
// project reads.
package probe

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/md"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/btrfs"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/ext4"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fat"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/xfs"
)

// Empty is the type of a volume in which nothing was recognised.
const Empty = ""

// signature is a magic number that stands at one fixed place of a volume.
type signature struct {
	name   string // as blkid(8) names it
	offset int64
	magic  string
}

// signatures come in the order in which they decide: containers before file
// systems, for a container's first blocks may still show an older file system.
// The values are those of the formats' own documentation, as collected in
// util-linux's libblkid.
var signatures = []signature{
	{"crypto_LUKS", 0, "LUKS\xba\xbe"},
	{"BitLocker", 3, "-FVE-FS-"},
	{"LVM2_member", 512, "LABELONE"},
	{"LVM2_member", 0, "LABELONE"},
	{"LVM2_member", 1024, "LABELONE"},
	{"LVM2_member", 1536, "LABELONE"},
	{"stratis", 512 + 4, "!Stra0tis\x86\xff\x02^\x41rh"},
	{"vdo", 0, "dmvdo001"},
	{"DM_verity_hash", 0, "verity\x00\x00"},
	{"DM_integrity", 0, "integrt\x00"},
	{"bcachefs", 4096 + 24, "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef"},
	{"bcachefs", 4096 + 24, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"},
	{"btrfs", 65536 + 64, "_BHRfS_M"},
	{"xfs", 0, "XFSB"},
	{"ext4", 1024 + 56, "\x53\xef"},
	{"swap", 4096 - 10, "SWAPSPACE2"},
	{"swap", 65536 - 10, "SWAPSPACE2"},
	{"ntfs", 3, "NTFS    "},
	{"exfat", 3, "EXFAT   "},
	{"f2fs", 1024, "\x10\x20\xf5\xf2"},
	{"erofs", 1024, "\xe2\xe1\xf5\xe0"},
	{"squashfs", 0, "hsqs"},
	{"iso9660", 32769, "CD001"},
	{"reiserfs", 65536 + 52, "ReIsEr"},
	{"jfs", 32768, "JFS1"},
	{"ReFS", 0, "\x00\x00\x00ReFS\x00"},
	{"apfs", 32, "NXSB"},
	{"hfsplus", 1024, "H+\x00\x04"},
	{"hfsplus", 1024, "HX\x00\x05"},
	{"nilfs2", 1024 + 6, "\x34\x34"},
	{"ufs", 65536 + 1372, "\x19\x01\x54\x19"},
	{"VMFS", 1 << 20, "\x0d\xd0\x01\xc0"},
}

// Type names what v holds as blkid(8) does; Empty for nothing that is known.
func Type(v disk.Volume) (string, error) {
	// Some superblocks of RAID are at the end, and what is at the start is then
	// that of the array.
	if md.Is(v) {
		return "linux_raid_member", nil
	}
	for _, s := range signatures {
		at := make([]byte, len(s.magic))
		if s.offset+int64(len(at)) > v.Size() {
			continue
		}
		if _, err := v.ReadAt(at, s.offset); err != nil && !errors.Is(err, io.EOF) {
			return Empty, fmt.Errorf("read at byte %d: %w", s.offset, err)
		}
		if bytes.Equal(at, []byte(s.magic)) {
			return s.name, nil
		}
	}
	if is, err := isZFS(v); err != nil || is {
		return "zfs_member", err
	}
	// FAT has no magic number of its own, so it comes last.
	if fat.Probe(v) {
		return "vfat", nil
	}
	return Empty, nil
}

// isZFS looks for the uberblocks of the first label, a ring of which a young pool
// has written only a part.
func isZFS(v disk.Volume) (bool, error) {
	const ring, size, slot, magic = 128 << 10, 128 << 10, 1 << 10, "\x0c\xb1\xba\x00\x00\x00\x00\x00"
	if v.Size() < ring+size {
		return false, nil
	}
	b := make([]byte, size)
	if _, err := v.ReadAt(b, ring); err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read at byte %d: %w", ring, err)
	}
	for ; len(b) > 0; b = b[slot:] {
		if bytes.HasPrefix(b, []byte(magic)) {
			return true, nil
		}
	}
	return false, nil
}

// Readable says whether Open reads file systems of this type.
func Readable(fsType string) bool {
	switch fsType {
	case "btrfs", "ext2", "ext3", "ext4", "vfat", "xfs":
		return true
	}
	return false
}

// Open opens the file system of the given type, one for which Readable holds.
func Open(v disk.Volume, fsType string) (filesystem.FS, error) {
	switch fsType {
	case "btrfs":
		return btrfs.Open(v)
	case "vfat":
		return fat.Open(v)
	case "xfs":
		return xfs.Open(v)
	}
	return ext4.Open(v)
}
