package fat

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	attrArchive = 0x20
	// pieceUnits is how much of a long name, in UTF-16, fits in one entry.
	pieceUnits = 13
	// maxName is the longest name, in UTF-16.
	maxName = 255
)

// record is what an entry says beside its name.
type record struct {
	attributes byte
	modified   time.Time
	first      uint32
	size       uint32
}

// bytes is the entry of a short name.
func (r record) bytes(short [11]byte) []byte {
	b := make([]byte, entrySize)
	copy(b, short[:])
	b[11] = r.attributes
	clock, day := dosTime(r.modified)
	for _, at := range []int{14, 22} { // made, changed
		binary.LittleEndian.PutUint16(b[at:], clock)
		binary.LittleEndian.PutUint16(b[at+2:], day)
	}
	binary.LittleEndian.PutUint16(b[18:], day) // read
	binary.LittleEndian.PutUint16(b[20:], uint16(r.first>>16))
	binary.LittleEndian.PutUint16(b[26:], uint16(r.first))
	binary.LittleEndian.PutUint32(b[28:], r.size)
	return b
}

// dosTime is a time in UTC, as near as FAT has it: from 1980 to 2107.
func dosTime(t time.Time) (clock, day uint16) {
	t = t.UTC()
	if t.Year() < 1980 {
		t = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	} else if t.Year() > 2107 {
		t = time.Date(2107, 12, 31, 23, 59, 58, 0, time.UTC)
	}
	return uint16(t.Hour()<<11 | t.Minute()<<5 | t.Second()/2), uint16((t.Year()-1980)<<9 | int(t.Month())<<5 | t.Day())
}

// add puts an entry into a folder.
func (e *Editor) add(in folder, name string, r record) error {
	if err := CheckName(name); err != nil {
		return err
	}
	entries, err := e.readDir(in.number, in.first)
	if err != nil {
		return err
	}
	taken := map[[11]byte]bool{}
	for _, one := range entries {
		if one.isFile() {
			taken[[11]byte(one.raw[:11])] = true
		}
	}
	short, needsLong := shorten(name, taken)
	var raw []byte
	if needsLong {
		raw = longEntries(name, shortSum(short[:]))
	}
	return e.insert(in, append(raw, r.bytes(short)...))
}

// CheckName says what makes a name none for FAT.
func CheckName(name string) error {
	switch {
	case !utf8.ValidString(name):
		return errors.New("its name is not UTF-8")
	case len(utf16.Encode([]rune(name))) > maxName:
		return fmt.Errorf("its name is longer than %d characters", maxName)
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || strings.ContainsRune(`"*/:<>?\|`, r) }):
		return errors.New(`its name has a character that FAT does not allow: one of "*/:<>?\| or a control character`)
	case name == "" || strings.TrimRight(name, " .") != name:
		return errors.New("its name ends in a dot or a space, which FAT does not allow")
	}
	return nil
}

// shorten makes the 8.3 name that every name has, as Windows does it, and says
// whether the name itself has to be kept beside it.
func shorten(name string, taken map[[11]byte]bool) (short [11]byte, needsLong bool) {
	stem, ending := strings.TrimLeft(name, ". "), ""
	if dot := strings.LastIndexByte(stem, '.'); dot > 0 {
		stem, ending = stem[:dot], stem[dot+1:]
	}
	base, ext := plain(stem), plain(ending)
	joined := base
	if ext != "" {
		joined += "." + ext
	}
	fits := len(base) <= 8 && len(ext) <= 3
	if short = padded(base, ext); fits && strings.EqualFold(joined, name) && !taken[short] {
		return short, joined != name
	}
	if base == "" {
		base = "_"
	}
	for i := 1; ; i++ {
		tail := "~" + strconv.Itoa(i)
		short = padded(base[:min(len(base), 8-len(tail))]+tail, ext)
		if !taken[short] {
			return short, true
		}
	}
}

// plain is a part of a name in the characters that short names have.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || r == '.':
			return -1
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r > '~' || strings.ContainsRune("+,;=[]", r):
			return '_'
		}
		return r
	}, s)
}

// padded is a short name as it is stored.
func padded(base, ext string) (short [11]byte) {
	copy(short[:], "           ")
	copy(short[:8], base)
	copy(short[8:], ext)
	return short
}

// longEntries are the entries of a long name, its last piece first.
func longEntries(name string, sum byte) []byte {
	units := utf16.Encode([]rune(name))
	pieces := (len(units) + pieceUnits - 1) / pieceUnits
	text := bytes.Repeat([]byte{0xff}, 2*pieceUnits*pieces)
	for i, u := range units {
		binary.LittleEndian.PutUint16(text[2*i:], u)
	}
	if end := 2 * len(units); end < len(text) {
		text[end], text[end+1] = 0, 0
	}
	raw := make([]byte, 0, pieces*entrySize)
	for i := pieces; i > 0; i-- {
		part := text[2*pieceUnits*(i-1):]
		b := make([]byte, entrySize)
		b[0], b[11], b[13] = byte(i), attrLong, sum
		if i == pieces {
			b[0] |= 0x40
		}
		copy(b[1:11], part)
		copy(b[14:26], part[10:])
		copy(b[28:32], part[22:])
		raw = append(raw, b...)
	}
	return raw
}
