package facts_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/facts"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// What ntfs-3g wrote is seen, on a disk as it is packed.
func TestReadWindowsDisk(t *testing.T) {
	volume := fstest.Image(t, 24<<20, "mkntfs", "-q", "-F", "-Q")
	dir, unmount := fstest.MountNTFS(t, volume)
	fstest.Run(t, "sh", "-ec", `cd "$0" && mkdir -p curtin Windows/Panther Windows/Setup/State Windows/System32 "Program Files/Cloudbase Solutions/Cloudbase-Init/conf"
		printf '#!/bin/sh\n' > curtin/finalize
		for i in $(seq 600); do echo > "Windows/a rather long name, as there are in this folder $i"; done
		printf '\377\376<\0P\0>\0' > Windows/Panther/Unattend.xml
		printf '[State]\r\nImageState=IMAGE_STATE_COMPLETE\r\n' > Windows/Setup/State/State.ini`, dir)
	unmount()
	path := filepath.Join(t.TempDir(), "image")
	fstest.RequireTool(t, "sfdisk")
	fstest.Run(t, "sh", "-ec", `truncate -s 26M "$1" && echo 'start=2048, size=49152, type=7' | sfdisk -q "$1"
		dd status=none conv=notrunc,sparse bs=1M seek=1 if="$0" of="$1"`, volume, path)
	f, err := facts.ReadImage(t.Context(), path, "ddraw")
	if err != nil || len(f.Disk.Volumes) != 1 || f.Tree != nil {
		t.Fatalf("%+v, error %v", f, err)
	}
	v := f.Disk.Volumes[0]
	if v.Unread != "" || v.State != "" || v.Installer() != "curtin" {
		t.Fatalf("%+v", v)
	}
	if n := len(v.Files.Names("Windows")); n != 603 {
		t.Errorf("%d names in a folder", n)
	}
	for name, want := range map[string]string{
		"curtin/finalize": "#!/bin/sh\n", "Windows/Panther/Unattend.xml": "<P>", "Windows/Setup/State/State.ini": "IMAGE_STATE_COMPLETE",
	} {
		if got := v.Files.Text(name); !strings.Contains(got, want) {
			t.Errorf("%s holds %q", name, got)
		}
	}
	// A system that sleeps.
	dir, unmount = fstest.MountNTFS(t, volume)
	fstest.Run(t, "sh", "-ec", `cd "$0" && { printf hibr; head -c 8192 /dev/zero; } > hiberfil.sys`, dir)
	unmount()
	fstest.Run(t, "sh", "-ec", `dd status=none conv=notrunc bs=1M seek=1 if="$0" of="$1"`, volume, path)
	f, err = facts.ReadImage(t.Context(), path, "ddraw")
	if err != nil || !strings.Contains(fmt.Sprint(f.Disk.Volumes[0].State), "hibernated") {
		t.Errorf("%+v, error %v", f.Disk, err)
	}
}
