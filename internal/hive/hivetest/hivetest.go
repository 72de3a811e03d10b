// Package hivetest makes files of Windows' registry for tests, by libhivex.
package hivetest

import (
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// Values are what is in a hive: regedit's words for a value, such as
// dword:00000001 or "text", by its key and name. A key that has none ends in a
// backslash.
type Values map[string]string

// Make makes a hive and returns its path.
func Make(t testing.TB, values Values) string {
	t.Helper()
	fstest.RequireTool(t, "hivexregedit")
	dir := t.TempDir()
	path, text := filepath.Join(dir, "hive"), filepath.Join(dir, "merged.reg")
	for name, content := range map[string][]byte{path: empty(), text: []byte(values.regedit())} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fstest.Run(t, "hivexregedit", "--merge", path, text)
	return path
}

// regedit is the form in which regedit exports, each key after that it is in.
func (v Values) regedit() string {
	keys := map[string][]string{}
	for at, value := range v {
		cut := strings.LastIndex(at, `\`)
		key, name := at[:cut], at[cut+1:]
		for i, c := range key {
			if c == '\\' {
				keys[key[:i]] = append(keys[key[:i]], "")
			}
		}
		line := ""
		if name != "" {
			line = fmt.Sprintf("\"%s\"=%s\n", name, value)
		}
		keys[key] = append(keys[key], line)
	}
	var b strings.Builder
	b.WriteString("Windows Registry Editor Version 5.00\n")
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		fmt.Fprintf(&b, "\n[\\%s]\n%s", key, strings.Join(keys[key], ""))
	}
	return b.String()
}

// Places in an empty hive, counted from behind its header: its root key and that
// key's security.
const (
	header   = 0x1000
	root     = 0x20
	security = 0x78
	rest     = 0xa8
	none     = 0xffffffff
)

// empty is a hive with nothing but a root.
func empty() []byte {
	b := make([]byte, 2*header)
	base, bin := b[:header], b[header:]
	copy(base, "regf")
	for at, value := range map[int]uint32{4: 1, 8: 1, 20: 1, 24: 3, 32: 1, 36: root, 40: header, 44: 1} {
		put(base, at, value)
	}
	sum := uint32(0)
	for at := 0; at < 508; at += 4 {
		sum ^= binary.LittleEndian.Uint32(base[at:])
	}
	put(base, 508, sum)
	copy(bin, "hbin")
	put(bin, 8, header)
	key := cell(bin, root, security, "nk\x2c\x00")
	for at, value := range map[int]uint32{16: none, 28: none, 32: none, 40: none, 44: security, 48: none, 72: 4} {
		put(key, at, value)
	}
	copy(key[76:], "ROOT")
	permissions := cell(bin, security, rest, "sk\x00\x00")
	for at, value := range map[int]uint32{4: security, 8: security, 12: 1, 16: 20, 20: 0x80000001} {
		put(permissions, at, value)
	}
	put(bin, rest, header-rest) // is free: its size is not negative
	return b
}

// cell is a cell's content, from one place to another.
func cell(bin []byte, from, to int, kind string) []byte {
	put(bin, from, uint32(from-to))
	copy(bin[from+4:], kind)
	return bin[from+4 : to]
}

func put(b []byte, at int, value uint32) { binary.LittleEndian.PutUint32(b[at:], value) }
