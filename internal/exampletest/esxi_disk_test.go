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

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/packertest"
	"github.com/packer-maas/packer-plugin-maas/internal/region/regiontest"
)

// The types of ESXi's partitions (VMware KB 1036609).
const (
	efiSystem = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
	basicData = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
	vmkCore   = "9D275380-40AD-11DB-BF97-000C2911D1B8"
	vmfsL     = "4EB2EA39-7855-4790-A79E-FAE495E21F8D"
)

// esxiPartition is a partition by its first and last sector. With a size of
// clusters, in sectors, it has a FAT16.
type esxiPartition struct {
	number, first, last int64
	kind                string
	cluster             int64
}

// esxiLayouts are what the installers leave on the template's disk, as
// `partedUtil getptbl` tells it; MAAS's layouts vmfs6 and vmfs7 have the same
// sizes. The clusters are the smallest that FAT16 has for the size.
var esxiLayouts = map[string][]esxiPartition{
	"esxi6.7": {
		{1, 64, 8191, efiSystem, 1},
		{5, 8224, 520191, basicData, 8},
		{6, 520224, 1032191, basicData, 8},
		{7, 1032224, 1257471, vmkCore, 0},
		{8, 1257504, 1843199, basicData, 16},
		{9, 1843200, 7086079, vmkCore, 0},
		{2, 7086080, 15472639, basicData, 128},
	},
	// 7 and 9 are the same.
	"esxi8": {
		{1, 64, 204863, efiSystem, 4},
		{5, 208896, 8595455, basicData, 128},
		{6, 8597504, 16984063, basicData, 128},
		{7, 16986112, 67108830, vmfsL, 0},
	},
}

// altbootbank is where ESXi's first boot looks for the scripts.
const altbootbank = 6

// esxiDisk makes a disk as an installer leaves it on the template's machine.
func esxiDisk(t *testing.T, version string, layout []esxiPartition) string {
	t.Helper()
	fstest.RequireTool(t, "sgdisk", "mkfs.fat", "mcopy")
	path := filepath.Join(t.TempDir(), "disk.raw")
	file := filepath.Join(t.TempDir(), "boot.cfg")
	fstest.Run(t, "truncate", "-s", esxi(t, version, "var.disk_size"), path)
	if err := os.WriteFile(file, []byte("bootstate=0\ntitle=Loading VMware ESXi\nkernel=b.b00\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	table := []string{"--set-alignment=1"}
	for _, p := range layout {
		table = append(table, fmt.Sprintf("--new=%d:%d:%d", p.number, p.first, p.last), fmt.Sprintf("--typecode=%d:%s", p.number, p.kind))
	}
	fstest.Run(t, "sgdisk", append(table, path)...)
	for _, p := range layout {
		if p.cluster > 0 {
			fstest.Run(t, "mkfs.fat", "-F", "16", "-s", fmt.Sprint(p.cluster), "--offset", fmt.Sprint(p.first), path, fmt.Sprint((p.last-p.first+1)/2))
			fstest.Run(t, "mcopy", "-i", p.at(path), file, "::BOOT.CFG")
		}
		if p.kind == efiSystem {
			fstest.Run(t, "mmd", "-i", p.at(path), "::EFI", "::EFI/BOOT")
			fstest.Run(t, "mcopy", "-i", p.at(path), file, "::EFI/BOOT/BOOTx64.EFI")
		}
	}
	return path
}

// at is a partition of a disk in the words of mtools.
func (p esxiPartition) at(disk string) string { return fmt.Sprintf("%s@@%d", disk, p.first*512) }

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
	for version, layout := range esxiLayouts {
		t.Run(version, func(t *testing.T) {
			disk := esxiDisk(t, version, layout)
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
func checkESXiDisk(t *testing.T, image, built string, layout []esxiPartition) {
	t.Helper()
	deployed := deploy(t, image)
	if before, after := fstest.Run(t, "sgdisk", "--print", built), fstest.Run(t, "sgdisk", "--print", deployed); strings.ReplaceAll(after, deployed, built) != before {
		t.Errorf("the partitions are\n%s, and were\n%s", after, before)
	}
	for _, p := range layout {
		if p.cluster == 0 {
			continue
		}
		volume := p.volume(t, deployed)
		fstest.Run(t, "fsck.fat", "-n", volume)
		if text := fstest.Run(t, "mtype", "-i", volume, "::BOOT.CFG"); !strings.Contains(text, "Loading VMware ESXi") {
			t.Errorf("partition %d: boot.cfg is %q", p.number, text)
		}
		// curtin takes the last partition with this folder.
		if has := strings.Contains(fstest.Run(t, "mdir", "-b", "-i", volume, "::"), "::/curtin/"); has != (p.number == altbootbank) {
			t.Errorf("partition %d has the hooks: %v", p.number, has)
		}
		if p.number == altbootbank {
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

// volume copies the partition to a file of its own, with its holes.
func (p esxiPartition) volume(t *testing.T, disk string) string {
	t.Helper()
	from, err := os.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	path := filepath.Join(t.TempDir(), fmt.Sprint(p.number))
	to, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	start, end := p.first*512, (p.last+1)*512
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
