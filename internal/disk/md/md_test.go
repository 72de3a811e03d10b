package md

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/md/mdtest"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// memory is a volume in memory.
type memory []byte

func (m memory) Size() int64         { return int64(len(m)) }
func (memory) Prefetch(off, n int64) {}
func (m memory) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(m).ReadAt(p, off)
}

const dataSize = 1 << 20

func noise() []byte {
	b := make([]byte, dataSize)
	rand.New(rand.NewSource(1)).Read(b)
	return b
}

// arrays finds the arrays of the given members.
func arrays(images ...memory) ([]*Array, []*Member) {
	var list []*Member
	for i, image := range images {
		list = append(list, &Member{Volume: image, Name: fmt.Sprintf("disk %d", i+1)})
	}
	return Arrays(list), list
}

// TestVersions reads mirrors with all versions of superblocks. mdadm(8) agrees
// that they are right, and on what they say.
func TestVersions(t *testing.T) {
	fstest.RequireTool(t, "mdadm")
	content := noise()
	for _, version := range []string{"0.90", "1.0", "1.1", "1.2"} {
		t.Run(version, func(t *testing.T) {
			first := mdtest.Member{Version: version, Disks: 2, Level: 1, Events: 7, Name: "host:root"}
			second := first
			second.Number, second.Role = 1, 1
			images := []memory{second.Make(content), first.Make(content)}
			list, members := arrays(images...)
			if len(list) != 1 || list[0].Err != nil || len(list[0].Warnings) > 0 || members[0].Array != list[0] {
				t.Fatalf("arrays: %+v", list)
			}
			got := make([]byte, list[0].Size())
			if _, err := list[0].ReadAt(got, 0); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes differ: %v", len(got), err)
			}
			path := filepath.Join(t.TempDir(), "member")
			if err := os.WriteFile(path, images[0], 0o600); err != nil {
				t.Fatal(err)
			}
			said := fstest.Run(t, "mdadm", "--examine", path)
			wants := []string{list[0].UUID, "- correct", "raid1", "Raid Devices : 2", "Events : "}
			if version != "0.90" {
				wants = append(wants, "Version : "+version[:1], "Name : host:root", "Device Role : Active device 1", "State : clean")
			}
			for _, want := range wants {
				if !strings.Contains(said, want) {
					t.Errorf("mdadm does not say %q:\n%s", want, said)
				}
			}
			if want := map[bool]string{true: "3", false: "root"}[version == "0.90"]; list[0].Name != want {
				t.Errorf("name is %q", list[0].Name)
			}
		})
	}
}

// TestLeg picks the leg that is in step, or says why there is none.
func TestLeg(t *testing.T) {
	good := mdtest.Member{Version: "1.2", Disks: 2, Level: 1, Events: 7}
	with := func(change func(*mdtest.Member)) mdtest.Member {
		m := good
		m.Number, m.Role = 1, 1
		change(&m)
		return m
	}
	old := with(func(m *mdtest.Member) { m.Events = 6 })
	spare := with(func(m *mdtest.Member) { m.Role = -1 })
	rebuilding := with(func(m *mdtest.Member) { m.Features = featureRecovering })
	for name, c := range map[string]struct {
		members  []mdtest.Member
		leg      int // of members
		err      string
		warnings string
	}{
		"old first":   {[]mdtest.Member{old, good}, 1, "", ""},
		"spare first": {[]mdtest.Member{spare, good}, 1, "", ""},
		"rebuilding":  {[]mdtest.Member{rebuilding, good}, 1, "", ""},
		"one":         {[]mdtest.Member{good}, 0, "", "has 2 members, of which 1 are on the disks"},
		"unclean":     {[]mdtest.Member{good, with(func(m *mdtest.Member) { m.Unclean = true }), with(func(*mdtest.Member) {})}, 0, "", ""},
		"not stopped": {[]mdtest.Member{with(func(m *mdtest.Member) { m.Unclean = true; m.Disks = 1 })}, 0, "", "was not stopped cleanly"},
		"only spares": {[]mdtest.Member{spare}, 0, "none of its members that were given can be read; disk 1: it is a spare, faulty, or a journal", ""},
		"newer broken": {
			[]mdtest.Member{good, with(func(m *mdtest.Member) { m.Events, m.Features = 8, featureBadBlocks })},
			0,
			"can be read; disk 2: it has bad blocks; disk 1: it is out of date", "",
		},
		"raid5":     {[]mdtest.Member{with(func(m *mdtest.Member) { m.Level = 5 })}, 0, "level RAID5 is not read, only RAID1", ""},
		"raid0":     {[]mdtest.Member{with(func(m *mdtest.Member) { m.Level = 0 })}, 0, "level RAID0 is not read", ""},
		"linear":    {[]mdtest.Member{with(func(m *mdtest.Member) { m.Level = -1 })}, 0, "level linear is not read", ""},
		"reshape":   {[]mdtest.Member{with(func(m *mdtest.Member) { m.Features = featureReshape })}, 0, "being reshaped", ""},
		"old raid5": {[]mdtest.Member{with(func(m *mdtest.Member) { m.Version, m.Level = "0.90", 5 })}, 0, "level RAID5 is not read", ""},
		"old spare": {[]mdtest.Member{with(func(m *mdtest.Member) { m.Version, m.Role = "0.90", -1 })}, 0, "it is a spare or faulty", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var images []memory
			for i, m := range c.members {
				content := bytes.Repeat([]byte{byte(i + 1)}, dataSize)
				images = append(images, m.Make(content))
			}
			list, _ := arrays(images...)
			if len(list) != 1 {
				t.Fatalf("arrays: %v", list)
			}
			a, got := list[0], make([]byte, 1)
			_, err := a.ReadAt(got, 0)
			if c.err != "" {
				if a.Err == nil || !strings.Contains(a.Err.Error(), c.err) || err == nil {
					t.Errorf("error is %v, not %q", a.Err, c.err)
				}
				return
			}
			if a.Err != nil || err != nil || int(got[0]) != c.leg+1 {
				t.Errorf("leg %d: %v, %v", got[0], a.Err, err)
			}
			if w := strings.Join(a.Warnings, "; "); !strings.Contains(w, c.warnings) || (w == "") != (c.warnings == "") {
				t.Errorf("warnings are %q", w)
			}
		})
	}
}

