package pack_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/image"
	"github.com/packer-maas/packer-plugin-maas/internal/pack"
	"github.com/packer-maas/packer-plugin-maas/internal/system"
)

// messages keeps what it is told.
type messages struct{ said strings.Builder }

func (m *messages) Say(message string)  { m.said.WriteString(message + "\n") }
func (*messages) Progress(int64, int64) {}

// withFolder is a disk whose only partition has a folder or, if the name ends
// in a tilde, a file of that name without it.
func withFolder(t *testing.T, name string) string {
	t.Helper()
	fstest.RequireTool(t, "mke2fs")
	dir := t.TempDir()
	folder, isFile := strings.CutSuffix(name, "~")
	var err error
	if isFile {
		err = os.WriteFile(filepath.Join(dir, folder), nil, 0o600)
	} else {
		err = os.MkdirAll(filepath.Join(dir, folder), 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "root")
	fstest.Run(t, "mke2fs", "-q", "-t", "ext4", "-d", dir, root, "8M")
	return onDisk(t, root)
}

// A whole disk is the same bytes in every format, and those that qemu-img sees.
func TestRunWholeDisk(t *testing.T) {
	raw := onDisk(t, smallSystem(t))
	sums := map[string]string{}
	for _, format := range []string{"raw", "qcow2", "vhdx", "vmdk"} {
		if !cgo && format != "raw" && format != "qcow2" {
			continue
		}
		dir := t.TempDir()
		disk := filepath.Join(dir, "disk")
		fstest.Run(t, "qemu-img", "convert", "-O", format, raw, disk)
		fstest.Run(t, "qemu-img", "convert", "-f", format, "-O", "raw", disk, dir+"/want")
		output := dir + "/out.dd.gz"
		var said messages
		result, err := pack.Run(t.Context(), pack.Job{Disk: disk, Format: format, Output: output, Image: image.Options{Filetype: "ddgz"}}, &said)
		if err != nil {
			t.Fatal(err)
		}
		fstest.Run(t, "sh", "-c", `gzip -t < "$0" && zcat < "$0" | cmp - "$1"`, output, dir+"/want")
		sums[digest(t, dir+"/want")] += result.SHA256
		if result.System != "Small" || !result.Verified || !strings.Contains(said.said.String(), "no partition has a folder /curtin") {
			t.Errorf("result is %+v, said:\n%s", result, said.said.String())
		}
	}
	for _, all := range sums {
		if strings.Count(all, all[:64])*64 != len(all) {
			t.Error("the same disk in different formats gave different images")
		}
	}
}

func TestRunLooksForCurtin(t *testing.T) {
	for name, want := range map[string]string{
		"curtin": "", "snaps": "", "system-data/var/lib/snapd": "",
		"etc": "no partition has a folder /curtin", "curtin~": "no partition has a folder /curtin",
	} {
		var said messages
		_, err := pack.Run(t.Context(), pack.Job{
			Disk: withFolder(t, name), Output: filepath.Join(t.TempDir(), "out"), Image: image.Options{Filetype: "ddgz"},
		}, &said)
		if err != nil {
			t.Fatal(err)
		}
		if got := said.said.String(); strings.Contains(got, "/curtin") != (want != "") || !strings.Contains(got, want) {
			t.Errorf("%s: said:\n%s", name, got)
		}
	}
	// What cannot be read may have it.
	disk := withFolder(t, "etc")
	fstest.Run(t, "sh", "-c", `printf 'NTFS    ' | dd of="$0" bs=1 seek=$((1048576+3)) conv=notrunc; dd if=/dev/zero of="$0" bs=1k count=1 seek=1025 conv=notrunc`, disk)
	var said messages
	_, err := pack.Run(t.Context(), pack.Job{Disk: disk, Output: filepath.Join(t.TempDir(), "out"), Image: image.Options{Filetype: "ddgz"}}, &said)
	if err != nil || !strings.Contains(said.said.String(), "partition 1 cannot be") {
		t.Errorf("error %v, said:\n%s", err, said.said.String())
	}
}

func TestRunRefusesWholeDisk(t *testing.T) {
	disk := onDisk(t, smallSystem(t))
	short := onDisk(t, smallSystem(t)) // one partition is whole, another is not
	fstest.RequireTool(t, "sgdisk")
	fstest.Run(t, "truncate", "-s", "40M", short)
	fstest.Run(t, "sgdisk", "-e", "-n=2:40960:+10M", short)
	fstest.Run(t, "truncate", "-s", "25M", short)
	for name, tt := range map[string]struct {
		job  pack.Job
		want string
	}{
		"bare":     {pack.Job{Disk: smallSystem(t)}, "the disk has no partitions, it holds ext4: "},
		"empty":    {pack.Job{Disk: empty(t)}, "the disk has no partitions: "},
		"short":    {pack.Job{Disk: short}, "cut short, or its partition table is damaged: gpt: partition 2"},
		"overlay":  {pack.Job{Disk: disk, Overlay: t.TempDir()}, "ext4 cannot be written here"},
		"hooks":    {pack.Job{Disk: disk, CurtinHooks: t.TempDir(), System: system.Options{Root: "2"}}, "names 0 volumes"},
		"identity": {pack.Job{Disk: disk, KeepIdentity: []string{"cloud-init"}}, "nothing is reset on a whole disk"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.job.Output = filepath.Join(t.TempDir(), "out")
			tt.job.Image.Filetype = "ddgz"
			_, err := pack.Run(t.Context(), tt.job, logReporter{t})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one that says %q", err, tt.want)
			}
			if left, err := os.ReadDir(filepath.Dir(tt.job.Output)); err != nil || len(left) > 0 {
				t.Errorf("left: %v %v", left, err)
			}
		})
	}
}

