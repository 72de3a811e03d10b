package xfs

import (
	"fmt"
	"math/bits"
	"strings"
)

// Features that change how something is read, from "Superblocks".
const (
	versionNumber   = 0xf
	versionQuota    = 0x40
	versionDirV2    = 0x2000
	versionASCIICI  = 0x4000
	versionMoreBits = 0x8000

	features2FileType = 0x200

	incompatFileType    = 0x1
	incompatMetaUUID    = 0x4
	incompatBigTime     = 0x8 // times beyond 2038
	incompatNeedsRepair = 0x10
	incompatLargeCounts = 0x20 // of extents, nrext64
	incompatExchange    = 0x40
	incompatParent      = 0x80
	// incompatReadable are also sparse inodes (0x2).
	incompatReadable = 0xef
	roInodeCounts    = 0x8 // inobtcount
	roKnown          = 0xf // finobt, rmapbt and reflink, too
)

// incompatNames are the names of features that cannot be read.
var incompatNames = map[uint32]string{0x100: "metadir", 0x200: "zoned", 0x400: "zone_gaps"}

// checkVersion refuses what is older or newer than what can be read.
func (sb *superblock) checkVersion() error {
	if v := sb.version & versionNumber; v != 4 && v != 5 {
		return fmt.Errorf("superblock: version %d; only 4 and 5 can be read", v)
	}
	if sb.version&versionDirV2 == 0 {
		return fmt.Errorf("superblock: directories of version 1 cannot be read")
	}
	return nil
}

// checkFeatures refuses what cannot be read right. Features of RO_COMPAT never
// hinder reading, by definition.
func (sb *superblock) checkFeatures() error {
	if sb.inProgress {
		return fmt.Errorf("mkfs.xfs or a copy did not end: the file system is not complete")
	}
	if sb.version&versionASCIICI != 0 {
		return fmt.Errorf("directories that ignore case (ascii-ci): their names would not mean the same elsewhere")
	}
	if sb.incompat&incompatNeedsRepair != 0 {
		return fmt.Errorf("the file system needs repair (needsrepair): run xfs_repair on it")
	}
	if unknown := sb.incompat &^ incompatReadable; unknown != 0 {
		return fmt.Errorf("features that cannot be read: %s", featureNames(unknown, incompatNames, "incompat"))
	}
	return nil
}

// linux is the oldest Linux that mounts a file system with these features for
// writing, from the kernel's history.
func (sb *superblock) linux() [2]int {
	switch {
	case sb.incompat&(incompatExchange|incompatParent) != 0:
		return [2]int{6, 10}
	case sb.incompat&incompatLargeCounts != 0:
		return [2]int{5, 19}
	case sb.incompat&incompatBigTime != 0 || sb.roCompat&roInodeCounts != 0:
		return [2]int{5, 10}
	}
	return [2]int{}
}

// featureNames lists the features of a set; those without a name are called by
// their kind and bit.
func featureNames(set uint32, names map[uint32]string, kind string) string {
	var list []string
	for ; set != 0; set &= set - 1 {
		bit := bits.TrailingZeros32(set)
		name, ok := names[1<<bit]
		if !ok {
			name = fmt.Sprintf("%s bit %d", kind, bit)
		}
		list = append(list, name)
	}
	return strings.Join(list, ", ")
}

// fileType says whether directory entries hold the type of what they name.
func (sb *superblock) fileType() bool {
	if sb.v5() {
		return sb.incompat&incompatFileType != 0
	}
	return sb.features2&features2FileType != 0
}
