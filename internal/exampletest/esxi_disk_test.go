package exampletest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sys/unix"

	"github.com/packer-maas/packer-plugin-maas/internal/exampletest/vmware"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/packertest"
	"github.com/packer-maas/packer-plugin-maas/internal/region/regiontest"
)

// altbootbank is where ESXi's first boot looks for the scripts.
const altbootbank = 6

// esxiTemplate is the template without a machine: its disk is there.
func esxiTemplate(t *testing.T, disk string) string {
	t.Helper()
	return withoutMachine(t, "esxi", `filetype = "ddgz"`, fmt.Sprintf("filetype = \"ddgz\"\n    input = %q", disk))
}

// TestESXiImage has the template make an image of each version's disk, and
// MAAS take it.
func TestESXiImage(t *testing.T) {
	fstest.RequireTool(t, "fsck.fat", "mdir", "mtype", "sgdisk")
	p := packertest.New(t)
	for version, layout := range vmware.Layouts {
		t.Run(version, func(t *testing.T) {
			disk := vmware.Disk(t, esxi(t, version, "var.disk_size"), layout)
			region := regiontest.Start(t, regiontest.Options{Dir: t.TempDir()})
			image := filepath.Join(t.TempDir(), version+".dd.gz")
			cmd := p.Command("build", "-var-file="+Variables(t, "esxi")[version], "-var", esxiISO, "-var", "filename="+image, esxiTemplate(t, disk))
			cmd.Env = append(cmd.Env, "MAAS_URL="+region.URL, "MAAS_API_KEY="+regiontest.AdminKey)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if !regexp.MustCompile(`root's password in the image: [0-9a-f-]{23}-Mx\.s\n`).Match(out) {
				t.Errorf("the password is not told:\n%s", out)
			}
			name := strings.Replace(version, "esxi", "esxi/", 1)
			if err := region.Deployable(name); err != nil {
				t.Errorf("MAAS: %v", err)
			}
			checkESXiDisk(t, image, disk, layout)
		})
	}
}

// checkESXiDisk looks at the disk that an image makes, as fsck, mtools and
// curtin do.
func checkESXiDisk(t *testing.T, image, built string, layout []vmware.Partition) {
	t.Helper()
	deployed := deploy(t, image)
	if before, after := fstest.Run(t, "sgdisk", "--print", built), fstest.Run(t, "sgdisk", "--print", deployed); strings.ReplaceAll(after, deployed, built) != before {
		t.Errorf("the partitions are\n%s, and were\n%s", after, before)
	}
	for _, p := range layout {
		if p.Cluster == 0 {
			continue
		}
		volume := volumeOf(t, p, deployed)
		fstest.Run(t, "fsck.fat", "-n", volume)
		if text := fstest.Run(t, "mtype", "-i", volume, "::BOOT.CFG"); !strings.Contains(text, "Loading VMware ESXi") {
			t.Errorf("partition %d: boot.cfg is %q", p.Number, text)
		}
		// curtin takes the last partition with this folder.
		if has := strings.Contains(fstest.Run(t, "mdir", "-b", "-i", volume, "::"), "::/curtin/"); has != (p.Number == altbootbank) {
			t.Errorf("partition %d has the hooks: %v", p.Number, has)
		}
		if p.Number == altbootbank {
			checkHooks(t, volume)
		}
	}
}

// deploy makes the disk of an image, as curtin does, but leaves out what is zero.
func deploy(t *testing.T, image string) string {
	t.Helper()
	from, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	unpacked, err := gzip.NewReader(from)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "deployed")
	to, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	block, at := make([]byte, 1<<20), int64(0)
	for err == nil {
		var n int
		n, err = io.ReadFull(unpacked, block)
		if !zeros(block[:n]) {
			if _, err := to.WriteAt(block[:n], at); err != nil {
				t.Fatal(err)
			}
		}
		at += int64(n)
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	if err := to.Truncate(at); err != nil {
		t.Fatal(err)
	}
	return path
}

func zeros(b []byte) bool { return len(b) == 0 || b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1]) }

// volumeOf copies a partition to a file of its own, with its holes.
func volumeOf(t *testing.T, p vmware.Partition, disk string) string {
	t.Helper()
	from, err := os.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	path := filepath.Join(t.TempDir(), fmt.Sprint(p.Number))
	to, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	start, end := p.First*512, (p.Last+1)*512
	for at := start; at < end; {
		data, err := unix.Seek(int(from.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) || data >= end {
			break
		}
		hole, err := unix.Seek(int(from.Fd()), data, unix.SEEK_HOLE)
		if err != nil {
			t.Fatal(err)
		}
		hole = min(hole, end)
		if _, err := io.Copy(io.NewOffsetWriter(to, data-start), io.NewSectionReader(from, data, hole-data)); err != nil {
			t.Fatal(err)
		}
		at = hole
	}
	if err := to.Truncate(end - start); err != nil {
		t.Fatal(err)
	}
	return path
}

// checkHooks compares the hooks on a volume with the example's, to the byte.
func checkHooks(t *testing.T, volume string) {
	t.Helper()
	source := filepath.Join(Root, "example", "esxi", "curtin")
	files, err := filepath.Glob(filepath.Join(source, "maas", "*.py"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range append(files, filepath.Join(source, "curtin-hooks")) {
		name, err := filepath.Rel(source, file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := fstest.Run(t, "mtype", "-i", volume, "::/curtin/"+filepath.ToSlash(name)); got != string(want) {
			t.Errorf("%s is %d bytes, want %d", name, len(got), len(want))
		}
	}
}
