package system_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-maas/packer-plugin-maas/internal/system"
)

const (
	bootUUID = "11111111-2222-3333-4444-555555555555"
	espUUID  = "ABCD-1234"
	partUUID = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	release  = "ID=test\nPRETTY_NAME=\"Test Linux 1 \\\"One\\\"\"\n"
)

// root is a system's root file system with the given fstab.
func root(fstab string) map[string]string {
	return map[string]string{
		"etc/fstab": fstab, "etc/os-release": release, "usr/bin/true": "x",
		"boot/efi/": "", "boot/hidden": "by the mount",
	}
}

// threeParts is a disk with an EFI system partition, /boot and the root.
func threeParts(t *testing.T, fstab string) string {
	t.Helper()
	return gpt(
		t,
		part{image: vfat(t, map[string]string{"EFI/BOOT/BOOTX64.EFI": "efi"}, "-i", "ABCD1234"), kind: "uefi", name: "esp", uuid: partUUID},
		part{image: ext4(t, map[string]string{"vmlinuz": "kernel", "efi/": ""}, "-L", "BOOT FS", "-U", bootUUID), name: "boot part"},
		part{image: ext4(t, root(fstab))},
	)
}

func mounts(s *system.System) map[string]string {
	found := map[string]string{}
	for _, m := range s.Mounts {
		found[m.Path] = m.Volume.Name()
	}
	return found
}

func TestOpenJoinsWhatFstabMounts(t *testing.T) {
	tests := map[string]string{
		"uuid":         "UUID=" + bootUUID + " /boot ext4 defaults 0 2\nUUID=" + espUUID + " /boot/efi vfat umask=0077 0 1",
		"inner first":  "UUID=abcd-1234 /boot/efi vfat\nUUID=\"" + strings.ToUpper(bootUUID) + "\" /boot ext4",
		"label":        `LABEL=BOOT\040FS /boot ext4` + "\nPARTLABEL=esp /boot/efi vfat",
		"partition":    `PARTLABEL=boot\040part /boot/ ext4` + "\nPARTUUID=" + strings.ToUpper(partUUID) + " /boot/efi vfat",
		"udev links":   `/dev/disk/by-label/BOOT\134x20FS /boot ext4` + "\n/dev/disk/by-partuuid/" + partUUID + " /boot/efi auto",
		"more links":   "/dev/disk/by-uuid/" + bootUUID + ` /boot ext4` + "\n/dev/disk/by-partlabel/esp /boot/efi auto",
		"kernel names": "/dev/vda2 /boot ext4\n/dev/vda1 /boot/efi vfat",
		"other names":  "/dev/nvme0n1p2 /boot ext4\n/dev/sda1 /boot/efi vfat",
		"with noise": "# a comment\n\nproc /proc proc defaults\ntmpfs /tmp tmpfs\n/swapfile none swap sw\n" +
			"//server/share /mnt cifs\nserver:/x /mnt nfs\n/usr /mnt none bind\n/dev/sr0 /media auto noauto\n" +
			"UUID=0000 /data xfs nofail,x-systemd.device-timeout=1\nUUID=1234 none swap sw\n" +
			"UUID=" + bootUUID + " /boot ext4\nUUID=" + espUUID + "\t/boot/efi\tvfat\n",
	}
	want := map[string]string{"/": "partition 3", "/boot": "partition 2", "/boot/efi": "partition 1"}
	for name, fstab := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := system.Open(openDisk(t, threeParts(t, fstab)), system.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, mounts(s)); diff != "" {
				t.Errorf("mounts (-want +got):\n%s", diff)
			}
			if want := `Test Linux 1 "One"`; s.Name != want {
				t.Errorf("name is %q, want %q", s.Name, want)
			}
		})
	}
}

func TestOpenWithoutPartitionTable(t *testing.T) {
	s, err := system.Open(openDisk(t, ext4(t, root(""))), system.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"/": "the whole disk"}, mounts(s)); diff != "" {
		t.Error(diff)
	}
}

