package system

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/ext4"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// forest is a file system with subvolumes, each an ext4 of its own. As an FS it
// is the first.
type forest struct {
	filesystem.FS
	list  []filesystem.Subvolume
	trees map[uint64]filesystem.FS
}

func (f forest) Subvolumes() ([]filesystem.Subvolume, error) { return f.list, nil }
func (f forest) Subvolume(id uint64) (filesystem.FS, error)  { return f.trees[id], nil }

// subvolumes makes a volume with the trees: each a path, and the text of the
// fstab on it; "-" for a tree that holds no system.
func subvolumes(t *testing.T, trees ...[2]string) *Volume {
	t.Helper()
	f := forest{trees: map[uint64]filesystem.FS{}}
	for i, tree := range trees {
		dir := t.TempDir()
		for _, name := range []string{"etc/fstab", "usr/x", "home/x"} {
			at := filepath.Join(dir, name)
			if tree[1] == "-" {
				continue
			}
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(at, []byte(tree[1]), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		fs, err := ext4.Open(fstest.Volume(t, fstest.Image(t, 8<<20, "mke2fs", "-q", "-t", "ext4", "-d", dir)))
		if err != nil {
			t.Fatal(err)
		}
		id := uint64(5)
		if i > 0 {
			id = 255 + uint64(i)
		} else {
			f.FS = fs
		}
		f.list = append(f.list, filesystem.Subvolume{ID: id, Path: tree[0]})
		f.trees[id] = fs
	}
	return &Volume{Type: "btrfs", FS: f, Volume: fstest.Volume(t, os.DevNull)}
}

// TestSubvolumes finds the root among subvolumes, and mounts those that fstab
// names.
func TestSubvolumes(t *testing.T) {
	const disk = "/dev/disk/by-partlabel/b "
	tests := map[string]struct {
		trees [][2]string
		opts  Options
		want  map[string]string
		err   string
	}{
		"top": {
			trees: [][2]string{{"", disk + "/home btrfs subvol=/home"}, {"home", "-"}},
			want:  map[string]string{"/": "", "/home": "home"},
		},
		"at": {
			trees: [][2]string{{"", "-"}, {"@", disk + "/ btrfs defaults,subvol=@\n" + disk + "/home btrfs subvol=@home,x\n"}, {"@home", "-"}},
			want:  map[string]string{"/": "@", "/home": "@home"},
		},
		"by id": {
			trees: [][2]string{{"", "-"}, {"root", disk + "/home btrfs subvolid=257\n"}, {"h", "-"}},
			want:  map[string]string{"/": "root", "/home": "h"},
		},
		"snapshot": {
			trees: [][2]string{{"", "-"}, {"@", disk + "/ btrfs subvol=/@"}, {"snap/1", disk + "/ btrfs subvol=/@"}},
			want:  map[string]string{"/": "@"},
		},
		"two systems": {
			trees: [][2]string{{"", "-"}, {"a", disk + "/ btrfs subvol=a"}, {"b", disk + "/ btrfs subvolid=257"}},
			err:   "2 operating systems found on this disk (the whole disk, subvolume a, the whole disk, subvolume b)",
		},
		"none of that name": {
			trees: [][2]string{{"", disk + "/home btrfs subvol=@home"}, {"home", "-"}},
			err:   `has no subvolume @home; it has /, home; if the image can do without it, add "/home" to skip_mounts`,
		},
		"twice": {
			trees: [][2]string{{"", disk + "/home btrfs subvol=h\n" + disk + "/usr btrfs subvolid=256"}, {"h", "-"}},
			err:   "subvolume h is already mounted at /home",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v := subvolumes(t, tt.trees...)
			v.Partition.Name = "b"
			s, err := assemble([]*Volume{v}, nil, tt.opts)
			if err != nil || tt.err != "" {
				if tt.err == "" || err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error is %v, want %q", err, tt.err)
				}
				return
			}
			got := map[string]string{}
			for _, m := range s.Mounts {
				got[m.Path] = m.Volume.tree.Path
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("mounts (-want +got):\n%s", diff)
			}
			if used := s.Mounts[0].Volume.FS.Info().Used; s.Used() != used || len(s.Notes) > 0 {
				t.Errorf("%d bytes used, not %d; notes %q", s.Used(), used, s.Notes)
			}
		})
	}
}

// An option that names a subvolume is refused where there are none.
func TestNoSubvolumes(t *testing.T) {
	v := subvolumes(t, [2]string{"", "-"})
	v.Type, v.FS = "ext4", v.FS.(forest).FS
	_, err := v.chosen(fstabEntry{options: []string{"subvol=@"}})
	if err == nil || err.Error() != "the whole disk is ext4, which has no subvolumes" {
		t.Errorf("error is %v", err)
	}
}
