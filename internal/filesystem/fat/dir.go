package fat

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// Attributes of a directory entry.
const (
	attrLabel = 0x08
	attrDir   = 0x10
	attrLong  = 0x0f // all of these together: a piece of a long name
	attrMask  = 0x3f
)

// entry is a directory entry with its name.
type entry struct {
	raw    [entrySize]byte
	name   string
	number uint64 // inode number
}

func (e *entry) isDir() bool   { return e.raw[11]&attrDir != 0 }
func (e *entry) isFile() bool  { return e.raw[11]&attrLabel == 0 } // or a directory
func (e *entry) isLabel() bool { return e.raw[11]&(attrLabel|attrDir) == attrLabel }

func (e *entry) first() uint32 {
	return uint32(binary.LittleEndian.Uint16(e.raw[20:]))<<16 | uint32(binary.LittleEndian.Uint16(e.raw[26:]))
}

func (e *entry) size() int64 { return int64(binary.LittleEndian.Uint32(e.raw[28:])) }

// modified is the time of the last write, in UTC and steps of two seconds. A
// day or month of zero counts as the first, as for the kernel.
func (e *entry) modified() time.Time {
	t, d := int(binary.LittleEndian.Uint16(e.raw[22:])), int(binary.LittleEndian.Uint16(e.raw[24:]))
	return time.Date(1980+d>>9, time.Month(max(1, d>>5&15)), max(1, d&31), t>>11, t>>5&63, t&31*2, 0, time.UTC)
}

// Inode implements filesystem.FS.
func (fs *volume) Inode(number uint64) (*filesystem.Inode, error) {
	if number == rootNumber {
		return &filesystem.Inode{
			Number: number, Mode: filesystem.ModeDir | 0o755, Links: 2,
			Modified: time.Unix(0, 0), Sys: fs.rootCluster,
		}, nil
	}
	e := &entry{number: number}
	off, end := int64(number)*entrySize, fs.data+int64(fs.clusters-2)*fs.cluster
	if number > uint64(end)/entrySize || off < fs.root || off+entrySize > end {
		return nil, fmt.Errorf("fat: inode %d: not in a directory", number)
	}
	if err := fs.readAt(e.raw[:], off); err != nil {
		return nil, fmt.Errorf("fat: inode %d: %w", number, err)
	}
	if e.raw[0] == 0 || e.raw[0] == 0xe5 || !e.isFile() {
		return nil, fmt.Errorf("fat: inode %d: no file", number)
	}
	return fs.inode(e), nil
}

// inode is the inode of a directory entry.
func (fs *volume) inode(e *entry) *filesystem.Inode {
	first := e.first()
	if fs.bits != 32 {
		first &= 0xffff
	}
	i := &filesystem.Inode{Number: e.number, Modified: e.modified(), Sys: first}
	if e.isDir() {
		i.Mode, i.Links = filesystem.ModeDir|0o755, 2
	} else {
		i.Mode, i.Links, i.Size = filesystem.ModeRegular|0o755, 1, e.size()
	}
	return i
}

// ReadDir implements filesystem.FS.
func (fs *volume) ReadDir(dir *filesystem.Inode) ([]filesystem.DirEntry, error) {
	first, ok := dir.Sys.(uint32)
	if !ok || !dir.Mode.IsDir() {
		return nil, fmt.Errorf("fat: inode %d: not a directory", dir.Number)
	}
	entries, err := fs.readDir(dir.Number, first)
	if err != nil {
		return nil, fmt.Errorf("fat: directory %d: %w", dir.Number, err)
	}
	var out []filesystem.DirEntry
	for _, e := range entries {
		if !e.isFile() || e.name == "." || e.name == ".." {
			continue
		}
		if e.name == "" || strings.ContainsAny(e.name, "/\x00") {
			return nil, fmt.Errorf("fat: directory %d: name %q is damaged", dir.Number, e.name)
		}
		out = append(out, filesystem.DirEntry{Name: e.name, Inode: e.number})
	}
	slices.SortFunc(out, func(a, b filesystem.DirEntry) int { return strings.Compare(a.Name, b.Name) })
	for i := range out[:max(0, len(out)-1)] {
		if out[i].Name == out[i+1].Name {
			return nil, fmt.Errorf("fat: directory %d: name %q is there twice", dir.Number, out[i].Name)
		}
	}
	return out, nil
}

