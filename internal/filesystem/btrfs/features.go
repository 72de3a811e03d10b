package btrfs

import (
	"fmt"
	"math/bits"
	"strings"
)

// Features that change how something is read, from "Superblock".
const (
	incompatMetadataUUID = 1 << 10

	// incompatReadable are also mixed back references (0x1), a default
	// subvolume (0x2), mixed block groups (0x4), lzo (0x8), zstd (0x10), nodes
	// larger than a page (0x20), extended references (0x40), skinny metadata
	// (0x100), no holes (0x200), raid1c3 and raid1c4 (0x800), and simple
	// quotas (0x10000). RAID 5 and 6 (0x80) are refused where a chunk has it.
	incompatReadable = 0x10fff

	flagSeeding  = 1 << 32
	flagMetadump = 3 << 33
	// flagChanging are conversions by btrfstune(8) that did not end: of the
	// UUID, the tree of block groups, or checksums.
	flagChanging = 1<<35 | 1<<36 | 1<<38 | 1<<39 | 1<<40
)

// incompatNames are the names of features that cannot be read.
var incompatNames = map[int]string{
	12: "zoned", 13: "extent-tree-v2", 14: "raid-stripe-tree", 15: "encrypt", 17: "remap-tree",
}

// checkFeatures refuses what cannot be read right. Features of compat_ro never
// hinder reading, by definition.
func (sb *superblock) checkFeatures() error {
	switch {
	case sb.flags&flagSeeding != 0:
		return fmt.Errorf("a seed device (btrfstune -S): what was written since is on another device")
	case sb.flags&flagMetadump != 0:
		return fmt.Errorf("a dump of metadata (btrfs-image): it holds no files")
	case sb.flags&flagChanging != 0:
		return fmt.Errorf("a conversion by btrfstune did not end: let it end first")
	}
	unknown := sb.incompat &^ incompatReadable
	if unknown == 0 {
		return nil
	}
	var list []string
	for ; unknown != 0; unknown &= unknown - 1 {
		bit := bits.TrailingZeros64(unknown)
		name, ok := incompatNames[bit]
		if !ok {
			name = fmt.Sprintf("incompat bit %d", bit)
		}
		list = append(list, name)
	}
	return fmt.Errorf("features that cannot be read: %s", strings.Join(list, ", "))
}
