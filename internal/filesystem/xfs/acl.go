package xfs

import (
	"encoding/binary"
	"fmt"
)

const (
	aclEntrySize     = 12
	aclVersionKernel = 2 // of ACLs as getxattr(2) returns them
	aclTagUser       = 0x02
	aclTagGroup      = 0x08
	aclNoID          = 0xffffffff // of entries that name neither user nor group
)

// convertACL turns an ACL from its form on disk, big-endian entries of tag, id
// and permissions after their number, to the little-endian one of getxattr(2).
// It returns nil for one without entries, which Linux takes as none.
func convertACL(disk []byte) ([]byte, error) {
	if len(disk) < 4 || uint64(be.Uint32(disk))*aclEntrySize != uint64(len(disk)-4) {
		return nil, fmt.Errorf("acl of %d bytes", len(disk))
	}
	disk = disk[4:]
	if len(disk) == 0 {
		return nil, nil
	}
	le := binary.LittleEndian
	acl := le.AppendUint32(nil, aclVersionKernel)
	for ; len(disk) > 0; disk = disk[aclEntrySize:] {
		tag, id := be.Uint32(disk), uint32(aclNoID)
		switch tag {
		case 0x01, 0x04, 0x10, 0x20: // owner, group, mask, others
		case aclTagUser, aclTagGroup:
			id = be.Uint32(disk[4:])
		default:
			return nil, fmt.Errorf("acl: entry with tag %#x", tag)
		}
		acl = le.AppendUint16(acl, uint16(tag))
		acl = le.AppendUint16(acl, be.Uint16(disk[8:]))
		acl = le.AppendUint32(acl, id)
	}
	return acl, nil
}
