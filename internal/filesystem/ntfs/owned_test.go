package ntfs

import (
	"bytes"
	"strings"
	"testing"
)

// Clusters 0 to 63 are in use, and so are 128 to 191, of which 150 is owned.
func volumeOwners() *owners {
	o := &owners{used: make(bitmap, 25), owned: make(bitmap, 25), clusters: 200}
	o.used.set(0, 64)
	o.used.set(128, 192)
	o.owned.set(150, 151)
	return o
}

// nonResident is an attribute of so many clusters.
func nonResident(clusters int64, runs ...byte) []byte {
	a := make([]byte, nonResidentSize, nonResidentSize+len(runs))
	a[attributeResident] = 1
	le.PutUint16(a[attributeRuns:], nonResidentSize)
	le.PutUint64(a[attributeLast:], uint64(clusters-1))
	return append(a, runs...)
}

func TestRuns(t *testing.T) {
	for name, c := range map[string]struct {
		attribute []byte
		want      string
	}{
		"two runs, a hole between": {nonResident(0x28, 0x11, 0x10, 0x00, 0x01, 0x08, 0x21, 0x10, 0x80, 0x00, 0), ""},
		"backwards":                {nonResident(2, 0x21, 1, 0xbf, 0x00, 0x11, 1, 0x80, 0), ""},
		"none":                     {nonResident(0, 0), ""},
		"last cluster not said":    {nonResident(1, 0x11, 2, 5, 0), ""},
		"number of clusters":       {nonResident(3, 0x11, 2, 5, 0), "2 clusters of 3"},
		"free":                     {nonResident(2, 0x11, 2, 63, 0), "$Bitmap says that clusters are free among its 63+2"},
		"of another":               {nonResident(2, 0x21, 2, 149, 0, 0), "another owns clusters among its 149+2"},
		"its own again":            {nonResident(4, 0x11, 2, 5, 0x11, 2, 1, 0), "another owns clusters among its 6+2"},
		"the same place again":     {nonResident(2, 0x11, 1, 5, 0x11, 1, 0, 0), "another owns clusters among its 5+1"},
		"before the volume":        {nonResident(1, 0x11, 1, 0xff, 0), "clusters -1+1 are not on the volume"},
		"behind the volume":        {nonResident(9, 0x21, 9, 192, 0, 0), "clusters 192+9 are not on the volume"},
		"far behind":               {nonResident(1, 0x81, 1, 255, 255, 255, 255, 255, 255, 255, 127, 0), "are not on the volume"},
		"endless":                  {nonResident(1, 0x18, 255, 255, 255, 255, 255, 255, 255, 127, 1, 0), "are not on the volume"},
		"endless holes":            {nonResident(1, 0x08, 255, 255, 255, 255, 255, 255, 255, 127, 0x08, 255, 255, 255, 255, 255, 255, 255, 127, 0), "without number"},
		"no length":                {nonResident(1, 0x11, 0, 5, 0), "a run of 0 clusters"},
		"negative":                 {nonResident(1, 0x11, 0x80, 5, 0), "a run of -128 clusters"},
		"sizes":                    {nonResident(1, 0x91, 1, 5, 0), "a run begins with byte 0x91"},
		"cut short":                {nonResident(1, 0x41, 1, 5), "a run begins with byte 0x41"},
		"no end":                   {nonResident(1, 0x11, 1, 5), "its list of runs has no end"},
		"no room":                  {nonResident(1)[:nonResidentSize-8], "an attribute of 56 bytes"},
	} {
		err := volumeOwners().runs(c.attribute)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error is %v, want one that says %q", name, err, c.want)
		}
	}
}

// usedRecord is a record in use, as it is on the volume.
func usedRecord() []byte {
	r := deletedRecord()
	r[recordFlags] = flagInUse
	le.PutUint32(r[recordUsed:], uint32(bytes.Index(r, []byte("\xff\xff\xff\xff"))+8))
	le.PutUint32(r[recordNumber:], 30)
	return r
}

func TestRecord(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(r []byte)
		want   string
	}{
		"whole":           {func([]byte) {}, ""},
		"without number":  {func(r []byte) { le.PutUint32(r[recordNumber:], 0) }, ""},
		"another":         {func(r []byte) { le.PutUint32(r[recordNumber:], 31) }, "it says that it is number 31"},
		"magic":           {func(r []byte) { copy(r, "BAAD") }, `it begins with "BAAD"`},
		"torn":            {func(r []byte) { r[511]++ }, "was not written"},
		"in use":          {func(r []byte) { le.PutUint32(r[recordUsed:], 2000) }, "2000 bytes of 1024 are in use"},
		"nothing in use":  {func(r []byte) { le.PutUint32(r[recordUsed:], 0) }, "its attributes have no end"},
		"no end":          {func(r []byte) { le.PutUint32(r[recordUsed:], le.Uint32(r[recordUsed:])-8) }, "its attributes have no end"},
		"begins behind":   {func(r []byte) { le.PutUint16(r[recordAttributes:], 0xffff) }, "its attributes have no end"},
		"endless":         {func(r []byte) { le.PutUint32(r[0x38+attributeLength:], 0) }, "an attribute of 0 bytes"},
		"past the end":    {func(r []byte) { le.PutUint32(r[0x38+attributeLength:], 1<<31) }, "an attribute of 2147483648 bytes"},
		"runs in content": {func(r []byte) { r[0x38+attributeResident] = 1 }, "runs at byte"},
	} {
		r := usedRecord()
		c.damage(r)
		err := volumeOwners().add(r, 30, true)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error is %v, want one that says %q", name, err, c.want)
		}
	}
	if err := volumeOwners().add(usedRecord(), 30, false); err == nil || !strings.Contains(err.Error(), "free by $MFT's own bitmap") {
		t.Errorf("error is %v", err)
	}
}
