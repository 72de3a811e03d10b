package ext4

import "fmt"

// Versions of POSIX ACLs: as ext4 stores them and as getxattr(2) returns them.
const (
	aclVersionDisk   = 1
	aclVersionKernel = 2
)

// Tags of entries that name a user or a group; only these have an id on disk.
const (
	aclTagUser  = 0x02
	aclTagGroup = 0x08
	aclNoID     = 0xffffffff
)

// convertACL turns an ACL from its form on disk, where entries have four or
// eight bytes, to the one of getxattr(2), where all have eight. It returns nil
// for one without entries, which Linux takes as none.
func convertACL(disk []byte) ([]byte, error) {
	if len(disk) < 4 || le.Uint32(disk) != aclVersionDisk {
		return nil, fmt.Errorf("acl: unknown version")
	}
	disk = disk[4:]
	if len(disk) == 0 {
		return nil, nil
	}
	acl := le.AppendUint32(nil, aclVersionKernel)
	for len(disk) > 0 {
		size := 4
		if len(disk) >= size {
			if tag := le.Uint16(disk); tag == aclTagUser || tag == aclTagGroup {
				size = 8
			}
		}
		if len(disk) < size {
			return nil, fmt.Errorf("acl: last entry cut short")
		}
		id := uint32(aclNoID)
		if size == 8 {
			id = le.Uint32(disk[4:])
		}
		acl = le.AppendUint32(append(acl, disk[:4]...), id)
		disk = disk[size:]
	}
	return acl, nil
}
