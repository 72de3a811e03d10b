package partition_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/changed"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/disktest"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/partition"
)

// shrink shrinks the disk in a file and returns what comes out, as a file.
func shrink(t *testing.T, path string) (out string, gone []partition.Partition, err error) {
	t.Helper()
	before := readFile(t, path)
	base, err := disk.Open(t.Context(), path, disk.Options{Format: "raw", InProcess: true})
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	d := changed.New(base, t.TempDir())
	defer d.Close()
	if gone, err = partition.Shrink(d); err != nil {
		return "", nil, err
	}
	data := make([]byte, d.Size())
	if _, err := d.ReadAt(data, 0); err != nil {
		t.Fatal(err)
	}
	out = filepath.Join(t.TempDir(), "out.raw")
	if err := os.WriteFile(out, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, readFile(t, path)) {
		t.Error("the disk itself was changed")
	}
	return out, gone, nil
}

// fill writes something into a sector of a disk.
func fill(t *testing.T, path string, offset int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("data"), offset); err != nil {
		t.Fatal(err)
	}
}

func TestShrink(t *testing.T) {
	path := makeDisk(t, 64<<20, "sgdisk", "", "-n=1:2048:+5M", "-n=5:0:+7M", "-n=3:0:+9M", "-n=2:0:+4M", "-t=2:8300")
	fill(t, path, 1<<20)
	fill(t, path, 13<<20-5) // the last bytes of partition 5
	before := readTable(t, readFile(t, path))
	out, gone, err := shrink(t, path)
	if err != nil {
		t.Fatal(err)
	}
	var numbers []int
	for _, p := range gone {
		numbers = append(numbers, p.Number)
	}
	if d := cmp.Diff([]int{2, 3}, numbers); d != "" {
		t.Errorf("gone (-want +got):\n%s", d)
	}
	data := readFile(t, out)
	if len(data) != 14<<20 { // 13 MiB and the backup
		t.Errorf("%d bytes are left", len(data))
	}
	after := readTable(t, data)
	want := []partition.Partition{before.Partitions[0], before.Partitions[3]}
	if d := cmp.Diff(want, after.Partitions); d != "" || len(after.Warnings) > 0 || after.DiskID != before.DiskID {
		t.Errorf("%v (-want +got):\n%s", after.Warnings, d)
	}
	if said := disktest.Run(t, "", "sgdisk", "-v", out); !strings.Contains(said, "No problems found") {
		t.Errorf("sgdisk says:\n%s", said)
	}
	disktest.Run(t, "", "sfdisk", "--verify", out)
	if !bytes.Equal(data[1<<20:13<<20], readFile(t, path)[1<<20:13<<20]) {
		t.Error("what is in the partitions has changed")
	}
	// The backup alone tells the same.
	clear(data[512 : 34*512])
	if d := cmp.Diff(want, readTable(t, data).Partitions); d != "" {
		t.Errorf("backup (-want +got):\n%s", d)
	}
	again, gone, err := shrink(t, out)
	if err != nil || len(gone) > 0 || !bytes.Equal(readFile(t, again), readFile(t, out)) {
		t.Errorf("a second time it is something else: %v, error %v", gone, err)
	}
}

// What serves without a byte in it stays, and so does the only partition.
func TestShrinkKeeps(t *testing.T) {
	for name, args := range map[string][]string{
		"reserved": {"-n=1:2048:+1M", "-n=2:0:+1M", "-t=2:0c01"},
		"only":     {"-n=1:2048:+2M"},
	} {
		out, gone, err := shrink(t, makeDisk(t, 16<<20, "sgdisk", "", args...))
		if err != nil || len(gone) > 0 {
			t.Fatalf("%s: gone are %v, error %v", name, gone, err)
		}
		if got := len(readFile(t, out)); got != 4<<20 {
			t.Errorf("%s: %d bytes are left", name, got)
		}
	}
}

func TestShrinkLargeSectors(t *testing.T) {
	const sector = 4096
	small, large := gptDisk(t), make([]byte, 8<<20)
	copy(large, small[:512])
	copy(large[sector:], small[512:1024])
	copy(large[2*sector:], small[1024:34*512])
	seal(large, sector, sector)
	path := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(path, large, 0o600); err != nil {
		t.Fatal(err)
	}
	fill(t, path, 100*sector)
	before := readTable(t, readFile(t, path))
	out, gone, err := shrink(t, path)
	if err != nil || len(gone) != 1 {
		t.Fatalf("gone are %v, error %v", gone, err)
	}
	data := readFile(t, out)
	if d := cmp.Diff(before.Partitions[:1], byPartx(t, out, sector)); d != "" || len(data) != 1<<20 {
		t.Errorf("%d bytes, by partx (-want +got):\n%s", len(data), d)
	}
	clear(data[sector : 6*sector])
	if d := cmp.Diff(before.Partitions[:1], readTable(t, data).Partitions); d != "" {
		t.Errorf("backup (-want +got):\n%s", d)
	}
}

