package partition_test

import (
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/partition"
)

// A fuzzed disk of 256 sectors is made of a seed's first four sectors, its
// fifth as the last one, and the others from sector 64 on.
const (
	fuzzFront   = 4 * 512
	fuzzBack    = 5 * 512
	fuzzSize    = 256 * 512
	fuzzLogical = 64 * 512
)

func fuzzDisk(seed []byte) []byte {
	data := make([]byte, fuzzSize)
	part := func(from, to int) []byte { return seed[min(from, len(seed)):min(to, len(seed))] }
	copy(data[fuzzLogical:], part(fuzzBack, fuzzSize-fuzzLogical))
	copy(data[:fuzzFront], part(0, fuzzFront))
	copy(data[fuzzSize-512:], part(fuzzFront, fuzzBack))
	return data
}

// FuzzRead holds every partition to be on its disk, and reading to end.
func FuzzRead(f *testing.F) {
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, seed []byte, sealed bool) {
		data := fuzzDisk(seed)
		if sealed { // else nearly all would end at a checksum
			seal(data, 512, 512)
		}
		table, err := partition.Read(volume(data))
		if err != nil {
			return
		}
		for _, p := range table.Partitions {
			if _, err := p.Volume(volume(data)); err != nil {
				t.Error(err)
			}
			if p.Number < 1 || p.Size <= 0 || table.Scheme == partition.None {
				t.Errorf("partition %+v in scheme %s", p, table.Scheme)
			}
		}
	})
}
