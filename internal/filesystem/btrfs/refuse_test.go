package btrfs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// TestRefused expects what cannot be read to be called by its name.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(sb []byte)
		want   string
	}{
		{"seed", func(sb []byte) { sb[56+4] |= 1 }, "seed device"},
		{"dump", func(sb []byte) { sb[56+4] |= 2 }, "dump of metadata"},
		{"conversion", func(sb []byte) { sb[56+4] |= 8 }, "conversion by btrfstune did not end"},
		{"zoned", func(sb []byte) { sb[188+1] |= 0x10 }, "cannot be read: zoned"},
		{"extent tree", func(sb []byte) { sb[188+1] |= 0x20 }, "cannot be read: extent-tree-v2"},
		{"stripe tree", func(sb []byte) { sb[188+1] |= 0x40 }, "cannot be read: raid-stripe-tree"},
		{"encrypted", func(sb []byte) { sb[188+1] |= 0x80 }, "cannot be read: encrypt"},
		{"unknown", func(sb []byte) { sb[188+2] |= 0x14 }, "cannot be read: incompat bit 18, incompat bit 20"},
		{"log", func(sb []byte) { sb[96] = 1 }, "not unmounted cleanly"},
		{"checksums", func(sb []byte) { sb[196] = 9 }, "checksums of kind 9"},
		{"sectors", func(sb []byte) { sb[145] = 0x0f }, "sectors of 3840 bytes"},
		{"nodes", func(sb []byte) { le.PutUint32(sb[148:], 1<<17) }, "nodes of 131072"},
		{"device", func(sb []byte) { le.PutUint64(sb[209:], 1<<40) }, "cut short or was shrunk"},
		{"system chunks", func(sb []byte) { le.PutUint32(sb[160:], 2049) }, "2049 bytes of system chunks"},
		{"short chunks", func(sb []byte) { le.PutUint32(sb[160:], 90) }, "cut short"},
		{"levels", func(sb []byte) { sb[198] = 3 }, "where 3 of"},
		{"generation", func(sb []byte) { sb[72]++ }, "of generation"},
		{"place", func(sb []byte) { sb[48]++ }, "it belongs to byte"},
		{"raid5", func(sb []byte) { sb[811+keySize+24] |= 0x80 }, "profile raid5 cannot be read"},
		{"another device", func(sb []byte) { sb[201]++ }, "a part of it is not on this one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := readSeed(t, "crc32c")
			sb := b[superblockOffsets[0]:][:superblockSize]
			c.change(sb)
			seal(sb)
			if _, err := Open(bytesVolume(b)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, not about %q", err, c.want)
			}
		})
	}
}

// TestPowerOff expects a file system to be refused whose log was not emptied.
func TestPowerOff(t *testing.T) {
	fstest.RequireRoot(t)
	image := fstest.Image(t, 300<<20, "mkfs.btrfs", "-q")
	dir, _ := fstest.Mount(t, image, "")
	f, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fstest.Run(t, "btrfs", "filesystem", "sync", dir)
	if _, err := f.WriteString("synced"); err != nil || f.Sync() != nil {
		t.Fatal(err)
	}
	_, err = Open(fstest.Volume(t, fstest.Copy(t, image)))
	if err == nil || !strings.Contains(err.Error(), "shut the guest down cleanly") {
		t.Errorf("error is %v", err)
	}
}

// TestProfiles reads one of two devices that hold the same, and refuses what
// is spread over both.
func TestProfiles(t *testing.T) {
	fstest.RequireRoot(t)
	for profile, want := range map[string]string{"raid1": "", "raid0": "profile raid0 cannot be read"} {
		t.Run(profile, func(t *testing.T) {
			first, second := fstest.Image(t, 400<<20, "true"), fstest.Image(t, 400<<20, "true")
			fstest.Run(t, "mkfs.btrfs", "-q", "-m", profile, "-d", profile, first, second)
			loop := strings.TrimSpace(fstest.Run(t, "losetup", "-f", "--show", second))
			t.Cleanup(func() { fstest.Run(t, "losetup", "-d", loop) })
			dir, unmount := fstest.Mount(t, first, "device="+loop)
			if err := os.WriteFile(filepath.Join(dir, "file"), []byte(strings.Repeat("data", 50_000)), 0o600); err != nil {
				t.Fatal(err)
			}
			wanted := fstest.FromDir(t, dir)
			unmount()
			for _, image := range []string{first, second} {
				fs, err := Open(fstest.Volume(t, image))
				if want != "" {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("error is %v, not about %q", err, want)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if warnings := fs.Info().Warnings; len(warnings) != 1 || !strings.Contains(warnings[0], "spans 2 devices") {
					t.Errorf("warnings are %q", warnings)
				}
				fstest.Check(t, fstest.FromFS(t, fs), wanted, fstest.Options{ExactSegments: true})
			}
		})
	}
}
