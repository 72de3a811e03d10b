package ext4_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/ext4"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// checkFree expects that all free space is known, and no other: garbage in it is
// not noticed by e2fsck, nor in any file, and none of a deleted file is left.
func checkFree(t *testing.T, image string, want fstest.Manifest) {
	t.Helper()
	scrambled, free := fstest.Scramble(t, image, open(t, image))
	fstest.Run(t, "e2fsck", "-fn", scrambled)
	fstest.Check(t, fstest.FromFS(t, open(t, scrambled)), want, fstest.Options{})
	if fstest.HasSecret(t, scrambled) {
		t.Error("a deleted file is left in free space")
	}
	if counted := freeByDumpe2fs(t, image); free != counted {
		t.Errorf("%d bytes are free, by dumpe2fs %d", free, counted)
	}
}

var freeCount = regexp.MustCompile(`(?m)^Free blocks: +(\d+)$[\s\S]*^Block size: +(\d+)$`)

func freeByDumpe2fs(t *testing.T, image string) int64 {
	t.Helper()
	says := freeCount.FindStringSubmatch(fstest.Run(t, "dumpe2fs", "-h", image))
	blocks, err1 := strconv.ParseInt(says[1], 10, 64)
	size, err2 := strconv.ParseInt(says[2], 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return blocks * size
}

// TestFreeOfManyGroups counts where there are tens of thousands of them, and e2fsck
// takes minutes.
func TestFreeOfManyGroups(t *testing.T) {
	fs := "-t ext4 -b 1024 -N 400000 -O ^has_journal,meta_bg,sparse_super2,^resize_inode -E num_backup_sb=0,lazy_itable_init=1"
	image := fstest.Sparse(t, 200<<30, 1<<30, mkfs(fs)...)
	free, err := fstest.FreeBytes(open(t, image))
	if err != nil {
		t.Fatal(err)
	}
	if counted := freeByDumpe2fs(t, image); free != counted {
		t.Errorf("%d bytes are free, by dumpe2fs %d", free, counted)
	}
}

// TestFreeRefused expects nothing to be called free where there is doubt.
func TestFreeRefused(t *testing.T) {
	fstest.RequireTool(t, "debugfs", "tune2fs")
	const modern, old = "-t ext4 -b 4096", "-t ext2 -b 4096"
	for name, c := range map[string]struct {
		mkfs, debugfs string
		want          string
	}{
		"clean":             {modern, "", ""},
		"clean, no sums":    {old, "", ""},
		"mounted":           {modern, "feature needs_recovery", "was not unmounted cleanly"},
		"never unmounted":   {old, "ssv state 0", "was not unmounted cleanly"},
		"errors":            {modern, "ssv state 3", "has recorded errors"},
		"count of all":      {modern, "ssv free_blocks_count 5", "superblock: 5 free blocks, but the groups have"},
		"count of a group":  {modern, "set_bg 1 free_blocks_count 7\nset_bg 1 checksum calc", "free clusters, but the descriptor says 7"},
		"descriptor":        {modern, "set_bg 1 free_blocks_count 7", "group descriptor 1: checksum mismatch"},
		"bitmap's checksum": {modern, "set_bg 0 block_bitmap_csum 77\nset_bg 0 checksum calc", "block group 0: bitmap: checksum mismatch"},
		"unknown feature":   {modern, "feature FEATURE_R30", "unknown features: FEATURE_R30"},
		"table is free":     {old, "freeb 20", "cluster 20 is free, but has the superblock, a bitmap or an inode table"},
	} {
		t.Run(name, func(t *testing.T) {
			image := fstest.Image(t, 200<<20, mkfs(c.mkfs)...)
			commands := filepath.Join(t.TempDir(), "commands")
			if err := os.WriteFile(commands, []byte(c.debugfs), 0o600); err != nil {
				t.Fatal(err)
			}
			fstest.Run(t, "debugfs", "-w", "-f", commands, image)
			fs, err := ext4.Open(fstest.Volume(t, image))
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
