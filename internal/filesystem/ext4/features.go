package ext4

import (
	"fmt"
	"math/bits"
	"strings"
)

// Features that change how something is read, from "Super Block" in the ext4
// documentation.
const (
	compatJournal      = 0x4
	compatDirIndex     = 0x20
	compatSparseSuper2 = 0x200

	incompatFileType  = 0x2
	incompatRecover   = 0x4
	incompatJournal   = 0x8
	incompatMetaBG    = 0x10
	incompat64Bit     = 0x80
	incompatEAInode   = 0x400
	incompatCsumSeed  = 0x2000
	incompatLargeDir  = 0x4000
	incompatReadable  = 0x3e7d6 // all that the kernel mounts
	incompatDirData   = 0x1000
	incompatOfExt3    = incompatFileType | incompatRecover | incompatMetaBG
	roSparseSuper     = 0x1
	roGroupChecksum   = 0x10
	roSnapshot        = 0x80
	roBigalloc        = 0x200
	roMetadataCsum    = 0x400
	roReplica         = 0x800
	roOrphanPresent   = 0x10000
	roKnown           = 0x1ffff
	roOfExt3          = roSparseSuper | 0x2 | 0x4 // large files, and B-tree directories
	groupDescSize     = 32
	groupDescSize64   = 64
	creatorHurd       = 1
	stateClean        = 1
	stateErrors       = 2
	checksumTypeCRC32 = 1 // CRC-32C
)

// incompatNames are the names that mke2fs and tune2fs use.
var incompatNames = map[uint32]string{
	0x1:             "compression",
	incompatJournal: "journal_dev",
	incompatDirData: "dirdata",
}

// checkFeatures refuses what cannot be read right. Features of RO_COMPAT never
// hinder reading, by definition.
func (sb *superblock) checkFeatures() error {
	if sb.incompat&incompatJournal != 0 {
		return fmt.Errorf("feature journal_dev: this is the external journal of another file system, not a file system")
	}
	if unknown := sb.incompat &^ incompatReadable; unknown != 0 {
		return fmt.Errorf("features that cannot be read: %s", featureNames(unknown, incompatNames, 'I'))
	}
	if sb.roCompat&roMetadataCsum != 0 && sb.checksumType != checksumTypeCRC32 {
		return fmt.Errorf("superblock: unknown checksum type %d", sb.checksumType)
	}
	return nil
}

// featureNames lists the features of a set; those without a name are called
// FEATURE_<kind><bit>, as e2fsprogs calls them.
func featureNames(set uint32, names map[uint32]string, kind byte) string {
	var list []string
	for ; set != 0; set &= set - 1 {
		bit := bits.TrailingZeros32(set)
		name, ok := names[1<<bit]
		if !ok {
			name = fmt.Sprintf("FEATURE_%c%d", kind, bit)
		}
		list = append(list, name)
	}
	return strings.Join(list, ", ")
}

// fsType tells ext2, ext3 and ext4 apart by their features, as blkid(8) does.
func (sb *superblock) fsType() string {
	switch {
	case sb.incompat&^incompatOfExt3 != 0 || sb.roCompat&^roOfExt3 != 0:
		return "ext4"
	case sb.compat&compatJournal != 0:
		return "ext3"
	default:
		return "ext2"
	}
}
