package image

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/tree"
)

// blockSize is the unit of a tar: headers are one block, data is padded to it.
const blockSize = 512

// Type flags of a header (POSIX.1-2017, pax, "ustar Interchange Format").
const (
	typeRegular  = '0'
	typeHardLink = '1'
	typeSymlink  = '2'
	typeChar     = '3'
	typeBlock    = '4'
	typeDir      = '5'
	typeFIFO     = '6'
	typePax      = 'x'
)

// Limits of a header's fields; what is beyond them goes into pax records.
const (
	maxName   = 100
	maxOctal7 = 1<<21 - 1 // mode, uid, gid, device numbers
	maxOctal1 = 1<<33 - 1 // size and mtime: eleven digits
)

// header is one ustar header block.
type header struct {
	name, link   string
	mode         uint16
	uid, gid     uint32
	size, mtime  int64
	typ          byte
	major, minor uint32
}

// appendTo appends the header's block. Text that is too long is cut and
// numbers that are too large become zero: pax records stand in for them.
func (h *header) appendTo(b []byte) []byte {
	start := len(b)
	b = append(b, make([]byte, blockSize)...)
	f := b[start:]
	copy(f[0:100], h.name)
	octal(f[100:108], int64(h.mode))
	octal(f[108:116], int64(h.uid))
	octal(f[116:124], int64(h.gid))
	octal(f[124:136], h.size)
	octal(f[136:148], h.mtime)
	f[156] = h.typ
	copy(f[157:257], h.link)
	copy(f[257:265], "ustar\x0000")
	if h.typ == typeChar || h.typ == typeBlock {
		octal(f[329:337], int64(h.major))
		octal(f[337:345], int64(h.minor))
	}
	copy(f[148:156], "        ") // the checksum counts itself as spaces
	sum := 0
	for _, c := range f {
		sum += int(c)
	}
	octal(f[148:155], int64(sum)) // six digits, NUL, then a space is left
	return b
}

// octal fills f with v in octal digits and a NUL, or with zero if v does not
// fit.
func octal(f []byte, v int64) {
	if v < 0 || v>>(3*(len(f)-1)) != 0 {
		v = 0
	}
	f[len(f)-1] = 0
	for i := len(f) - 2; i >= 0; i-- {
		f[i] = '0' + byte(v&7)
		v >>= 3
	}
}

// records are the pax records of one header, as they are written.
type records []byte

// add appends a record: its own length in decimal, a space, key=value and a
// newline (POSIX.1-2017, pax Extended Header).
func (r *records) add(key, value string) {
	n := len(key) + len(value) + 3
	size := n + len(strconv.Itoa(n))
	if len(strconv.Itoa(size)) != len(strconv.Itoa(n)) {
		size = n + len(strconv.Itoa(size))
	}
	*r = strconv.AppendInt(*r, int64(size), 10)
	*r = append(*r, ' ')
	*r = append(*r, key...)
	*r = append(*r, '=')
	*r = append(*r, value...)
	*r = append(*r, '\n')
}

// addXattrs appends extended attributes in the only form that curtin's tar
// restores whatever they are. GNU tar writes '%' and '=' of a name as %25, %3D.
func (r *records) addXattrs(xattrs []filesystem.Xattr) {
	for _, x := range xattrs {
		r.add("SCHILY.xattr."+xattrKey.Replace(x.Name), string(x.Value))
	}
}

var xattrKey = strings.NewReplacer("%", "%25", "=", "%3D")

// appendHeaders appends all that precedes an entry's data: the pax header, if
// one is needed, and the ustar header. The entry has been checked by plan.
func appendHeaders(b []byte, p *planned) []byte {
	e := p.Entry
	h := header{
		name: memberName(e), mode: uint16(e.Mode.Perm()), uid: e.UID, gid: e.GID,
		typ: p.typ, major: e.Major, minor: e.Minor, size: p.stored,
	}
	var r records
	if p.sparse {
		r.add("GNU.sparse.major", "1")
		r.add("GNU.sparse.minor", "0")
		r.add("GNU.sparse.name", h.name)
		r.add("GNU.sparse.realsize", strconv.FormatInt(e.Size, 10))
		h.name = "./GNUSparseFile.0/" + path.Base(e.Path)
	} else if !fits(h.name) {
		r.add("path", h.name)
	}
	switch p.typ {
	case typeHardLink:
		h.link = "./" + e.HardLink
	case typeSymlink:
		h.link = e.Target
	}
	if !fits(h.link) {
		r.add("linkpath", h.link)
	}
	if h.size > maxOctal1 {
		r.add("size", strconv.FormatInt(h.size, 10))
	}
	if h.uid > maxOctal7 {
		r.add("uid", strconv.FormatUint(uint64(h.uid), 10))
	}
	if h.gid > maxOctal7 {
		r.add("gid", strconv.FormatUint(uint64(h.gid), 10))
	}
	h.mtime = e.Modified.Unix()
	if e.Modified.Nanosecond() != 0 || h.mtime < 0 || h.mtime > maxOctal1 {
		r.add("mtime", paxTime(e.Modified))
	}
	if p.typ != typeHardLink { // they came with the link's first name
		r.addXattrs(e.Xattrs)
	}
	if len(r) > 0 {
		x := header{name: "././@PaxHeader", mode: 0o644, size: int64(len(r)), typ: typePax}
		b = x.appendTo(b)
		b = append(b, r...)
		b = append(b, zeros[:padding(int64(len(r)))]...)
	}
	return h.appendTo(b)
}

// memberName is an entry's name in the archive, as GNU tar writes it with
// "-C root .".
func memberName(e *tree.Entry) string {
	switch {
	case e.Path == ".":
		return "./"
	case e.Mode.IsDir():
		return "./" + e.Path + "/"
	default:
		return "./" + e.Path
	}
}

// fits says whether a name can stand in a header alone. UTF-8 goes into a pax
// record, which is UTF-8 by definition; bytes that are not stay in the header
// while they fit. GNU tar, Python and Go take such bytes from a record too,
// but libarchive complains, and GNU tar does not know hdrcharset=BINARY.
func fits(name string) bool {
	if len(name) > maxName {
		return false
	}
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return !utf8.ValidString(name)
		}
	}
	return true
}

// paxTime is t as decimal seconds: before 1970 all of it is negative, so half
// a second before is "-0.5".
func paxTime(t time.Time) string {
	sec, ns, sign := t.Unix(), t.Nanosecond(), ""
	if sec < 0 {
		sign, sec = "-", -sec
		if ns > 0 {
			sec, ns = sec-1, 1e9-ns
		}
	}
	s := sign + strconv.FormatInt(sec, 10)
	if ns != 0 {
		s += "." + strings.TrimRight(fmt.Sprintf("%09d", ns), "0")
	}
	return s
}

// zeros pads headers and data.
var zeros [blockSize]byte

// padding is what n bytes lack to whole blocks.
func padding(n int64) int64 { return -n & (blockSize - 1) }
