package rpmdb

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Tags and types of a header's fields (rpm's rpmtag.h).
const (
	tagName      = 1000
	tagVersion   = 1001
	tagRelease   = 1002
	tagEpoch     = 1003
	tagSummary   = 1004
	tagVendor    = 1011
	tagLicense   = 1014
	tagArch      = 1022
	tagSourceRPM = 1044

	typeInt32      = 4
	typeString     = 6
	typeI18NString = 9
)

var errHeader = errors.New("its header is damaged")

// parse reads the header of a package: the number of fields and the size of
// their data, a list of fields, and their data, all in network order.
func parse(b []byte) (Package, error) {
	if len(b) < 8 {
		return Package{}, errHeader
	}
	count, size := int64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint32(b[4:]))
	if count > int64(len(b))/16 || 8+16*count+size > int64(len(b)) {
		return Package{}, errHeader
	}
	fields, data := b[8:8+16*count], b[8+16*count:8+16*count+size]
	var p Package
	texts := map[uint32]*string{
		tagName: &p.Name, tagVersion: &p.Version, tagRelease: &p.Release, tagSummary: &p.Summary, tagVendor: &p.Vendor,
		tagLicense: &p.License, tagArch: &p.Architecture, tagSourceRPM: &p.Source,
	}
	for ; len(fields) > 0; fields = fields[16:] {
		tag, kind, at := binary.BigEndian.Uint32(fields), binary.BigEndian.Uint32(fields[4:]), int64(binary.BigEndian.Uint32(fields[8:]))
		switch to := texts[tag]; {
		case to != nil && (kind == typeString || kind == typeI18NString):
			if at >= size {
				return Package{}, errHeader
			}
			value, _, ok := bytes.Cut(data[at:], []byte{0})
			if !ok {
				return Package{}, errHeader
			}
			*to = string(value)
		case tag == tagEpoch && kind == typeInt32:
			if at+4 > size {
				return Package{}, errHeader
			}
			p.Epoch = int(binary.BigEndian.Uint32(data[at:]))
		}
	}
	if p.Name == "" {
		return Package{}, errHeader
	}
	return p, nil
}
