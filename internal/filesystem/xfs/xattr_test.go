package xfs

import (
	"fmt"
	"strings"
	"testing"
)

// TestHidden expects attributes that are the file system's own, or were never
// finished, to be shown to nobody.
func TestHidden(t *testing.T) {
	const name, value = "name", "value"
	for flags, want := range map[byte]string{
		0:                        "user.name",
		xattrRoot:                "trusted.name",
		xattrSecure:              "security.name",
		xattrParent:              "",
		xattrRoot | xattrLocal:   "trusted.name",
		xattrParent | xattrLocal: "",
		xattrIncomplete:          "",
	} {
		t.Run(fmt.Sprintf("%#x", flags), func(t *testing.T) {
			var l xattrList
			b := append([]byte{0, byte(7 + len(name+value)), 1, 0, byte(len(name)), byte(len(value)), flags}, name+value...)
			if err := l.addShort(b); err != nil {
				t.Fatal(err)
			}
			got := ""
			if len(l.list) > 0 {
				got = l.list[0].Name
			}
			if got != want {
				t.Errorf("shown as %q, not %q", got, want)
			}
		})
	}
}

// TestParentPointer hides one in a file system.
func TestParentPointer(t *testing.T) {
	i := openSeed(t, "v5")
	number := i.lookup("file")
	inode := i.inode(number)
	inode[inodeV3Size+int(inode[inodeForkOffset])*8+6] = xattrParent
	seal(inode, inodeCRC)
	file, err := i.fs.Inode(number)
	if err != nil || len(file.Xattrs) != 1 || file.Xattrs[0].Name != "trusted.1" {
		t.Errorf("%v: %v", file, err)
	}
}

// TestConvertACL expects errors for ACLs that are none.
func TestConvertACL(t *testing.T) {
	entry := func(tag byte) string {
		return "\x00\x00\x00" + string([]byte{tag}) + "\x00\x00\x03\xe8\x00\x05\x00\x00"
	}
	for name, c := range map[string]struct{ disk, want, err string }{
		"entries": {
			disk: "\x00\x00\x00\x02" + entry(1) + entry(2),
			want: "\x02\x00\x00\x00" + "\x01\x00\x05\x00\xff\xff\xff\xff" + "\x02\x00\x05\x00\xe8\x03\x00\x00",
		},
		"none":      {disk: "\x00\x00\x00\x00"},
		"cut short": {disk: "\x00\x00\x00\x02" + entry(1), err: "acl of 16 bytes"},
		"count":     {disk: "\x80\x00\x00\x00", err: "acl of 4 bytes"},
		"empty":     {err: "acl of 0 bytes"},
		"tag":       {disk: "\x00\x00\x00\x01" + entry(3), err: "tag 0x3"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := convertACL([]byte(c.disk))
			if string(got) != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
