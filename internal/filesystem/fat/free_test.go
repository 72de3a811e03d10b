package fat

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

var fsckCount = regexp.MustCompile(`(\d+)/(\d+) clusters`)

// checkFree expects that all free space is known, and no other: garbage in it is
// not noticed by fsck.vfat, nor in any file.
func checkFree(t *testing.T, img string, fs *volume, want map[string]node) {
	t.Helper()
	scrambled, free := fstest.Scramble(t, img, fs)
	says := fsckCount.FindStringSubmatch(command(t, "fsck.vfat", "-n", scrambled))
	used, _ := strconv.ParseInt(says[1], 10, 64)
	all, _ := strconv.ParseInt(says[2], 10, 64)
	if free != (all-used)*fs.cluster {
		t.Errorf("%d bytes are free, by fsck.vfat %d", free, (all-used)*fs.cluster)
	}
	b, err := os.ReadFile(scrambled)
	if err != nil {
		t.Fatal(err)
	}
	again, err := open(b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := walk(again, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("with garbage in free space (-want +got):\n%s", d)
	}
}

// TestFreeRefused expects nothing to be called free where there is doubt.
func TestFreeRefused(t *testing.T) {
	fstest.RequireTool(t, "mkfs.vfat", "mcopy")
	file := filepath.Join(t.TempDir(), "FILE")
	if err := os.WriteFile(file, make([]byte, 2000), 0o600); err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	for name, c := range map[string]struct {
		damage func(b []byte, table, copied, root int)
		want   string
	}{
		"clean":        {func([]byte, int, int, int) {}, ""},
		"dirty, Linux": {func(b []byte, _, _, _ int) { b[37] |= 1 }, "was not unmounted cleanly"},
		"dirty, Windows": {func(b []byte, table, copied, _ int) {
			le.PutUint16(b[table+2:], 0x7fff)
			le.PutUint16(b[copied+2:], 0x7fff)
		}, "was not unmounted cleanly"},
		"errors": {func(b []byte, table, copied, _ int) {
			le.PutUint16(b[table+2:], 0xbfff)
			le.PutUint16(b[copied+2:], 0xbfff)
		}, "errors were recorded"},
		"copies": {func(b []byte, _, copied, _ int) { b[copied+3000] = 1 }, "the copies of its table differ"},
		"file is free": {func(b []byte, table, copied, _ int) {
			le.PutUint16(b[table+4:], 0)
			le.PutUint16(b[copied+4:], 0)
		}, `"FILE": cluster 2 is in use, but free by the table`},
		"chain ends": {func(b []byte, _, _, root int) { le.PutUint32(b[root+28:], 100_000) }, "ends after 1 of"},
		"too much":   {func(b []byte, _, _, root int) { le.PutUint32(b[root+28:], 1<<31) }, "more clusters than it has"},
	} {
		t.Run(name, func(t *testing.T) {
			img := filepath.Join(t.TempDir(), "img")
			if err := os.WriteFile(img, make([]byte, 16<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			command(t, "mkfs.vfat", "-F", "16", "-s", "4", img)
			command(t, "mcopy", "-i", img, file, "::/FILE")
			b, err := os.ReadFile(img)
			if err != nil {
				t.Fatal(err)
			}
			g, err := parseBoot(b, int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			c.damage(b, int(g.table), int(g.table+g.tableSize), int(g.root))
			fs, err := open(b)
			if err != nil {
				t.Fatal(err)
			}
			_, err = fstest.FreeBytes(fs.(*volume))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error is %v, want one that says %q", err, c.want)
			}
		})
	}
}
