package btrfs

import (
	"bytes"
	"testing"
)

// TestLZO decompresses each kind of instruction of the stream.
func TestLZO(t *testing.T) {
	literals := func(text string) []byte { return append([]byte{byte(len(text) + 17)}, text...) }
	end := []byte{0x11, 0, 0}
	for _, c := range []struct {
		name string
		in   []byte
		want string // "" if it is damaged
	}{
		{"literals", append(literals("abcd"), end...), "abcd"},
		{"many literals", bytes.Join([][]byte{{0, 5}, []byte("0123456789abcdefghijklm"), end}, nil), "0123456789abcdefghijklm"},
		{"4 literals", append([]byte{1, 'w', 'x', 'y', 'z'}, end...), "wxyz"},
		{"two bytes after literals", append(append(literals("abc"), 0x04, 0), end...), "abcbc"},
		{"with a literal", append(append(literals("abc"), 0x05, 0, 'X'), end...), "abcbcX"},
		{"3 and 4 bytes", append(append(literals("abcdefgh"), 0x40|3<<2, 0, 0x60|7<<2, 0), end...), "abcdefghefgdefg"},
		{"5 to 8 bytes", append(append(literals("abcdefgh"), 0xe0|7<<2, 0), end...), "abcdefghabcdefgh"},
		{"runs", append(append(literals("abcd"), 0x20|8, 0, 0), end...), "abcddddddddddd"},
		{"long runs", append(append(literals("abcd"), 0x20, 9, 4, 0), end...), "abcd" + string(bytes.Repeat([]byte("cd"), 21))},
		{"before the start", append(append(literals("abcd"), 0x40|7<<2, 0), end...), ""},
		{"no end", literals("abcd"), ""},
		{"cut short", literals("abcd")[:3], ""},
		{"cut in a distance", append(literals("abcd"), 0x20|8, 0), ""},
		{"endless length", append(literals("abcd"), append([]byte{0x20}, make([]byte, 1<<16)...)...), ""},
		{"too long", append(append(literals("abcd"), 0x20, 0, 0, 0, 255, 0, 0), end...), ""},
		{"empty", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := lzo1x([]byte("before"), c.in, 100)
			if c.want == "" {
				if err == nil {
					t.Errorf("got %q", got)
				}
				return
			}
			if err != nil || string(got) != "before"+c.want {
				t.Errorf("got %q: %v", got, err)
			}
		})
	}
}

// TestLZOFar copies from further away than 16 KiB.
func TestLZOFar(t *testing.T) {
	var text []byte
	for i := range 20_000 {
		text = append(text, byte(i*i>>4))
	}
	in := append([]byte{0}, make([]byte, (len(text)-18)/255)...)
	in = append(in, byte((len(text)-18)%255))
	in = append(in, text...)
	// 9 bytes from 16384+100 back; then the end.
	in = append(in, 0x10|7, 100<<2&0xff, 100<<2>>8, 0x11, 0, 0)
	got, err := lzo1x(nil, in, 1<<16)
	if from := len(text) - 16384 - 100; err != nil || !bytes.Equal(got, append(text, text[from:from+9]...)) {
		t.Errorf("got %d bytes: %v", len(got), err)
	}
}

// TestDecompressDamaged cuts extents short.
func TestDecompressDamaged(t *testing.T) {
	for name, c := range map[string]struct {
		kind compression
		in   []byte
	}{
		"lzo: nothing":         {compressedLZO, nil},
		"lzo: total":           {compressedLZO, []byte{200, 0, 0, 0}},
		"lzo: piece":           {compressedLZO, []byte{9, 0, 0, 0, 2, 0, 0, 0, 0}},
		"lzo: length of piece": {compressedLZO, []byte{6, 0, 0, 0, 2, 0}},
		"zlib: nothing":        {compressedZlib, nil},
		"zlib: no header":      {compressedZlib, make([]byte, 10)},
		"zstd: nothing":        {compressedZstd, nil},
		"zstd: no header":      {compressedZstd, make([]byte, 10)},
		"zstd: no block":       {compressedZstd, []byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x05}},
		"zstd: block":          {compressedZstd, []byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x05, 0x29, 0, 0, 'a'}},
		"zstd: checksum":       {compressedZstd, []byte{0x28, 0xb5, 0x2f, 0xfd, 0x24, 0x01, 0x09, 0, 0, 'a', 0, 0}},
		"unknown":              {compression(4), nil},
	} {
		if got, err := decompress(c.kind, c.in, 4096, 4096); err == nil {
			t.Errorf("%s: got %d bytes", name, len(got))
		}
	}
}