// readDir reads the directory that begins at a cluster.
func (fs *volume) readDir(number uint64, first uint32) ([]*entry, error) {
	runs := []run{{0, fs.root, fs.rootSize}}
	if number != rootNumber || fs.bits == 32 {
		if err := fs.own(first, number); err != nil {
			return nil, err
		}
		var err error
		if runs, err = fs.chain(first, -1); err != nil {
			return nil, err
		}
	}
	var entries []*entry
	var long longName
	for _, r := range runs {
		b := make([]byte, r.length)
		if err := fs.readAt(b, r.volume); err != nil {
			return nil, err
		}
		for i := 0; i+entrySize <= len(b); i += entrySize {
			if b[i] == 0 {
				return entries, nil
			}
			if e := long.next(b[i : i+entrySize]); e != nil {
				e.number = uint64(r.volume+int64(i)) / entrySize
				entries = append(entries, e)
			}
		}
	}
	return entries, nil
}

// own notes the directory that a cluster belongs to.
func (fs *volume) own(first uint32, number uint64) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if owner, ok := fs.owners[first]; ok && owner != number {
		return fmt.Errorf("cluster %d belongs to directory %d too", first, owner)
	}
	fs.owners[first] = number
	return nil
}

// longName puts together the pieces of a long name, which come last piece
// first before the entry that they name.
type longName struct {
	units []uint16
	order byte // of the piece read last; 1 completes the name
	sum   byte // checksum of the short name that they belong to
}

// next takes an entry of a directory; it returns nil for pieces of a name and
// deleted entries.
func (l *longName) next(b []byte) *entry {
	switch {
	case b[0] == 0xe5:
		l.order = 0
		return nil
	case b[11]&attrMask == attrLong:
		l.piece(b)
		return nil
	}
	e := &entry{raw: [entrySize]byte(b)}
	if l.order == 1 && l.sum == shortSum(b[:11]) {
		units := l.units
		if i := slices.Index(units, 0); i >= 0 {
			units = units[:i]
		}
		e.name = string(utf16.Decode(units))
	} else {
		e.name = shortName(b)
	}
	l.order = 0
	return e
}

// piece takes one piece of a long name.
func (l *longName) piece(b []byte) {
	order := b[0] & 0x3f
	switch {
	case b[0]&0x40 != 0:
		l.units, l.order, l.sum = nil, order, b[13]
	case l.order > 1 && order == l.order-1 && b[13] == l.sum:
		l.order = order
	default:
		l.order = 0
		return
	}
	var units [13]uint16
	for i := range units {
		pos := 1 + 2*i
		if i >= 11 {
			pos += 5
		} else if i >= 5 {
			pos += 3
		}
		units[i] = binary.LittleEndian.Uint16(b[pos:])
	}
	l.units = append(units[:], l.units...)
}

// shortSum is the checksum of a short name (the same document, "FAT Long
// Directory Entries").
func shortSum(name []byte) byte {
	sum := byte(0)
	for _, c := range name {
		sum = sum>>1 | sum<<7
		sum += c
	}
	return sum
}

// shortName is the 8.3 name, with the case that Windows NT's flags say.
func shortName(b []byte) string {
	base, ext := slices.Clone(b[:8]), b[8:11]
	if base[0] == 0x05 { // 0xe5 would mean that the entry is deleted
		base[0] = 0xe5
	}
	name, suffix := dosText(base), dosText(ext)
	if b[12]&0x08 != 0 {
		name = strings.ToLower(name)
	}
	if b[12]&0x10 != 0 {
		suffix = strings.ToLower(suffix)
	}
	if suffix != "" {
		name += "." + suffix
	}
	return name
}

// codePage437 is the upper half of the kernel's default code page.
var codePage437 = []rune("ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐" +
	"└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0")

// dosText is padded text in the code page, as UTF-8.
func dosText(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		if c < 0x80 {
			s.WriteByte(c)
		} else {
			s.WriteRune(codePage437[c-0x80])
		}
	}
	return strings.TrimRight(s.String(), " ")
}

// labelText is a volume label, its bytes as they are; "NO NAME" means none.
func labelText(b []byte) string {
	s := strings.TrimRight(string(b), " \x00")
	if s == "NO NAME" {
		return ""
	}
	return s
}
