package btrfs_test

import (
	"cmp"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/btrfs"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// formats are the sets of features that mkfs.btrfs, mount options and
// installers make.
var formats = []struct {
	name, mkfs, mount string
	size              int64 // 600 MiB if 0
}{
	{name: "defaults"},
	{name: "single, 4k nodes, lzo", mkfs: "-m single -d single -n 4096", mount: "compress-force=lzo"},
	{name: "dup, 64k nodes, xxhash, zlib", mkfs: "-m dup -d dup -n 65536 --csum xxhash", mount: "compress-force=zlib", size: 1 << 30},
	{name: "mixed, sha256", mkfs: "--mixed --csum sha256"},
	{name: "blake2, zstd", mkfs: "--csum blake2", mount: "compress-force=zstd"},
	{name: "little, large inline", mkfs: "-O ^extref,^skinny-metadata,^no-holes -R ^free-space-tree", mount: "max_inline=4095"},
	{name: "no checksums", mount: "nodatasum,max_inline=0"},
}

// TestFormats has the kernel fill a file system of each format and compares
// every file.
func TestFormats(t *testing.T) {
	for _, f := range formats {
		t.Run(f.name, func(t *testing.T) {
			fstest.RequireRoot(t)
			image := fstest.Image(t, cmp.Or(f.size, 600<<20), mkfs(f.mkfs)...)
			dir, unmount := fstest.Mount(t, image, f.mount)
			limits := fstest.Limits{XattrBytes: 12_000}
			if strings.Contains(f.mkfs, "-n 4096") || strings.Contains(f.mkfs, "--mixed") {
				limits = fstest.Limits{ShortSymlinks: 2000, XattrBytes: 3000}
			}
			fstest.Nasty(t, dir, limits)
			compressible(t, dir)
			unmount()
			compare(t, image, f.mount)
		})
	}
}

// compare compares what is read of an image with the kernel.
func compare(t *testing.T, image, options string) {
	t.Helper()
	dir, unmount := fstest.Mount(t, image, strings.TrimSuffix("ro,"+options, ","))
	defer unmount()
	fs := open(t, image)
	fstest.Check(t, fstest.FromFS(t, fs), fstest.FromDir(t, dir), fstest.Options{ExactSegments: true})
	checkInfo(t, fs.Info(), image)
}

// mkfs is the command line of mkfs.btrfs with options.
func mkfs(options string) []string {
	return append([]string{"mkfs.btrfs", "-q", "-f", "-L", "a label"}, strings.Fields(options)...)
}

func open(t testing.TB, image string) *btrfs.FS {
	t.Helper()
	v := fstest.Volume(t, image)
	if !btrfs.Probe(v) {
		t.Error("Probe does not know it")
	}
	fs, err := btrfs.Open(v)
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

// checkInfo compares what a file system says about itself with blkid.
func checkInfo(t *testing.T, info filesystem.Info, image string) {
	t.Helper()
	blkid := func(tag string) string {
		return strings.TrimSpace(fstest.Run(t, "blkid", "-p", "-o", "value", "-s", tag, image))
	}
	if info.Type != "btrfs" || info.Type != blkid("TYPE") {
		t.Errorf("type is %s; blkid says %s", info.Type, blkid("TYPE"))
	}
	if info.UUID != blkid("UUID") || info.Label != blkid("LABEL") {
		t.Errorf("%+v does not match blkid", info)
	}
	if len(info.Warnings) > 0 {
		t.Errorf("warnings: %q", info.Warnings)
	}
}