// A disk with nothing in its last partitions fits a smaller machine.
func TestRunShrinks(t *testing.T) {
	raw := onDisk(t, smallSystem(t))
	fstest.RequireTool(t, "sgdisk")
	fstest.Run(t, "truncate", "-s", "4G", raw)
	fstest.Run(t, "sgdisk", "-e", "-n=2:40960:+1G", raw)
	dir := t.TempDir()
	var said messages
	result, err := pack.Run(t.Context(), pack.Job{Disk: raw, Output: dir + "/out.dd.gz", Shrink: true, Image: image.Options{Filetype: "ddgz"}}, &said)
	if err != nil {
		t.Fatal(err)
	}
	fstest.Run(t, "sh", "-c", `zcat < "$0" > "$1" && sgdisk -v "$1" | grep -q "No problems"`, dir+"/out.dd.gz", dir+"/out")
	fstest.Run(t, "cmp", "-i", "1048576", "-n", "16777216", raw, dir+"/out")
	if result.Disk != 18<<20 || result.System != "Small" || !strings.Contains(said.said.String(), "from 4294967296 to 18874368 bytes") {
		t.Errorf("result is %+v, said:\n%s", result, said.said.String())
	}
	_, err = pack.Run(t.Context(), pack.Job{Disk: smallSystem(t), Output: dir + "/other", Shrink: true, Image: image.Options{Filetype: "ddgz"}}, &said)
	if err == nil || !strings.Contains(err.Error(), "only disks with a GPT can be shrunk") {
		t.Errorf("error is %v", err)
	}
}

// Hooks and files go onto the volume that a machine boots from, and the image
// is the same each time; the disk stays as it was.
func TestRunPutsFilesInside(t *testing.T) {
	fstest.RequireTool(t, "mcopy", "fsck.vfat")
	volume := fstest.Image(t, 40<<20, "mkfs.vfat", "-F", "32")
	fstest.Run(t, "mmd", "-i", volume, "::/EFI")
	raw := onDisk(t, volume)
	before := digest(t, raw)
	hooks, overlay := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{hooks + "/curtin-hooks": "#!/bin/sh\n", overlay + "/EFI/a file.cfg": "x"} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sums := map[string]bool{}
	for range 2 {
		dir := t.TempDir()
		var said messages
		result, err := pack.Run(t.Context(), pack.Job{
			Disk: raw, Output: dir + "/out.dd.gz", CurtinHooks: hooks, Overlay: overlay, Image: image.Options{Filetype: "ddgz"},
		}, &said)
		if err != nil {
			t.Fatal(err)
		}
		sums[result.SHA256] = true
		if got := said.said.String(); strings.Contains(got, "Warning") || !strings.Contains(got, "into partition 1") {
			t.Errorf("said:\n%s", got)
		}
		fstest.Run(t, "sh", "-ec", `cd "$0"; zcat < out.dd.gz | tail -c +1048577 | head -c $((40<<20)) > p; fsck.vfat -n p
			mcopy -s -i p ::/ back; diff -r "$1" back/curtin; diff -r "$2/EFI" back/EFI`, dir, hooks, overlay)
	}
	if len(sums) != 1 {
		t.Error("the same gave other bytes")
	}
	if digest(t, raw) != before {
		t.Error("the disk was changed")
	}
}
