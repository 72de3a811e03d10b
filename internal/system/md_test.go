package system_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/md/mdtest"
	"github.com/packer-maas/packer-plugin-maas/internal/system"
)

// leg is a partition that is a member of a mirror of two.
func leg(t *testing.T, image, version, name string, number int) part {
	t.Helper()
	content, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	m := mdtest.Member{Version: version, Number: number, Role: number, Disks: 2, Level: 1, Name: name}
	member := m.Make(content)
	path := filepath.Join(t.TempDir(), "leg")
	if err := os.WriteFile(path, member, 0o600); err != nil {
		t.Fatal(err)
	}
	// gpt rounds partitions up, and these versions are found from the end.
	if len(member)%(1<<20) != 0 {
		t.Fatalf("%d bytes are no whole MiB", len(member))
	}
	return part{image: path, kind: "raid"}
}

// fits makes a file a size that mdtest and gpt make whole MiBs of.
func fits(t *testing.T, image string) string {
	t.Helper()
	info, err := os.Stat(image)
	if err != nil {
		t.Fatal(err)
	}
	const around = 384 << 10 // mdtest's
	if err := os.Truncate(image, (info.Size()+around+1<<20-1)&^(1<<20-1)-around); err != nil {
		t.Fatal(err)
	}
	return image
}

// TestOpenRAID reads a system whose root is a mirror, from both of its disks
// and from one.
func TestOpenRAID(t *testing.T) {
	for name, c := range map[string]struct{ version, array, fstab string }{
		"1.2":      {"1.2", "host:boot", "/dev/md/boot /boot ext4\n"},
		"1.2 host": {"1.2", "host:boot", "/dev/md/host:boot /boot ext4\n"},
		"1.0":      {"1.0", "any:0", "/dev/md0 /boot ext4\n"},
		"1.1":      {"1.1", "0", "/dev/disk/by-id/md-name-host:0 /boot ext4\n"},
		"0.90":     {"0.90", "", "/dev/disk/by-id/md-uuid-11223344:11223345:11223346:11223347 /boot ext4\n"},
		"uuid":     {"1.2", "", "UUID=" + bootUUID + " /boot ext4\n"},
	} {
		t.Run(name, func(t *testing.T) {
			boot := fits(t, ext4(t, map[string]string{"vmlinuz": "kernel"}, "-U", bootUUID))
			first := gpt(t, leg(t, boot, c.version, c.array, 0), part{image: ext4(t, root(c.fstab))})
			second := openDisk(t, gpt(t, leg(t, boot, c.version, c.array, 1)))
			for _, more := range [][]disk.Volume{{second}, nil} {
				s, err := system.Open(openDisk(t, first), system.Options{MoreDisks: more})
				if err != nil {
					t.Fatal(err)
				}
				if got := readTree(t, s)["boot/vmlinuz"]; got != "kernel" {
					t.Errorf("/boot has %q", got)
				}
				notes := strings.Join(s.Notes, "; ")
				if (notes != "") != (more == nil) || more == nil && !strings.Contains(notes, "has 2 members, of which 1 are") {
					t.Errorf("notes: %s", notes)
				}
			}
		})
	}
}

// TestOpenPartitionedRAID finds partitions on an array, and LVM's like on it.
func TestOpenPartitionedRAID(t *testing.T) {
	inner := fits(t, gpt(
		t,
		part{image: ext4(t, map[string]string{"vmlinuz": "kernel"})},
		part{image: ext4(t, root("/dev/md0p1 /boot ext4\n"))},
	))
	s, err := system.Open(openDisk(t, gpt(t, leg(t, inner, "1.2", "h:0", 0))), system.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"/": "RAID array 0, partition 2", "/boot": "RAID array 0, partition 1"}
	if diff := cmp.Diff(want, mounts(s)); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
}

// TestOpenRAIDRefuses names the level that is not read.
func TestOpenRAIDRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "member")
	m := mdtest.Member{Version: "1.2", Disks: 3, Level: 5, Name: "data"}
	if err := os.WriteFile(path, m.Make(make([]byte, 1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := system.Open(openDisk(t, path), system.Options{})
	for _, want := range []string{"no operating system", "the whole disk, 1.4 MiB: linux_raid_member of RAID array data", "RAID array data, 1.0 MiB: cannot be read: RAID array data: level RAID5 is not read, only RAID1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %q:\n%v", want, err)
		}
	}
}
