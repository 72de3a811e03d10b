package xfs_test

import (
	"cmp"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/xfs"
)

// limits are those of XFS: symlinks of less than 1024 bytes, minor numbers of
// 18 bits.
var limits = fstest.Limits{LargeXattrs: true, ShortSymlinks: 1022, Minors: 1<<18 - 1}

// formats are the sets of features that mkfs.xfs and installers make.
var formats = []struct {
	name string
	mkfs string
	size int64 // 600 MiB if 0
	// perhaps says that many kernels do not mount it.
	perhaps bool
}{
	{name: "defaults"},
	{name: "1k blocks, 8k directory blocks, many groups", mkfs: "-b size=1024 -n size=8192 -d agcount=16 -i nrext64=1 -m rmapbt=1", size: 3 << 30},
	{name: "64k directory blocks, 2k inodes, no bigtime", mkfs: "-n size=65536 -i size=2048 -m bigtime=0"},
	{name: "4k sectors", mkfs: "-s size=4096"},
	{name: "sparse inodes", mkfs: "-i sparse=1 -m finobt=1,inobtcount=1,reflink=1"},
	{name: "little", mkfs: "-m finobt=0,reflink=0,rmapbt=0,bigtime=0,inobtcount=0 -i sparse=0,nrext64=0"},
	{name: "2k blocks, 1k inodes", mkfs: "-b size=2048 -i size=1024"},
	{name: "1k blocks, 64k directory blocks", mkfs: "-b size=1024 -n size=65536"},
	{name: "log in stripes", mkfs: "-l su=262144"},
	{name: "log in stripes, 4k sectors", mkfs: "-l su=32768 -s size=4096"},
	{name: "large", mkfs: "-i nrext64=1", size: 8 << 40},
	{name: "64k blocks", mkfs: "-b size=65536", perhaps: true},
	{name: "v4, no ftype", mkfs: "-m crc=0 -n ftype=0", perhaps: true},
	{name: "v4, 512-byte blocks, 64k directory blocks", mkfs: "-m crc=0 -b size=512 -n size=65536", perhaps: true},
	{name: "v4, 256-byte inodes, 1k blocks", mkfs: "-m crc=0 -i size=256 -b size=1024", perhaps: true},
}

// TestFormats has the kernel fill a file system of each format and compares
// every file.
func TestFormats(t *testing.T) {
	for _, f := range formats {
		t.Run(f.name, func(t *testing.T) {
			fstest.RequireRoot(t)
			size := cmp.Or(f.size, 600<<20)
			image := fstest.Sparse(t, size, min(size, 3<<30), mkfs(f.mkfs)...)
			dir, unmount, err := fstest.TryMount(t, image, "")
			if err != nil && f.perhaps {
				t.Skipf("TestUnmountable reads the like: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			limits := limits
			limits.ShortACLs = strings.Contains(f.mkfs, "crc=0")
			fstest.Nasty(t, dir, limits)
			fstest.Secret(t, dir)
			unmount()
			compare(t, image)
			checkFree(t, image)
		})
	}
}

// compare compares what is read of an image with the kernel.
func compare(t *testing.T, image string) {
	t.Helper()
	dir, unmount := fstest.Mount(t, image, "ro")
	defer unmount()
	fs := open(t, image)
	fstest.Check(t, fstest.FromFS(t, fs), fstest.FromDir(t, dir), fstest.Options{ExactSegments: true})
	checkInfo(t, fs.Info(), image)
}

// mkfs is the command line of mkfs.xfs with options.
func mkfs(options string) []string {
	return append([]string{"mkfs.xfs", "-q", "-f", "-L", "a label"}, strings.Fields(options)...)
}

func open(t testing.TB, image string) *xfs.FS {
	t.Helper()
	v := fstest.Volume(t, image)
	if !xfs.Probe(v) {
		t.Error("Probe does not know it")
	}
	fs, err := xfs.Open(v)
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
	if info.Type != "xfs" || info.Type != blkid("TYPE") {
		t.Errorf("type is %s; blkid says %s", info.Type, blkid("TYPE"))
	}
	if info.UUID != blkid("UUID") || info.Label != blkid("LABEL") {
		t.Errorf("%+v does not match blkid", info)
	}
	if len(info.Warnings) > 0 {
		t.Errorf("warnings: %q", info.Warnings)
	}
}
