package lvm_test

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/lvm"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/lvm/lvmtest"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

const diskSize = 64 << 20

// disks makes empty disks.
func disks(t *testing.T, count int) []string {
	t.Helper()
	var paths []string
	for i := range count {
		path := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, diskSize); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// noise is a file of random bytes, the same for each seed.
func noise(t *testing.T, seed int64, size int) (path string, data []byte) {
	t.Helper()
	data = make([]byte, size)
	rand.New(rand.NewSource(seed)).Read(data)
	path = filepath.Join(t.TempDir(), "noise")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, data
}

func members(t *testing.T, paths ...string) []*lvm.Member {
	t.Helper()
	var list []*lvm.Member
	for _, path := range paths {
		list = append(list, &lvm.Member{Volume: fstest.Volume(t, path), Name: "disk " + filepath.Base(path)})
	}
	return list
}

// group makes a group of the disks, and devices for it until detach.
func group(t *testing.T, l *lvmtest.LVM, name string, paths []string, options ...string) (devices []string, detach func()) {
	t.Helper()
	var ends []func()
	for _, path := range paths {
		device, end := l.Device(path, 0, diskSize)
		devices, ends = append(devices, device), append(ends, end)
	}
	l.Run(append([]string{"vgcreate", "-q", "-s", "4m", name}, append(options, devices...)...)...)
	return devices, func() {
		for _, end := range ends {
			end()
		}
	}
}

// TestVolumes reads what lvm(8) made: volumes in pieces, in stripes, over
// several disks, of groups and names with dashes.
func TestVolumes(t *testing.T) {
	l := lvmtest.New(t)
	paths := disks(t, 3)
	devices, detach := group(t, l, "vg-x", paths)
	l.Create("-L", "12m", "-n", "root", "vg-x", devices[0])
	l.Create("-L", "8m", "-n", "between", "vg-x", devices[0])
	l.Create("-L", "24m", "-i", "3", "-I", "64k", "-n", "st-riped", "vg-x")
	l.Run("lvextend", "-q", "-L", "60m", "vg-x/root")
	want := map[string][]byte{}
	for i, name := range []string{"root", "between", "st-riped"} {
		size := []int{60 << 20, 8 << 20, 24 << 20}[i]
		var path string
		path, want[name] = noise(t, int64(i), size)
		l.Fill("vg-x/"+name, path)
	}
	detach()
	found := lvm.Volumes(members(t, paths...))
	if len(found) != 3 {
		t.Fatalf("found %v", found)
	}
	for _, v := range found {
		if v.Err != nil || v.Size() != int64(len(want[v.Name])) {
			t.Fatalf("%s: %d bytes: %v", v, v.Size(), v.Err)
		}
		got := make([]byte, v.Size())
		if _, err := v.ReadAt(got, 0); err != nil || !bytes.Equal(got, want[v.Name]) {
			t.Errorf("%s differs: %v", v, err)
		}
		// Across the ends of pieces and stripes.
		for off := int64(0); off < v.Size(); off += 1<<20 - 777 {
			part := make([]byte, min(200_000, v.Size()-off))
			if _, err := v.ReadAt(part, off); err != nil || !bytes.Equal(part, want[v.Name][off:][:len(part)]) {
				t.Fatalf("%s differs at %d: %v", v, off, err)
			}
			v.Prefetch(off, 1<<20)
		}
	}
	if s := found[2]; s.String() != "vg-x/st-riped" || s.Mapper() != "vg--x-st--riped" {
		t.Errorf("names are %s, %s", s, s.Mapper())
	}
}

// TestMissing names the physical volumes that are not there, or twice; what
// needs none of them is read.
func TestMissing(t *testing.T) {
	l := lvmtest.New(t)
	paths := disks(t, 2)
	devices, detach := group(t, l, "vg", paths)
	l.Create("-L", "8m", "-n", "first", "vg", devices[0])
	l.Create("-L", "100m", "-n", "both", "vg")
	detach()
	errs := func(paths ...string) map[string]string {
		found := map[string]string{}
		for _, v := range lvm.Volumes(members(t, paths...)) {
			found[v.Name] = fmt.Sprint(v.Err)
		}
		return found
	}
	for name, c := range map[string]struct {
		paths []string
		first string
		both  string
	}{
		"all":       {paths, "<nil>", "<nil>"},
		"reversed":  {[]string{paths[1], paths[0]}, "<nil>", "<nil>"},
		"one":       {paths[:1], "<nil>", "logical volume vg/both: segment1: the physical volume pv1 (UUID "},
		"the other": {paths[1:], "segment1: the physical volume pv0 (UUID ", "segment2: the physical volume pv0 (UUID "},
		"twice":     {[]string{paths[0], paths[0], paths[1]}, "is there 2 times: disk 0; disk 0", "is there 2 times: disk 0; disk 0"},
		"cut short": {[]string{cut(t, paths[0]), paths[1]}, "<nil>", "disk cut: the physical volume is cut short"},
	} {
		t.Run(name, func(t *testing.T) {
			got := errs(c.paths...)
			if !strings.Contains(got["first"], c.first) || !strings.Contains(got["both"], c.both) {
				t.Errorf("errors are %q", got)
			}
		})
	}
}

// cut copies the first half of a disk.
func cut(t *testing.T, path string) string {
	t.Helper()
	short := filepath.Join(t.TempDir(), "cut")
	fstest.Run(t, "cp", path, short)
	if err := os.Truncate(short, diskSize/2); err != nil {
		t.Fatal(err)
	}
	return short
}

// TestMetadataAreas reads groups whose metadata is not on every physical volume,
// is there twice, is older on one, or has gone round its ring.
func TestMetadataAreas(t *testing.T) {
	l := lvmtest.New(t)
	paths := disks(t, 3)
	var devices []string
	var ends []func()
	for i, path := range paths {
		device, end := l.Device(path, 0, diskSize)
		devices, ends = append(devices, device), append(ends, end)
		l.Run("pvcreate", "-q", "--metadatasize", "64k", "--pvmetadatacopies", []string{"2", "0", "1"}[i], device)
	}
	l.Run(append([]string{"vgcreate", "-q", "-s", "1m", "vg"}, devices...)...)
	for i := range 30 { // each writes some KiB of text
		l.Create("-l", "1", "-n", fmt.Sprintf("lv%d", i), "vg")
	}
	old := filepath.Join(t.TempDir(), "old")
	fstest.Run(t, "cp", paths[2], old)
	path, want := noise(t, 1, 4<<20)
	l.Create("-L", "4m", "-n", "newest", "vg", devices[0])
	l.Fill("vg/newest", path)
	for _, end := range ends {
		end()
	}
	check := func(paths ...string) {
		t.Helper()
		found := lvm.Volumes(members(t, paths...))
		if len(found) != 31 {
			t.Fatalf("found %v", found)
		}
		got := make([]byte, 4<<20)
		v := found[len(found)-1]
		if _, err := v.ReadAt(got, 0); err != nil || v.Name != "newest" || !bytes.Equal(got, want) {
			t.Errorf("%s differs: %v", v, err)
		}
	}
	check(paths...)
	check(old, paths[1], paths[0])
	// Its first area is damaged: the second one tells.
	damage(t, paths[0], 4096+600)
	damage(t, paths[0], 4096)
	check(paths[0], paths[1], old)
	// So is the only one of another, which the first knows.
	damage(t, paths[2], 4096)
	m := members(t, paths...)
	if found := lvm.Volumes(m); len(found) != 31 || m[0].Err != nil || m[2].Err == nil || m[2].Group != "vg" {
		t.Errorf("%d found; members are %+v", len(found), m[2])
	}
	// Alone, it says what is wrong with it.
	m = members(t, paths[2])
	const says = "LVM metadata area 0: checksum mismatch in its header"
	if found := lvm.Volumes(m); len(found) > 0 || m[0].Err == nil || m[0].Err.Error() != says {
		t.Errorf("found %v: %v", found, m[0].Err)
	}
}

// damage changes a byte.
func damage(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// TestSnapshot refuses a snapshot by name and reads its origin. There is no
// device mapper to make one, so the tools restore a description of it.
func TestSnapshot(t *testing.T) {
	l := lvmtest.New(t)
	paths := disks(t, 1)
	_, detach := group(t, l, "vg", paths)
	l.Create("-L", "8m", "-n", "root", "vg")
	path, want := noise(t, 1, 8<<20)
	l.Fill("vg/root", path)
	backup := filepath.Join(t.TempDir(), "backup")
	l.Run("vgcfgbackup", "-q", "-f", backup, "vg")
	text, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	const volumes = "logical_volumes {"
	added := strings.Replace(string(text), volumes, volumes+snapshot, 1)
	if err := os.WriteFile(backup, []byte(added), 0o600); err != nil {
		t.Fatal(err)
	}
	l.Run("vgcfgrestore", "-q", "-y", "-f", backup, "vg")
	if said := l.Run("lvs", "--noheadings", "-o", "origin", "vg/snap"); strings.TrimSpace(said) != "root" {
		t.Fatalf("lvs says that it is no snapshot: %s", said)
	}
	detach()
	found := lvm.Volumes(members(t, paths...))
	if len(found) != 2 || found[1].Err == nil || !strings.Contains(found[1].Err.Error(), "vg/snap: it is a snapshot of root") || found[1].Size() != 4<<20 {
		t.Fatalf("found %+v", found)
	}
	if _, err := found[1].ReadAt(make([]byte, 1), 0); err == nil {
		t.Error("the snapshot was read")
	}
	got := make([]byte, 8<<20)
	if _, err := found[0].ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the origin differs: %v", err)
	}
}

const snapshot = `
snap {
	id = "SnapAa-0000-0000-0000-0000-0000-000001" status = ["READ", "WRITE", "VISIBLE"] segment_count = 1
	segment1 { start_extent = 0 extent_count = 1 type = "striped" stripe_count = 1 stripes = [ "pv0", 5 ] }
}
snapshot0 {
	id = "SnapAa-0000-0000-0000-0000-0000-000002" status = ["READ", "WRITE", "VISIBLE"] segment_count = 1
	segment1 { start_extent = 0 extent_count = 2 type = "snapshot" chunk_size = 8 origin = "root" cow_store = "snap" }
}
`