func TestOpenNotesWhatItLeavesOut(t *testing.T) {
	s, err := system.Open(openDisk(t, threeParts(t, "UUID=gone /data ext4 nofail\n")), system.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"/data stays empty", "partition 1, 8.0 MiB: vfat", `partition 2, 16.0 MiB: ext4 (UUID=` + bootUUID} {
		if !slices.ContainsFunc(s.Notes, func(n string) bool { return strings.Contains(n, want) }) {
			t.Errorf("no note says %q:\n%s", want, strings.Join(s.Notes, "\n"))
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	swap := part{image: swapSpace(t), kind: "swap"}
	system1 := part{image: ext4(t, root(""), "-L", "one")}
	system2 := part{image: ext4(t, root(""), "-L", "two")}
	data := part{image: ext4(t, map[string]string{"file": "x"})}
	cut := gpt(t, data, system1)
	if err := os.Truncate(cut, 20<<20); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		disk string
		opts system.Options
		want []string
	}{
		{"cut short", cut, system.Options{}, []string{"no operating system", "partition 2", "past the end of the disk"}},
		{"no system", gpt(t, swap, data), system.Options{}, []string{"no operating system", "partition 1, ", ": swap", "partition 2, 16.0 MiB: ext4"}},
		{"two systems", gpt(t, system1, system2), system.Options{}, []string{"2 operating systems", "LABEL=one", "LABEL=two", "option root"}},
		{"root without system", gpt(t, system1, data), system.Options{Root: "2"}, []string{`root = "2" holds no operating system`}},
		{"root of nothing", gpt(t, system1), system.Options{Root: "LABEL=none"}, []string{`root = "LABEL=none" names no volume`, "LABEL=one"}},
		{"misspelt skip", gpt(t, part{image: ext4(t, root("LABEL=d /data ext4\n"))}, part{image: ext4(t, nil, "-L", "d")}), system.Options{SkipMounts: []string{"/date"}}, []string{`no volume at "/date"; it mounts /data`}},
		{"volume missing", gpt(t, part{image: ext4(t, root("UUID=gone /var ext4\n"))}), system.Options{}, []string{"UUID=gone at /var", "no volume of this disk", `"/var" to skip_mounts`}},
		{"two volumes of one name", gpt(t, part{image: ext4(t, root("LABEL=d /var ext4\n"))}, part{image: ext4(t, nil, "-L", "d")}, part{image: ext4(t, nil, "-L", "d")}), system.Options{}, []string{"partition 2, partition 3 are all that"}},
		{"no mount point", gpt(t, part{image: ext4(t, root("LABEL=d /mnt/d ext4\n"))}, part{image: ext4(t, nil, "-L", "d")}), system.Options{}, []string{"find the mount point", "/mnt"}},
		{"mounted twice", gpt(t, part{image: ext4(t, root("LABEL=d /boot ext4\nLABEL=d /usr ext4\n"))}, part{image: ext4(t, nil, "-L", "d")}), system.Options{}, []string{"partition 2 is already mounted at /boot"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := system.Open(openDisk(t, tt.disk), tt.opts)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not say %q:\n%v", want, err)
				}
			}
		})
	}
}

func TestOpenTakesOptions(t *testing.T) {
	one := part{image: ext4(t, root("UUID=gone /var ext4\n"), "-L", "one")}
	two := part{image: ext4(t, root(""), "-L", "two")}
	for want, opts := range map[string]system.Options{
		"partition 1": {Root: "LABEL=one", SkipMounts: []string{"/var/"}},
		"partition 2": {Root: "2"},
	} {
		s, err := system.Open(openDisk(t, gpt(t, one, two)), opts)
		if err != nil {
			t.Fatal(err)
		}
		if got := mounts(s)["/"]; got != want {
			t.Errorf("%+v: root is %s, want %s", opts, got, want)
		}
	}
}
