package disktest

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// Case is an image of the conformance suite.
type Case struct {
	Name, Format string
	// make writes the image to the folder dir, where content.raw has a disk
	// with holes, and returns its file's name.
	make func(t testing.TB, dir string) string
}

// diskSize is that of content.raw: more than the longest read that is cached,
// not a multiple of any cluster or chunk, and an odd number of sectors.
const diskSize = 21<<20 + 77*512

// Cases are the images of the suite.
var Cases = []Case{
	{"raw with holes", "raw", func(testing.TB, string) string { return "content.raw" }},
	{"raw without holes", "raw", func(t testing.TB, dir string) string {
		return write(t, dir, "full.raw", random(3<<20+512))
	}},
	{"raw ending within a sector", "raw", func(t testing.TB, dir string) string {
		return write(t, dir, "odd.raw", random(1<<20+700))
	}},
	{"raw of one byte", "raw", func(t testing.TB, dir string) string {
		return write(t, dir, "tiny.raw", []byte{7})
	}},
	{"raw that is one hole", "raw", func(t testing.TB, dir string) string {
		Run(t, dir, "truncate", "-s", "9M", "hole.raw")
		return "hole.raw"
	}},
	convert("qcow2", "qcow2"),
	convert("qcow2 of version 2", "qcow2", "-o", "compat=0.10"),
	convert("qcow2 clusters of 512 bytes", "qcow2", "-o", "cluster_size=512"),
	convert("qcow2 clusters of 4 KiB", "qcow2", "-o", "cluster_size=4k"),
	convert("qcow2 clusters of 2 MiB", "qcow2", "-o", "cluster_size=2M"),
	convert("qcow2 compressed", "qcow2", "-c"),
	convert("qcow2 compressed clusters of 4 KiB", "qcow2", "-c", "-o", "cluster_size=4k"),
	convert("qcow2 compressed clusters of 2 MiB", "qcow2", "-c", "-o", "cluster_size=2M"),
	convert("qcow2 compressed by zstd", "qcow2", "-c", "-o", "compression_type=zstd"),
	convert("qcow2 compressed by zstd clusters of 4 KiB", "qcow2", "-c", "-o", "compression_type=zstd,cluster_size=4k"),
	convert("qcow2 extended L2", "qcow2", "-o", "extended_l2=on"),
	convert("qcow2 preallocated", "qcow2", "-o", "preallocation=metadata"),
	{"qcow2 zero clusters", "qcow2", func(t testing.TB, dir string) string {
		Run(t, dir, "qemu-img", "convert", "-t", "unsafe", "-O", "qcow2", "content.raw", "image.qcow2")
		Run(t, dir, "qemu-io", "-t", "unsafe", "-c", "write -z 2M 3M", "-c", "write -z -u 7M 1M", "-c", "write -P 9 8M 70k", "image.qcow2")
		return "image.qcow2"
	}},
	{"qcow2 without data", "qcow2", func(t testing.TB, dir string) string {
		Run(t, dir, "qemu-img", "create", "-q", "-f", "qcow2", "image.qcow2", "10000k")
		return "image.qcow2"
	}},
	{"qcow2 over raw", "qcow2", overlay("content.raw", "raw", "64k", "32M")},
	{"qcow2 over qcow2 with smaller clusters", "qcow2", func(t testing.TB, dir string) string {
		Run(t, dir, "qemu-img", "convert", "-t", "unsafe", "-O", "qcow2", "-o", "cluster_size=4k", "content.raw", "base.qcow2")
		return overlay("base.qcow2", "qcow2", "64k", "32M")(t, dir)
	}},
	{"qcow2 over a longer qcow2 with larger clusters", "qcow2", func(t testing.TB, dir string) string {
		Run(t, dir, "qemu-img", "convert", "-t", "unsafe", "-O", "qcow2", "-c", "-o", "cluster_size=1M", "content.raw", "base.qcow2")
		return overlay("base.qcow2", "qcow2", "4k", "13M")(t, dir)
	}},
	{"qcow2 over qcow2 over raw in other folders", "qcow2", func(t testing.TB, dir string) string {
		for _, sub := range []string{"a", "b"} {
			if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		Run(t, filepath.Join(dir, "a"), "qemu-img", "create", "-q", "-f", "qcow2", "-b", "../content.raw", "-F", "raw", "mid.qcow2")
		Run(t, filepath.Join(dir, "b"), "qemu-img", "create", "-q", "-f", "qcow2", "-b", "../a/mid.qcow2", "-F", "qcow2", "top.qcow2")
		Run(t, dir, "qemu-io", "-t", "unsafe", "-c", "write -P 5 100k 900k", "-c", "write -z 6M 1M", "b/top.qcow2")
		return "b/top.qcow2"
	}},
	convert("vhdx", "vhdx"),
	convert("vmdk", "vmdk"),
	convert("vmdk for streams", "vmdk", "-o", "subformat=streamOptimized"),
	convert("vmdk in several files", "vmdk", "-o", "subformat=twoGbMaxExtentSparse"),
	convert("vdi", "vdi"),
	convert("vpc", "vpc"),
	convert("vpc of fixed size", "vpc", "-o", "subformat=fixed,force_size=on"),
}

// convert is a case made from content.raw.
func convert(name, format string, options ...string) Case {
	return Case{name, format, func(t testing.TB, dir string) string {
		args := append([]string{"convert", "-t", "unsafe", "-f", "raw", "-O", format}, options...)
		Run(t, dir, "qemu-img", append(args, "content.raw", "image."+format)...)
		return "image." + format
	}}
}

// overlay makes an image over a base, with some of it written and some zeroed.
func overlay(base, format, cluster, size string) func(testing.TB, string) string {
	return func(t testing.TB, dir string) string {
		Run(t, dir, "qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", format, "-o", "cluster_size="+cluster, "top.qcow2", size)
		Run(t, dir, "qemu-io", "-t", "unsafe", "-c", "write -P 1 0 5k", "-c", "write -P 2 3M 123k", "-c", "write -z 5M 2M", "-c", "write -P 3 12M 8k", "top.qcow2")
		return "top.qcow2"
	}
}

// Make writes an image to a new folder and returns its path.
func (c Case) Make(t testing.TB) string {
	t.Helper()
	Require(t, "qemu-img", "qemu-io")
	dir := t.TempDir()
	writeContent(t, filepath.Join(dir, "content.raw"))
	return filepath.Join(dir, c.make(t, dir))
}

// writeContent writes a disk that begins and ends with a hole, with data that
// does not compress, data that does, written zeros, and pieces down to 4 KiB.
func writeContent(t testing.TB, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	put := func(data []byte, off int64) {
		if _, err := file.WriteAt(data, off); err != nil {
			t.Fatal(err)
		}
	}
	put(random(2<<20), 1<<20)
	put(make([]byte, 1<<20), 4<<20)
	text := make([]byte, 6<<20)
	for i := range text {
		text[i] = byte(1 + i>>9%250)
	}
	put(text, 5<<20+300)
	for off := int64(13 << 20); off < 15<<20; off += 12 << 10 {
		put(random(4<<10), off)
	}
	put(random(1<<20+5), 17<<20+511)
	if err := file.Truncate(diskSize); err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// random returns n bytes, none of them zero, the same each time.
func random(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(data) // never fails
	for i := range data {
		data[i] |= 1
	}
	return data
}
