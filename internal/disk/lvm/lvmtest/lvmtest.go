// Package lvmtest makes volume groups with lvm(8)'s own tools. They need loop
// devices, hence root, but no device mapper: the tools write the metadata, and
// what goes into a volume is written to where lvs(8) says that it lies.
package lvmtest

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// config keeps the tools to the test's own devices and folder, away from device
// mapper and udev.
const config = `devices { dir="%[1]s/dev" scan=["%[1]s/dev"] use_devicesfile=0 obtain_device_list_from_udev=0 external_device_info_source="none" filter=["a|.*|"] }
global { activation=0 use_lvmpolld=0 event_activation=0 system_id_source="none" locking_dir="%[1]s" }
activation { udev_sync=0 udev_rules=0 monitoring=0 }
backup { backup=0 archive=0 }
`

// LVM is a place where volume groups are made.
type LVM struct {
	t   testing.TB
	dir string
}

// New makes one for the test's time.
func New(t testing.TB) *LVM {
	t.Helper()
	fstest.RequireRoot(t)
	fstest.RequireTool(t, "lvm", "losetup")
	l := &LVM{t, t.TempDir()}
	if err := os.Mkdir(filepath.Join(l.dir, "dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(l.dir, "lvm.conf"), fmt.Appendf(nil, config, l.dir), 0o600); err != nil {
		t.Fatal(err)
	}
	return l
}

// Device makes size bytes at offset of a file a device; detach ends that.
func (l *LVM) Device(path string, offset, size int64) (device string, detach func()) {
	l.t.Helper()
	node := strings.TrimSpace(fstest.Run(l.t, "losetup", "-f", "--show", "-o", fmt.Sprint(offset), "--sizelimit", fmt.Sprint(size), path))
	attached := true
	detach = func() {
		if attached {
			attached = false
			fstest.Run(l.t, "losetup", "-d", node)
		}
	}
	l.t.Cleanup(detach)
	device = filepath.Join(l.dir, "dev", filepath.Base(node))
	_ = os.Remove(device)
	fstest.Run(l.t, "cp", "-a", node, device)
	return device, detach
}

// Run runs a command of lvm(8) and returns what it printed.
func (l *LVM) Run(args ...string) string {
	l.t.Helper()
	cmd := exec.Command("lvm", args...)
	cmd.Env = append(os.Environ(), "LVM_SYSTEM_DIR="+l.dir, "LVM_SUPPRESS_FD_WARNINGS=1", "DM_DISABLE_UDEV=1")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		l.t.Fatalf("lvm %q: %v\n%s%s", args, err, out, said.String())
	}
	return string(out)
}

// Create makes a logical volume: options are lvcreate(8)'s, the last of them
// the group and, if it matters, the devices.
func (l *LVM) Create(options ...string) {
	l.t.Helper()
	l.Run(append([]string{"lvcreate", "-q", "-an", "-y", "-Wn", "-Zn"}, options...)...)
}

// segment is a line of lvs.
type segment struct {
	Start  int64  `json:"seg_start,string"`
	Size   int64  `json:"seg_size,string"`
	Stripe int64  `json:"stripe_size,string"`
	Ranges string `json:"seg_pe_ranges"`
	Extent int64  `json:"vg_extent_size,string"`
}

// Fill writes an image to a logical volume, "vg/name".
func (l *LVM) Fill(volume, image string) {
	l.t.Helper()
	var report struct {
		Report []struct {
			LV []segment `json:"lv"`
			PV []struct {
				Name  string `json:"pv_name"`
				Start int64  `json:"pe_start,string"`
			} `json:"pv"`
		} `json:"report"`
	}
	read := func(args ...string) {
		l.t.Helper()
		text := l.Run(append(args, "--units", "b", "--nosuffix", "--reportformat", "json")...)
		if err := json.Unmarshal([]byte(text), &report); err != nil {
			l.t.Fatalf("%v: %s", err, text)
		}
	}
	read("pvs", "-o", "pv_name,pe_start")
	starts := map[string]int64{}
	for _, p := range report.Report[0].PV {
		starts[p.Name] = p.Start
	}
	read("lvs", "-o", "seg_start,seg_size,stripe_size,seg_pe_ranges,vg_extent_size", volume)
	data, err := os.ReadFile(image)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, s := range report.Report[0].LV {
		if s.Start < int64(len(data)) {
			l.fill(s, starts, data[s.Start:min(s.Start+s.Size, int64(len(data)))])
		}
	}
}

// fill writes a segment's data, in turns if it has stripes.
func (l *LVM) fill(s segment, starts map[string]int64, data []byte) {
	l.t.Helper()
	var files []*os.File
	var at []int64
	for r := range strings.FieldsSeq(s.Ranges) {
		device, extents, _ := strings.Cut(r, ":")
		var first int64
		if _, err := fmt.Sscanf(extents, "%d-", &first); err != nil {
			l.t.Fatalf("%s: %v", r, err)
		}
		f, err := os.OpenFile(device, os.O_WRONLY, 0)
		if err != nil {
			l.t.Fatal(err)
		}
		defer f.Close()
		files, at = append(files, f), append(at, starts[device]+first*s.Extent)
	}
	width := s.Stripe
	if len(files) == 1 {
		width = int64(len(data))
	}
	for turn := 0; len(data) > 0; turn++ {
		n := min(width, int64(len(data)))
		i := turn % len(files)
		if _, err := io.NewOffsetWriter(files[i], at[i]).Write(data[:n]); err != nil {
			l.t.Fatal(err)
		}
		at[i] += n
		data = data[n:]
	}
}