// TestDamage expects superblocks that are not right to be refused, or, at a
// volume's end, to count for nothing.
func TestDamage(t *testing.T) {
	for _, version := range []string{"0.90", "1.0", "1.1", "1.2"} {
		m := mdtest.Member{Version: version, Disks: 2, Level: 1, Events: 7}
		at := m.Superblock(dataSize)
		image := m.Make(make([]byte, dataSize))
		image[at+80]++
		atStart := version == "1.1" || version == "1.2"
		list, members := arrays(image)
		if len(list) > 0 || (members[0].Err != nil) != atStart || Is(memory(image)) != atStart {
			t.Errorf("%s: %v, %v", version, list, members[0].Err)
		}
		if atStart && !strings.Contains(members[0].Err.Error(), "checksum mismatch") {
			t.Errorf("%s: %v", version, members[0].Err)
		}
	}
	moved := mdtest.Member{Version: "1.2", Disks: 2, Level: 1}.Make(make([]byte, dataSize))
	copy(moved, moved[4096:][:4096])
	if _, members := arrays(moved); members[0].Err == nil || !strings.Contains(members[0].Err.Error(), "it says that it is at sector 8") {
		t.Errorf("%v", members[0].Err)
	}
	short := mdtest.Member{Version: "1.2", Disks: 2, Level: 1}.Make(make([]byte, dataSize))[:512<<10]
	if list, _ := arrays(short); len(list) != 1 || list[0].Err == nil || !strings.Contains(list[0].Err.Error(), "disk 1: the member is cut short") {
		t.Errorf("%v", list)
	}
	if Is(make(memory, 100)) || Is(make(memory, 2<<20)) {
		t.Error("zeros are a member")
	}
}

// FuzzArrays changes members, and their checksums with them.
func FuzzArrays(f *testing.F) {
	for i := range 4 {
		f.Add(uint8(i), uint16(128), []byte{1, 2, 3})
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint16, change []byte) {
		m := mdtest.Member{Version: []string{"0.90", "1.0", "1.1", "1.2"}[which%4], Disks: 2, Level: 1}
		image := m.Make(make([]byte, dataSize))
		place := m.Superblock(dataSize)
		b := image[place:][:blockSize]
		copy(b[int(at)%blockSize:], change)
		if roles := int(le.Uint32(b[220:])); m.Version != "0.90" && roles <= (blockSize-256)/2 {
			le.PutUint32(b[216:], sumV1(b[:256+2*roles]))
		}
		list, _ := arrays(image, m.Make(make([]byte, dataSize)))
		for _, a := range list {
			if _, err := a.ReadAt(make([]byte, 1), a.Size()/2); a.Err == nil && err != nil && a.Size() > 0 {
				t.Error(err)
			}
		}
	})
}
