package xfs

import (
	"bytes"
	"strings"
	"testing"
)

// TestLastRecord changes what the last record of a clean log says.
func TestLastRecord(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(log []byte, record int)
		want   string
	}{
		{"as it was", func([]byte, int) {}, ""},
		{"other operation", func(log []byte, record int) { log[record+sectorSize+opFlags] &^= opUnmount }, "not unmounted cleanly"},
		{"two operations", func(log []byte, record int) { be.PutUint32(log[record+recordOps:], 2) }, "not unmounted cleanly"},
		{"longer", func(log []byte, record int) { be.PutUint32(log[record+recordLength:], 1024) }, "not unmounted cleanly"},
		{"endless", func(log []byte, record int) { be.PutUint32(log[record+recordLength:], 1<<32-1) }, "not unmounted cleanly"},
		{"empty", func(log []byte, record int) { be.PutUint32(log[record+recordLength:], 0) }, "not unmounted cleanly"},
		{"endless header", func(log []byte, record int) { be.PutUint32(log[record+recordSize:], 1<<32-1) }, "not unmounted cleanly"},
		{"torn one after it", func(log []byte, record int) {
			copy(log[record+2*sectorSize:], log[record+4:][:4])
		}, "not unmounted cleanly"},
		{"overwritten", func(log []byte, record int) { copy(log[record:], log[record+4:][:4]) }, "not unmounted cleanly"},
		{"none", func(log []byte, _ int) {
			for ; len(log) > 0; log = log[sectorSize:] {
				be.PutUint32(log, 1)
			}
		}, "no record before sector"},
		{"never written to", func(log []byte, _ int) { clear(log) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := openSeed(t, "v5")
			sb := i.fs.sb
			first, err := sb.physical(sb.logStart, uint64(sb.logBlocks))
			if err != nil {
				t.Fatal(err)
			}
			log := i.bytes[int64(first)<<sb.blockLog:][:int64(sb.logBlocks)<<sb.blockLog]
			// xfs_repair begins the log anew, and leaves headers of old behind.
			c.change(log, bytes.Index(log, be.AppendUint32(nil, recordMagic)))
			_, err = Open(bytesVolume{bytes.NewReader(i.bytes)})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error is %v, not about %q", err, c.want)
			}
		})
	}
}
