package lvm

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
)

// zeros is a volume of zeros.
type zeros int64

func (z zeros) Size() int64                         { return int64(z) }
func (zeros) ReadAt(p []byte, _ int64) (int, error) { clear(p); return len(p), nil }
func (zeros) Prefetch(off, n int64)                 {}

// describe is the text of a group with one physical volume and one logical
// volume, whose segments are given.
func describe(segments string) string {
	return `vg { id = "V" seqno = 1 extent_size = 8192 # a comment
		physical_volumes { pv0 { id = "P" device = "a \"quoted\" \\ name" pe_start = 2048 pe_count = 10 } }
		logical_volumes { lv { id = "L" status = ["READ", "VISIBLE"] ` + segments + ` } } }
	# the end`
}

func one(body string) string { return "segment_count = 1 segment1 { " + body + " }" }

// TestRefused expects a volume's error to say what is wrong with it.
func TestRefused(t *testing.T) {
	const linear = `start_extent = 0 extent_count = 2 type = "striped" stripe_count = 1 stripes = ["pv0", 0]`
	kinds := map[string]string{}
	for _, kind := range []string{"thin", "thin-pool", "cache", "cache-pool", "writecache", "raid1", "raid10", "mirror", "vdo", "vdo-pool", "integrity", "error", "zero", "striped+NEW"} {
		kinds[one(fmt.Sprintf("start_extent = 0 extent_count = 2 type = %q", kind))] = "type " + kind + " is not read, only linear and striped"
	}
	replaced := func(part, by string) string { return one(strings.Replace(linear, part, by, 1)) }
	maps.Copy(kinds, map[string]string{
		one(linear): "",
		replaced("extent_count = 2", "extent_count = 11"):                                                    "extents 0+11 are not within the 10",
		replaced(`"pv0", 0`, `"pv0", 9`):                                                                     "extents 9+2 are not within the 10",
		replaced(`"pv0", 0`, `"pv0", -1`):                                                                    "stripe at extent -1",
		replaced(`"pv0", 0`, `"pvmove0", 0`):                                                                 `"pvmove0", which is no physical volume`,
		replaced("stripe_count = 1", "stripe_count = 0"):                                                     "2 extents in 0 stripes",
		replaced("stripe_count = 1", "stripe_count = 2"):                                                     "stripe_count is 2",
		replaced("start_extent = 0", "start_extent = 1"):                                                     "2 extents from 1, where 0 is next",
		replaced("extent_count = 2", "extent_count = 0"):                                                     "0 extents",
		replaced("extent_count = 2", "extent_count = 4294967296"):                                            "extent_count is 4294967296",
		replaced("stripe_count = 1 stripes = [", `stripe_count = 2 stripe_size = 0 stripes = ["pv0", 4, `):   "stripes of 0 bytes",
		replaced("stripe_count = 1 stripes = [", `stripe_count = 2 stripe_size = 3 stripes = ["pv0", 4, `):   "stripes of 1536 bytes",
		replaced("stripe_count = 1 stripes = [", `stripe_count = 2 stripe_size = 128 stripes = ["pv0", 4, `): "",
		"segment_count = 2 segment1 { " + linear + " }":                                                      "segment_count is 2",
		"segment_count = 0": "it has no segments",
		"":                  "segment_count is <nil>",
	})
	for segments, want := range kinds {
		g, err := parseGroup([]byte(describe(segments)))
		if err != nil {
			t.Fatalf("%s: %v", segments, err)
		}
		g.claim([]*Member{{Volume: zeros(64 << 20), Name: "disk", uuid: "P"}})
		v := g.volumes()[0]
		if (v.Err == nil) != (want == "") || v.Err != nil && (!strings.Contains(v.Err.Error(), want) || !strings.HasPrefix(v.Err.Error(), "logical volume vg/lv: ")) {
			t.Errorf("%s: error is %v, not about %q", segments, v.Err, want)
		}
		if want == "" && v.Size() != 8<<20 {
			t.Errorf("%s: %d bytes", segments, v.Size())
		}
	}
}

// TestSkipped expects volumes that are parts of others not to be listed.
func TestSkipped(t *testing.T) {
	text := strings.Replace(describe(""), `"VISIBLE"`, `"WRITE"`, 1)
	g, err := parseGroup([]byte(text))
	if err != nil || len(g.volumes()) > 0 {
		t.Errorf("listed: %v, %v", g.volumes(), err)
	}
	if g.physical["pv0"].device != `a "quoted" \ name` {
		t.Errorf("device is %s", g.physical["pv0"].device)
	}
}

