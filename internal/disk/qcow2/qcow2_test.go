package qcow2

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// header is a sound header of version 3 with a backing file and its format.
func header() []byte {
	b := make([]byte, 1<<16)
	be := binary.BigEndian
	copy(b, Magic)
	be.PutUint32(b[4:], 3)
	be.PutUint64(b[8:], 200)
	be.PutUint32(b[16:], 8)
	be.PutUint32(b[20:], 16)
	be.PutUint64(b[24:], 1<<30)
	be.PutUint32(b[36:], 2)
	be.PutUint64(b[40:], 512)
	be.PutUint32(b[100:], 104)
	be.PutUint32(b[104:], 0x6803f857) // feature names, to be skipped
	be.PutUint32(b[108:], 3)
	be.PutUint32(b[120:], extensionBackingFormat)
	be.PutUint32(b[124:], 3)
	copy(b[128:], "raw")
	copy(b[200:], "base.raw")
	return b
}

func TestReadHeader(t *testing.T) {
	sound := Header{Size: 1 << 30, BackingFile: "base.raw", BackingFormat: "raw"}
	tests := map[string]struct {
		at    int
		bytes string
		want  func(h *Header)
		err   string
	}{
		"sound":              {0, "", func(*Header) {}, ""},
		"version 2":          {4, "\x00\x00\x00\x02", func(h *Header) { h.BackingFormat = "" }, ""},
		"encrypted":          {35, "\x01", func(h *Header) { h.Encrypted = true }, ""},
		"corrupt":            {79, "\x02", func(h *Header) { h.Corrupt = true }, ""},
		"data file":          {79, "\x04", func(h *Header) { h.DataFile = "unnamed" }, ""},
		"extended L2":        {79, "\x10", nil, "L1 table has 2 entries, a disk of 1073741824 bytes needs 4"},
		"other magic":        {0, "X", nil, "not a qcow2 image"},
		"version 1":          {4, "\x00\x00\x00\x01", nil, "version 1"},
		"small clusters":     {23, "\x08", nil, "2^8"},
		"huge clusters":      {20, "\xff", nil, "out of range"},
		"huge L1":            {36, "\xff", nil, "too large"},
		"L1 past the end":    {40, "\xff\xff\xff\xff\xff\xff\xff\xff", nil, "past the end"},
		"L1 short":           {24, "\x00\x01", nil, "needs"},
		"disk size":          {24, "\xff", nil, "out of range"},
		"header length":      {100, "\xff", nil, "its own length"},
		"name too long":      {16, "\x00\x00\x04\x00", nil, "1024 bytes"},
		"name outside":       {8, "\xff", nil, "out of range"},
		"name across":        {8, "\x00\x00\x00\x00\x00\x00\xff\xff", nil, "out of range"},
		"extension too long": {108, "\xff", nil, "more than fit"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := header()
			if name == "version 2" {
				clear(b[72:200])
			}
			copy(b[test.at:], test.bytes)
			got, err := ReadHeader(bytes.NewReader(b), int64(len(b)))
			if test.want == nil {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want %q", err, test.err)
				}
				return
			}
			want := sound
			test.want(&want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&want, got, cmpopts.IgnoreUnexported(Header{})); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, err := ReadHeader(strings.NewReader("short"), 5); !errors.Is(err, ErrNotQcow2) {
		t.Errorf("a short file: %v", err)
	}
}

func FuzzReadHeader(f *testing.F) {
	f.Add(header()[:300])
	f.Add(header()[:72])
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ReadHeader(bytes.NewReader(b), int64(len(b)))
		if err == nil && (h.Size < 0 || len(h.BackingFile) > maxBackingName) {
			t.Errorf("accepted %+v", h)
		}
		if err == nil {
			_ = h.CheckComplete(t.Context(), bytes.NewReader(b), int64(len(b))) // must end
		}
	})
}
