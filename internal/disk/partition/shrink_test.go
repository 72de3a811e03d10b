package partition_test

import (
	"bytes"
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
