package ext4_test

import (
	"cmp"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/ext4"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// formats are the sets of features that mke2fs and installers make.
var formats = []struct {
	name   string
	kind   string
	mkfs   string // options of mke2fs
	size   int64  // 600 MiB if 0
	limits fstest.Limits
}{
	{name: "defaults", kind: "ext4", mkfs: "-t ext4"},
	{name: "Ubuntu 24.04", kind: "ext4", mkfs: "-t ext4 -O metadata_csum_seed,orphan_file"},
	{
		name: "inline data", kind: "ext4", mkfs: "-t ext4 -O inline_data,ea_inode,large_dir",
		limits: fstest.Limits{LargeXattrs: true},
	},
	{
		name: "inline data in inodes of 1 KiB", kind: "ext4", mkfs: "-t ext4 -I 1024 -O inline_data",
	},
	{
		name: "1k blocks, 128-byte inodes", kind: "ext4",
		mkfs:   "-t ext4 -b 1024 -I 128 -O ^64bit,^metadata_csum,^flex_bg,^extra_isize",
		limits: fstest.Limits{XattrBytes: 900, ShortSymlinks: 1022},
	},
	{
		name: "1k blocks, checksums", kind: "ext4", mkfs: "-t ext4 -b 1024",
		limits: fstest.Limits{XattrBytes: 900, ShortSymlinks: 1022},
	},
	{
		name: "2k blocks, 128-byte inodes, checksums", kind: "ext4", mkfs: "-t ext4 -b 2048 -I 128",
		limits: fstest.Limits{XattrBytes: 1800, ShortSymlinks: 2000},
	},
	{name: "1024-byte inodes", kind: "ext4", mkfs: "-t ext4 -I 1024"},
	{name: "no filetype", kind: "ext4", mkfs: "-t ext4 -O ^filetype,^dir_index"},
	{
		name: "ext2, 1k blocks", kind: "ext2", mkfs: "-t ext2 -b 1024 -I 128",
		limits: fstest.Limits{XattrBytes: 900, ShortSymlinks: 1022, NoFallocate: true},
	},
	{name: "ext2", kind: "ext2", mkfs: "-t ext2", limits: fstest.Limits{NoFallocate: true}},
	{name: "ext2, revision 0", kind: "ext2", mkfs: "-t ext2 -r 0 -b 4096 -O none", limits: fstest.Limits{NoFallocate: true}},
	{name: "ext3", kind: "ext3", mkfs: "-t ext3", limits: fstest.Limits{NoFallocate: true}},
	{
		name: "ext3, 1k blocks, no dir_index", kind: "ext3", mkfs: "-t ext3 -b 1024 -I 128 -O ^dir_index",
		limits: fstest.Limits{XattrBytes: 900, ShortSymlinks: 1022, NoFallocate: true},
	},
	{name: "ext3 with block map, checksums", kind: "ext4", mkfs: "-t ext4 -O ^extent,^64bit", limits: fstest.Limits{NoFallocate: true}},
	{name: "bigalloc", kind: "ext4", mkfs: "-t ext4 -O bigalloc -C 65536"},
	{
		name: "bigalloc, 1k blocks", kind: "ext4", mkfs: "-t ext4 -b 1024 -O bigalloc,meta_bg,^resize_inode -C 16384",
		limits: fstest.Limits{XattrBytes: 900, ShortSymlinks: 1022},
	},
	{name: "meta_bg", kind: "ext4", mkfs: "-t ext4 -O meta_bg,^resize_inode -g 1024"},
	{
		name: "meta_bg, 1k blocks", kind: "ext4", mkfs: "-t ext4 -b 1024 -O meta_bg,^resize_inode,^flex_bg -g 1024",
		limits: fstest.Limits{XattrBytes: 900, ShortSymlinks: 1022},
	},
	{
		// The last of 129 groups has both a superblock's copy and descriptors.
		name: "meta_bg, sparse_super2", kind: "ext4", size: 516 << 20,
		mkfs: "-t ext4 -O meta_bg,sparse_super2,^resize_inode -g 1024",
	},
	{
		name: "48 bits", kind: "ext4", size: 5 << 40,
		mkfs:   "-t ext4 -b 1024 -N 2000000 -O ^has_journal,meta_bg,sparse_super2,^resize_inode -E num_backup_sb=0,lazy_itable_init=1",
		limits: fstest.Limits{XattrBytes: 900, ShortSymlinks: 1022},
	},
	{name: "sparse_super2", kind: "ext4", mkfs: "-t ext4 -O sparse_super2,^resize_inode -g 1024"},
	{name: "uninit_bg", kind: "ext4", mkfs: "-t ext4 -O ^metadata_csum,uninit_bg"},
	{name: "uninit_bg, 32 bits", kind: "ext4", mkfs: "-t ext4 -O ^metadata_csum,uninit_bg,^64bit"},
	{name: "mmp", kind: "ext4", mkfs: "-t ext4 -O mmp -E mmp_update_interval=1"},
	{name: "encrypt, verity, stable_inodes", kind: "ext4", mkfs: "-t ext4 -O encrypt,verity,stable_inodes,fast_commit"},
	{name: "no journal", kind: "ext4", mkfs: "-t ext4 -O ^has_journal"},
}

// TestFormats has the kernel fill a file system of each format and compares
// every file.
func TestFormats(t *testing.T) {
	for _, f := range formats {
		t.Run(f.name, func(t *testing.T) {
			fstest.RequireRoot(t)
			size := cmp.Or(f.size, 600<<20)
			image := fstest.Sparse(t, size, min(size, 3<<30), mkfs(f.mkfs)...)
			dir, unmount := fstest.Mount(t, image, "")
			fstest.Nasty(t, dir, f.limits)
			fstest.Secret(t, dir)
			unmount()
			dir, _ = fstest.Mount(t, image, "ro")
			fs := open(t, image)
			want := fstest.FromDir(t, dir)
			fstest.Check(t, fstest.FromFS(t, fs), want, fstest.Options{ExactSegments: true})
			checkInfo(t, fs.Info(), image, f.kind)
			if f.size < 1<<40 {
				checkFree(t, image, want)
			}
		})
	}
}

// mkfs is the command line of mke2fs with options.
func mkfs(options string) []string {
	return append([]string{"mke2fs", "-q", "-F", "-L", "a label"}, strings.Fields(options)...)
}

func open(t testing.TB, image string) *ext4.FS {
	t.Helper()
	v := fstest.Volume(t, image)
	if !ext4.Probe(v) {
		t.Error("Probe does not know it")
	}
	fs, err := ext4.Open(v)
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

// checkInfo compares what a file system says about itself with blkid.
func checkInfo(t *testing.T, info filesystem.Info, image, kind string) {
	t.Helper()
	blkid := func(tag string) string {
		return strings.TrimSpace(fstest.Run(t, "blkid", "-p", "-o", "value", "-s", tag, image))
	}
	if info.Type != kind || info.Type != blkid("TYPE") {
		t.Errorf("type is %s, not %s; blkid says %s", info.Type, kind, blkid("TYPE"))
	}
	if info.UUID != blkid("UUID") || info.Label != blkid("LABEL") {
		t.Errorf("%+v does not match blkid", info)
	}
	if len(info.Warnings) > 0 {
		t.Errorf("warnings: %q", info.Warnings)
	}
}
