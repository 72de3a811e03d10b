package ntfs_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/ntfs"
)

// memory is a volume in memory.
type memory struct{ *bytes.Reader }

func (memory) Prefetch(int64, int64) {}

// FuzzFree changes bytes of a volume that Windows made: nothing may hang, panic,
// or be called free outside of the volume.
func FuzzFree(f *testing.F) {
	image, err := os.ReadFile(windows(f))
	if err != nil {
		f.Fatal(err)
	}
	const table, boot, bitmap = 3413 * 1024, 0, 3410 * 1024
	for _, at := range []uint32{boot + 11, boot + 13, boot + 40, boot + 48, boot + 64, table + 20, table + 60, table + 0x1c0, table + 6*1024 + 0x120, bitmap} {
		f.Add(at, []byte{0xff, 0xff})
		f.Add(at, []byte{0})
	}
	f.Fuzz(func(t *testing.T, at uint32, b []byte) {
		damaged := bytes.Clone(image)
		if int(at) < len(damaged) {
			copy(damaged[at:], b)
		}
		fs, err := ntfs.Open(memory{bytes.NewReader(damaged)})
		if err != nil {
			return
		}
		end := int64(0)
		for s, err := range fs.Free() {
			if err != nil {
				return
			}
			if s.Offset < end || s.Length <= 0 || s.Length > int64(len(damaged))-s.Offset {
				t.Fatalf("%+v after byte %d", s, end)
			}
			end = s.Offset + s.Length
		}
	})
}
