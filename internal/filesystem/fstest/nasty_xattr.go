package fstest

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// set sets an attribute, not following symlinks.
func (n *nasty) set(name, attribute string, value []byte) {
	n.t.Helper()
	if err := unix.Lsetxattr(n.path(name), attribute, value, 0); err != nil {
		n.t.Fatalf("nasty tree: set %q of %d bytes on %q: %v", attribute, len(value), name, err)
	}
}

// capability is a value of security.capability in version 2, or with the owner
// of a user name space in version 3.
func capability(version uint32, root uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, version<<24|1)
	for _, set := range []uint32{1 << 13, 0, 0, 0} { // CAP_NET_RAW
		b = binary.LittleEndian.AppendUint32(b, set)
	}
	if version == 3 {
		b = binary.LittleEndian.AppendUint32(b, root)
	}
	return b
}

// attributes makes files with all kinds of extended attributes.
func (n *nasty) attributes() {
	n.mkdir("xattrs")
	selinux := []byte("system_u:object_r:bin_t:s0\x00")
	n.file("xattrs/capability2", []byte("x"))
	n.set("xattrs/capability2", "security.capability", capability(2, 0))
	n.file("xattrs/capability3", []byte("x"))
	n.set("xattrs/capability3", "security.capability", capability(3, 100000))
	n.file("xattrs/security", n.bytes(150))
	n.set("xattrs/security", "security.selinux", selinux)
	n.set("xattrs/security", "security.ima", n.bytes(33))
	n.set("xattrs/security", "security.evm", n.bytes(40))
	n.file("xattrs/user", []byte("x"))
	n.set("xattrs/user", "user.empty", nil)
	n.set("xattrs/user", "user.k=eq", []byte("a=b\n\x00"))
	n.set("xattrs/user", "user.non-utf8-\xff\xfe", []byte("\xff"))
	n.set("xattrs/user", "user."+strings.Repeat("l", 250), []byte("long name"))
	n.set("xattrs/user", "trusted.overlay.opaque", []byte("y"))
	n.mkdir("xattrs/dir")
	n.set("xattrs/dir", "user.dir", []byte("d"))
	n.set("xattrs/dir", "trusted.dir", nil)
	n.must(os.Symlink("nowhere", n.path("xattrs/symlink")))
	n.set("xattrs/symlink", "security.selinux", selinux)
	n.must(os.Symlink(strings.Repeat("s", 100), n.path("xattrs/long-symlink")))
	n.set("xattrs/long-symlink", "trusted.s", []byte("s"))
	n.must(unix.Mknod(n.path("xattrs/fifo"), unix.S_IFIFO|0o600, 0))
	n.set("xattrs/fifo", "security.selinux", selinux)
	// Equal attributes, which may be stored once for all.
	for i := range 20 {
		name := fmt.Sprintf("xattrs/shared%d", i)
		n.file(name, n.bytes(i*10))
		n.set(name, "user.shared", []byte(strings.Repeat("s", n.limits.XattrBytes/2)))
	}
	n.file("xattrs/many", n.bytes(60))
	for i := range n.limits.XattrBytes / 50 {
		n.set("xattrs/many", fmt.Sprintf("user.a%d", i), n.bytes(i%20))
	}
	if !n.limits.LargeXattrs {
		return
	}
	for _, size := range []int{4000, 5000, 16384, 65536} {
		name := fmt.Sprintf("xattrs/large%d", size)
		n.file(name, []byte("x"))
		n.set(name, "user.large", n.bytes(size))
		n.set(name, "user.small", n.bytes(3))
	}
	n.file("xattrs/several-large", []byte("x"))
	for i := range 12 {
		n.set("xattrs/several-large", fmt.Sprintf("user.large%d", i), n.bytes(3000))
	}
}

// aclEntry is an entry of a POSIX ACL as setxattr(2) takes it.
type aclEntry struct {
	tag, perm uint16
	id        uint32
}

// aclNoID is the id of entries that do not name a user or group.
const aclNoID = 0xffffffff

func acl(entries ...aclEntry) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range entries {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

// acls makes files and directories with POSIX ACLs.
func (n *nasty) acls() {
	n.mkdir("acls/dir")
	small := acl(aclEntry{1, 7, aclNoID}, aclEntry{2, 5, 1000}, aclEntry{4, 5, aclNoID}, aclEntry{16, 5, aclNoID}, aclEntry{32, 0, aclNoID})
	n.file("acls/small", []byte("x"))
	n.set("acls/small", "system.posix_acl_access", small)
	entries := []aclEntry{{1, 6, aclNoID}}
	users := uint32(20)
	if n.limits.ShortACLs {
		users = 19
	}
	for i := range users {
		entries = append(entries, aclEntry{2, uint16(i % 8), 1000 + i*100_000_000})
	}
	entries = append(entries, aclEntry{4, 4, aclNoID}, aclEntry{8, 1, 5}, aclEntry{8, 7, 4294967294}, aclEntry{16, 7, aclNoID}, aclEntry{32, 4, aclNoID})
	n.file("acls/large", []byte("x"))
	n.set("acls/large", "system.posix_acl_access", acl(entries...))
	n.set("acls/dir", "system.posix_acl_default", small)
	n.set("acls/dir", "system.posix_acl_access", small)
	n.file("acls/dir/inherits", []byte("x"))
	n.mkdir("acls/dir/inherits.d")
}