// TestMerging refuses a volume into which a snapshot is being merged.
func TestMerging(t *testing.T) {
	text := strings.Replace(describe(""), "logical_volumes {", `logical_volumes {
		snapshot0 { status = ["READ"] segment1 { type = "snapshot" origin = "lv" merging_store = "old" } }
		old { id = "O" status = ["READ"] }`, 1)
	g, err := parseGroup([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range g.volumes() {
		if v.Err == nil || !strings.Contains(v.Err.Error(), map[string]string{"lv": "being merged", "old": "snapshot of lv"}[v.Name]) {
			t.Errorf("%s: %v", v, v.Err)
		}
	}
}

// TestMalformed expects an error with the line for text that is none.
func TestMalformed(t *testing.T) {
	var many strings.Builder
	for i := range maxVolumes + 1 {
		fmt.Fprintf(&many, "lv%d { } ", i)
	}
	for text, want := range map[string]string{
		"":                                "0 volume groups",
		"a {} b {}":                       "2 volume groups",
		"a {":                             "line 1: a section ends in the wrong place",
		"a {\n}\n}":                       "line 3: a section ends in the wrong place",
		"a {\n b = \n}":                   "is no value",
		"a { b }":                         "b has no value",
		"a { b = 1 b = 2 }":               "b is there twice",
		"a { b = \"x }":                   "a string does not end",
		"a { b = [1 2] }":                 "an array does not go on",
		"a { b = [[1]] }":                 "is no value",
		"a { b = 99999999999999999999 }":  "is no value",
		"? {}":                            "'?' is not a name",
		strings.Repeat("a {", 20):         "over 8 deep",
		`a { id = "x" }`:                  "a: seqno is <nil>",
		`a { seqno = 1 extent_size = 0 }`: "extents of no size",
		`a { seqno = 1 format = "lvm1" }`: `format "lvm1" is not read`,
		`a { seqno = 1 extent_size = 1 physical_volumes { p { pe_start = -1 } } }`: "pe_start is -1",
		"a { seqno = 1 logical_volumes { " + many.String() + "} }":                 "a: 4097 logical volumes",
	} {
		_, err := parseGroup([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, not about %q", text, err, want)
		}
	}
}

// TestMuchText expects text to be read only so far.
func TestMuchText(t *testing.T) {
	m := Member{Volume: memory(withText(describe("")))}
	left := uint64(100)
	if _, err := m.read(&left); err == nil || !strings.Contains(err.Error(), "bytes of text on all physical volumes") {
		t.Errorf("error is %v", err)
	}
	left = maxText
	if g, err := m.read(&left); err != nil || len(g) != 1 || left >= maxText {
		t.Errorf("%v, %v; %d left", g, err, left)
	}
}

// FuzzVolumes expects every volume of any text to be within its physical
// volume, and any disk to end in an error or in volumes.
func FuzzVolumes(f *testing.F) {
	f.Add(describe(one(`start_extent = 0 extent_count = 2 type = "striped" stripe_count = 1 stripes = ["pv0", 0]`)), uint16(0), byte(0))
	f.Add(describe(one(`start_extent = 0 extent_count = 4 type = "striped" stripe_size = 128 stripe_count = 2 stripes = ["pv0", 0, "pv0", 5]`)), uint16(520), byte(7))
	f.Fuzz(func(t *testing.T, text string, at uint16, change byte) {
		image := withText(text)
		image[int(at)%len(image)] ^= change
		m := []*Member{{Volume: memory(image), Name: "disk"}}
		for _, v := range Volumes(m) {
			check(t, v)
		}
		if g, err := parseGroup([]byte(text)); err == nil {
			g.claim([]*Member{{Volume: zeros(64 << 20), uuid: "P"}})
			for _, v := range g.volumes() {
				check(t, v)
			}
		}
	})
}

// check reads a volume's ends.
func check(t *testing.T, v *LogicalVolume) {
	t.Helper()
	if v.Size() < 0 {
		t.Errorf("%s has %d bytes", v, v.Size())
	}
	for _, off := range []int64{0, v.Size() / 2, v.Size() - 1} {
		if _, err := v.ReadAt(make([]byte, 1), max(off, 0)); v.Err == nil && err != nil && v.Size() > 0 {
			t.Errorf("%s at %d of %d: %v", v, off, v.Size(), err)
		}
	}
	v.Prefetch(0, v.Size())
}

// memory is a volume in memory.
type memory []byte

func (m memory) Size() int64         { return int64(len(m)) }
func (memory) Prefetch(off, n int64) {}
func (m memory) ReadAt(p []byte, off int64) (int, error) {
	return copy(p, m[off:]), nil
}

// withText is a physical volume whose metadata is text, in a ring of which it
// begins in the last part.
func withText(text string) []byte {
	const at, ring = 4096, 8192
	text = text[:min(len(text), ring-areaHeader-1)] + "\x00"
	b := make([]byte, at+ring)
	label := b[sector:][:sector]
	copy(label, labelMagic)
	le.PutUint64(label[8:], 1)
	le.PutUint32(label[20:], 32)
	copy(label[24:], labelType)
	copy(label[32:], "P")
	le.PutUint64(label[72+16:], at)
	le.PutUint64(label[72+24:], ring)
	le.PutUint32(label[16:], checksum(label[20:]))
	area := b[at:]
	copy(area[4:], areaMagic)
	le.PutUint32(area[20:], 1)
	le.PutUint64(area[24:], at)
	le.PutUint64(area[32:], ring)
	le.PutUint64(area[40:], ring-100)
	le.PutUint64(area[48:], uint64(len(text)))
	le.PutUint32(area[56:], checksum([]byte(text)))
	n := copy(area[ring-100:ring], text)
	copy(area[areaHeader:], text[n:])
	le.PutUint32(area, checksum(area[4:areaHeader]))
	return b
}

var _ = []disk.Volume{zeros(0), memory(nil)}
