package xfs_test

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/xfs"
)

// checkFree expects that all free space is known, and no other: garbage in it is
// not noticed by xfs_repair, nor in any file, and none of a deleted file is left.
func checkFree(t *testing.T, image string) {
	t.Helper()
	fs := open(t, image)
	scrambled, free := fstest.Scramble(t, image, fs)
	fstest.Run(t, "xfs_repair", "-n", scrambled)
	fstest.Check(t, fstest.FromFS(t, open(t, scrambled)), fstest.FromFS(t, fs), fstest.Options{})
	if fstest.HasSecret(t, scrambled) {
		t.Error("a deleted file is left in free space")
	}
	// The superblock counts a few blocks more, which the trees keep for growth.
	b := readHead(t, image)
	counted := int64(binary.BigEndian.Uint64(b[144:])) * int64(binary.BigEndian.Uint32(b[4:]))
	if free > counted || free < counted-counted/1000-4<<20 {
		t.Errorf("%d bytes are free, by the superblock %d", free, counted)
	}
}

func readHead(t *testing.T, image string) []byte {
	t.Helper()
	b := make([]byte, 512)
	f, err := os.Open(image)
	if err == nil {
		defer f.Close()
		_, err = f.ReadAt(b, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFreeRefused expects nothing to be called free where there is doubt.
func TestFreeRefused(t *testing.T) {
	fstest.RequireTool(t, "xfs_db")
	for name, c := range map[string]struct {
		mkfs string
		db   []string // of xfs_db
		want string
	}{
		"clean":              {"", nil, ""},
		"count of all":       {"", []string{"sb 0", "write -d fdblocks 5"}, "superblock: 5 free blocks, but the allocation groups have"},
		"count of a group":   {"", []string{"agf 1", "write -d freeblks 7"}, "allocation group 1: "},
		"length":             {"", []string{"agf 1", "write -d length 7"}, "AGF: it is that of group 1, of 7 blocks"},
		"magic":              {"", []string{"agf 2", "write -d magicnum 7"}, "group 2: AGF: no magic number"},
		"checksum":           {"", []string{"agf 2", "write -c longest 7"}, "group 2: AGF: checksum mismatch"},
		"levels":             {"", []string{"agf 2", "write -d bnolevel 0"}, "AGF: a tree of 0 levels"},
		"height":             {"", []string{"agf 2", "write -d bnolevel 2"}, "it is no block of level 1 of the tree"},
		"root":               {"", []string{"agf 2", "write -d bnoroot 2000000"}, "it is not within the group's"},
		"record":             {"", []string{"agf 0", "addr bnoroot", "write -d recs[1].blockcount 1"}, "free blocks, but the AGF says"},
		"record's end":       {"", []string{"agf 0", "addr bnoroot", "write -d recs[1].blockcount 1000000"}, "are out of order, or not within"},
		"tree's checksum":    {"", []string{"agf 0", "addr bnoroot", "write -c recs[1].blockcount 1"}, "free space tree, block 1: checksum mismatch"},
		"tree's owner":       {"", []string{"agf 0", "addr bnoroot", "write -d owner 1"}, "it belongs to another place"},
		"records":            {"", []string{"agf 0", "addr bnoroot", "write -d numrecs 60000"}, "60000 records"},
		"unknown ro feature": {"", []string{"sb 0", "write -d features_ro_compat 0x100f"}, "unknown features"},
	} {
		t.Run(name, func(t *testing.T) {
			image := fstest.Image(t, 400<<20, mkfs(c.mkfs)...)
			if c.db != nil {
				args := []string{"-x"}
				for _, command := range c.db {
					args = append(args, "-c", command)
				}
				fstest.Run(t, "xfs_db", append(args, image)...)
			}
			fs, err := xfs.Open(fstest.Volume(t, image))
			if err != nil {
				t.Fatal(err)
			}
			_, err = fstest.FreeBytes(fs)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error is %v, want one that says %q", err, c.want)
			}
		})
	}
}
