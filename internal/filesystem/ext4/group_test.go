package ext4

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// TestGroups compares where the descriptor of every group says that its inodes
// are with dumpe2fs.
func TestGroups(t *testing.T) {
	fstest.RequireTool(t, "dumpe2fs")
	line := regexp.MustCompile(`(?m)^Group (\d+):(?:.*\n)*?  Inode table at (\d+)-`)
	// 129 groups: the last has descriptors of its own and, with sparse_super2,
	// a copy of the superblock.
	for _, options := range []string{
		"", "-O ^64bit", "-O ^resize_inode,meta_bg", "-O ^resize_inode,meta_bg,sparse_super2",
		"-O ^resize_inode,meta_bg,^sparse_super", "-O ^resize_inode,meta_bg,bigalloc -b 1024 -C 4096", "-O ^metadata_csum,uninit_bg",
	} {
		t.Run(options, func(t *testing.T) {
			args := append([]string{"mke2fs", "-q", "-F", "-t", "ext4", "-g", "1024"}, strings.Fields(options)...)
			image := fstest.Image(t, 516<<20, args...)
			fs, err := Open(fstest.Volume(t, image))
			if err != nil {
				t.Fatal(err)
			}
			groups := line.FindAllStringSubmatch(fstest.Run(t, "dumpe2fs", image), -1)
			if len(groups) != int(fs.sb.groups) {
				t.Fatalf("%d groups, not %d", fs.sb.groups, len(groups))
			}
			for _, g := range groups {
				number, _ := strconv.Atoi(g[1])
				table, err := fs.inodeTable(uint32(number))
				if err != nil || fmt.Sprint(table) != g[2] {
					t.Fatalf("group %d: inode table at %d, not %s: %v", number, table, g[2], err)
				}
			}
		})
	}
}