func TestShrinkRefuses(t *testing.T) {
	mbr := makeDisk(t, 4<<20, "sfdisk", "label: dos\nstart=2048, size=2048\n", "-q")
	damaged := filepath.Join(t.TempDir(), "damaged")
	data := gptDisk(t)
	data[512+60]++
	if err := os.WriteFile(damaged, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{mbr: "is mbr", damaged: "is not in order"} {
		if _, _, err := shrink(t, path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one that says %q", err, want)
		}
	}
}

// Whatever is odd about a table, what comes out is in order, and what is in the
// partitions that are left is as before.
func TestShrinkOdd(t *testing.T) {
	two := []string{"-n=1:2048:+3M", "-n=2:0:+2M"}
	for name, c := range map[string]struct {
		size int64
		args []string
		odd  func(t *testing.T, path string)
		want int64 // MiB
	}{
		"large table":   {16 << 20, append([]string{"--resize-table=1024"}, two...), nil, 5},
		"moved table":   {16 << 20, append(two, "--move-main-table=1500"), nil, 5},
		"unaligned":     {16 << 20, []string{"-a=1", "-n=3:40:3000", "-n=1:3001:9001", "-n=2:0:+1M"}, nil, 5},
		"size":          {16<<20 + 1024, two, nil, 5},
		"part sector":   {16 << 20, two, func(t *testing.T, path string) { disktest.Run(t, "", "truncate", "-s", "+100", path) }, 5},
		"grown":         {12 << 20, two, func(t *testing.T, path string) { disktest.Run(t, "", "truncate", "-s", "16M", path) }, 5},
		"no backup":     {16 << 20, two, func(t *testing.T, path string) { disktest.Run(t, "", "truncate", "-s", "12M", path) }, 5},
		"largest MBR":   {16 << 20, two, func(t *testing.T, path string) { write(t, path, 458, "\xff\xff\xff\xff") }, 5},
		"all of it":     {8 << 20, []string{"-n=1:2048:0"}, nil, 8},
		"last is small": {8 << 20, []string{"-a=1", "-n=1:2048:16349", "-n=2:16350:16350"}, nil, 8},
	} {
		t.Run(name, func(t *testing.T) {
			path := makeDisk(t, c.size, "sgdisk", "", c.args...)
			for _, p := range readTable(t, readFile(t, path)).Partitions {
				if p.Number != 2 {
					fill(t, path, p.Offset)
					fill(t, path, p.Offset+p.Size-4)
				}
			}
			if c.odd != nil {
				c.odd(t, path)
			}
			before := readFile(t, path)
			out, _, err := shrink(t, path)
			if err != nil {
				t.Fatal(err)
			}
			after := readFile(t, out)
			if int64(len(after))>>20 != c.want {
				t.Errorf("%d bytes are left", len(after))
			}
			if said := disktest.Run(t, "", "sgdisk", "-v", out); !strings.Contains(said, "No problems found") {
				t.Errorf("sgdisk says:\n%s", said)
			}
			var want []partition.Partition
			for _, p := range readTable(t, before).Partitions {
				if p.Number != 2 {
					want = append(want, p)
				}
			}
			if d := cmp.Diff(want, readTable(t, after).Partitions); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			for _, p := range want {
				if end := p.Offset + p.Size; !bytes.Equal(before[p.Offset:end], after[p.Offset:end]) {
					t.Errorf("what is in partition %d has changed", p.Number)
				}
			}
		})
	}
}

// write writes a text into a file.
func write(t *testing.T, path string, offset int64, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(text), offset); err != nil {
		t.Fatal(err)
	}
}

// A table that leaves no room for what has to be written is refused.
func TestShrinkWithoutRoom(t *testing.T) {
	le := binary.LittleEndian
	move := func(data []byte, sector uint64) {
		copy(data[sector*512:], data[1024:34*512])
		clear(data[1024 : 34*512])
		le.PutUint64(data[512+72:], sector)
	}
	sound := readFile(t, makeDisk(t, 8<<20, "sgdisk", "", "-n=1:2048:+1M", "-n=2:0:+1M"))
	for want, damage := range map[string]func(data []byte){
		"no room for the table's backup": func(data []byte) { // an empty partition is in the last sector
			last := uint64(len(data)/512 - 1)
			le.PutUint64(data[1024+40:], last-1)
			le.PutUint64(data[1024+128+32:], last)
			le.PutUint64(data[1024+128+40:], last)
			clear(data[last*512:])
		},
		"at sector 14336, is not in front": func(data []byte) { move(data, 7<<20/512) },
		"at sector 3072, is not in front":  func(data []byte) { move(data, 3<<19/512) },
	} {
		data := bytes.Clone(sound)
		copy(data[1<<20:], "data")
		damage(data)
		seal(data, 512, 512)
		path := filepath.Join(t.TempDir(), "disk.raw")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, gone, err := shrink(t, path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("gone are %v, error is %v, want one that says %q", gone, err, want)
		}
	}
}
