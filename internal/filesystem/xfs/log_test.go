package xfs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/xfs"
)

// logs are the forms that a log has; they are small, so that they wrap around.
var logs = []struct {
	name, mkfs string
	size       int64
}{
	{"defaults", "", 24 << 20},
	{"4k sectors", "-s size=4096", 24 << 20},
	{"stripes", "-l su=65536", 24 << 20},
	{"longest stripes", "-l su=262144", 300 << 20},
	{"stripes, 4k sectors", "-l su=4096 -s size=4096", 24 << 20},
	{"1k blocks", "-b size=1024", 24 << 20},
}

// TestLog looks at logs at many times, in all their states.
func TestLog(t *testing.T) {
	for _, l := range logs {
		t.Run(l.name, func(t *testing.T) {
			fstest.RequireRoot(t)
			fstest.RequireTool(t, "xfs_logprint")
			image := fstest.Image(t, l.size, mkfs("--unsupported "+l.mkfs)...)
			checkLog(t, image, true)
			for round := range 10 {
				dir, unmount := fstest.Mount(t, image, "")
				busy(t, dir, round)
				checkLog(t, fstest.Copy(t, image), false)
				if round%3 == 0 {
					fstest.Run(t, "mount", "-o", "remount,ro", dir)
					checkLog(t, fstest.Copy(t, image), true)
				}
				unmount()
				checkLog(t, image, true)
			}
			compare(t, image)
		})
	}
}

// busy writes to the log until it is at another place.
func busy(t *testing.T, dir string, round int) {
	t.Helper()
	name := filepath.Join(dir, fmt.Sprint(round))
	err := os.Mkdir(name, 0o755)
	for i := range 150 + 37*round {
		if err == nil {
			err = os.WriteFile(filepath.Join(name, fmt.Sprintf("%0100d", i)), nil, 0o600)
		}
		if i%2 == 0 && err == nil {
			err = syncDir(dir)
		}
	}
	if err == nil {
		err = errors.Join(os.RemoveAll(name), os.WriteFile(name, []byte(name), 0o600), syncDir(dir))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}

// checkLog expects an image to be readable if its log is clean, and what to do
// if it is not, and xfs_logprint to think the same.
func checkLog(t *testing.T, image string, clean bool) {
	t.Helper()
	said := fstest.Run(t, "xfs_logprint", "-t", image)
	if strings.Contains(said, "<CLEAN>") != clean {
		t.Errorf("clean is not %v: %s", clean, said)
	}
	_, err := xfs.Open(fstest.Volume(t, image))
	if clean && err != nil {
		t.Error(err)
	}
	if !clean && (err == nil || !strings.Contains(err.Error(), "xfs: log: the file system was not unmounted cleanly")) {
		t.Errorf("error is %v", err)
	}
}
