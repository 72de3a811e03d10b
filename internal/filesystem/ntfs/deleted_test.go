package ntfs

import (
	"bytes"
	"strings"
	"testing"
)

// deletedRecord is a record of a deleted file, as it is on the volume: with a
// time, and content that goes over the ends of two sectors.
func deletedRecord() []byte {
	r := make([]byte, 1024)
	copy(r, "FILE")
	le.PutUint16(r[recordFixups:], 0x30)
	le.PutUint16(r[recordFixupCount:], 3)
	le.PutUint16(r[recordAttributes:], 0x38)
	attribute := func(at int, kind uint32, size int, fill string) int {
		le.PutUint32(r[at:], kind)
		le.PutUint32(r[at+attributeLength:], uint32(attributeHeader+size))
		le.PutUint32(r[at+attributeSize:], uint32(size))
		le.PutUint16(r[at+attributeContent:], attributeHeader)
		copy(r[at+attributeHeader:], strings.Repeat(fill, size))
		return at + attributeHeader + size
	}
	at := attribute(0x38, 0x10, 48, "t")
	at = attribute(at, typeData, 600, "D")
	copy(r[at:], "\xff\xff\xff\xff\x00\x00\x00\x00")
	copy(r[at+8:], strings.Repeat("o", len(r))) // of earlier content
	for i, last := range []int{510, 1022} {
		copy(r[0x32+2*i:], r[last:last+2])
		copy(r[last:], "\x07\x01")
	}
	copy(r[0x30:], "\x07\x01")
	return r
}

// erase puts zeros where the content is.
func erase(t *testing.T, raw []byte) []byte {
	t.Helper()
	parts, err := deletedContent(raw)
	if err != nil {
		t.Fatal(err)
	}
	erased := bytes.Clone(raw)
	for _, s := range parts {
		if bytes.Equal(erased[s.Offset:s.Offset+s.Length], make([]byte, s.Length)) {
			t.Errorf("%+v is zero already", s)
		}
		clear(erased[s.Offset : s.Offset+s.Length])
	}
	return erased
}

func TestDeletedContent(t *testing.T) {
	raw := deletedRecord()
	erased := erase(t, raw)
	if err := unfix(erased); err != nil {
		t.Fatalf("the record is no longer whole: %v", err)
	}
	was := bytes.Clone(raw)
	if err := unfix(was); err != nil {
		t.Fatal(err)
	}
	for i, b := range was {
		// The header's copies of the sectors' last bytes are of the content.
		if isCopy := i >= 0x32 && i < 0x36; !isCopy && b != 'D' && b != 'o' && erased[i] != b {
			t.Errorf("byte %#x, not of the content, was %#x and is %#x", i, b, erased[i])
		}
	}
	if bytes.ContainsAny(erased[0x30:], "Do") {
		t.Errorf("content is left:\n%q", erased)
	}
	if n := bytes.Count(erased, []byte("t")); n != 48 {
		t.Errorf("%d bytes of its times are left of 48", n)
	}
	if again, err := deletedContent(erase(t, raw)); err != nil || len(again) > 0 {
		t.Errorf("after it was erased, there is %v, %v", again, err)
	}
}

// A record whose attributes make no sense is erased from there on; one that is
// not whole tells that the file table cannot be trusted.
func TestDeletedContentDamaged(t *testing.T) {
	second := 0x38 + attributeHeader + 48
	for name, damage := range map[string]func(r []byte){
		"length":  func(r []byte) { le.PutUint32(r[second+attributeLength:], 1<<20) },
		"no end":  func(r []byte) { le.PutUint32(r[second+attributeLength:], 0) },
		"size":    func(r []byte) { le.PutUint32(r[second+attributeSize:], 1<<31) },
		"content": func(r []byte) { le.PutUint16(r[second+attributeContent:], 1<<15) },
	} {
		raw := deletedRecord()
		damage(raw)
		if erased := erase(t, raw); bytes.ContainsAny(erased[0x30:], "Do") {
			t.Errorf("%s: content is left", name)
		}
	}
	for want, damage := range map[string]func(r []byte){
		"its sector 2 was not written":        func(r []byte) { r[1022]++ },
		"an array of 0 fixups":                func(r []byte) { le.PutUint16(r[recordFixupCount:], 0) },
		"an array of 3 fixups at byte 65535":  func(r []byte) { le.PutUint16(r[recordFixups:], 1<<16-1) },
		"its attributes begin at byte 1025":   func(r []byte) { le.PutUint16(r[recordAttributes:], 1025) },
		"its attributes begin at byte 50":     func(r []byte) { le.PutUint16(r[recordAttributes:], 50) },
		"an array of 3 fixups at byte 20":     func(r []byte) { le.PutUint16(r[recordFixups:], 20) },
		"an array of 65535 fixups at byte 48": func(r []byte) { le.PutUint16(r[recordFixupCount:], 1<<16-1) },
	} {
		raw := deletedRecord()
		damage(raw)
		if _, err := deletedContent(raw); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one that says %q", err, want)
		}
	}
}
