package hive_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/hive"
	"github.com/packer-maas/packer-plugin-maas/internal/hive/hivetest"
)

// made is a hive with more keys in one key than fit into one list.
func made(t testing.TB) []byte {
	t.Helper()
	values := hivetest.Values{
		`Setup\Text`: `"a value\\"`, `Setup\Short`: "hex(1):31,00,00,00", `Setup\Expanded`: "hex(2):25,00,41,00,25,00,00,00",
		`Setup\Large`: "hex(b):00,00,00,00,01,00,00,00", `Setup\Binary`: "hex:01,02",
	}
	for i := range 1200 {
		values[fmt.Sprintf(`Services\service%04d\Start`, i)] = fmt.Sprintf("dword:%08x", i)
	}
	data, err := os.ReadFile(hivetest.Make(t, values))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// What libhivex wrote is read.
func TestRead(t *testing.T) {
	data := made(t)
	h, err := hive.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	values, found, err := h.Values(`setup`)
	want := map[string]string{"text": `a value\`, "short": "1", "expanded": "%A%", "large": "4294967296"}
	if fmt.Sprint(values) != fmt.Sprint(want) || !found || err != nil {
		t.Errorf("%v, %v, %v; want %v", values, found, err, want)
	}
	for _, i := range []int{0, 600, 1199} {
		if values, _, err := h.Values(fmt.Sprintf(`SERVICES\Service%04d`, i)); err != nil || values["start"] != fmt.Sprint(i) {
			t.Errorf("%d: %v, %v", i, values, err)
		}
	}
	names, err := h.Keys(`services`)
	if len(names) != 1200 || !slices.Contains(names, "service0815") || err != nil {
		t.Errorf("%d keys, error %v", len(names), err)
	}
	if values, found, err := h.Values(`setup\none`); values != nil || found || err != nil {
		t.Errorf("%v, %v, %v", values, found, err)
	}
}

// A hive that Windows wrote is read as libhivex reads it.
func TestOfWindows(t *testing.T) {
	fstest.RequireTool(t, "hivexget")
	module := fstest.Run(t, "go", "list", "-m", "-f", "{{.Dir}}", "www.velocidex.com/golang/regparser")
	path := filepath.Join(strings.TrimSpace(module), "testdata", "NTUSER.DAT")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h, err := hive.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	number := regexp.MustCompile(`(?m)^"([^"]*)"=dword:([0-9a-f]{8})$`)
	text := regexp.MustCompile(`(?m)^"([^"]*)"="([^"\\]*)"$`)
	compared := 0
	for _, key := range []string{`Control Panel\Desktop`, `Control Panel\Mouse`, `Software\Microsoft\Windows\CurrentVersion\Explorer`, `Environment`} {
		values, found, err := h.Values(key)
		if !found || err != nil {
			t.Errorf("%s: %v, %v", key, found, err)
		}
		other := fstest.Run(t, "hivexget", path, `\`+key)
		for _, m := range append(number.FindAllStringSubmatch(other, -1), text.FindAllStringSubmatch(other, -1)...) {
			want := m[2]
			if n, err := strconv.ParseUint(m[2], 16, 32); err == nil && strings.Contains(m[0], "=dword:") {
				want = fmt.Sprint(n)
			}
			if got := values[strings.ToLower(m[1])]; got != want {
				t.Errorf(`%s\%s is %q, want %q`, key, m[1], got, want)
			}
			compared++
		}
	}
	if compared < 40 {
		t.Errorf("only %d values were compared", compared)
	}
}

// broken is a disk that cannot be read from some place on.
type broken struct {
	data []byte
	from int64
}

func (b broken) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.from {
		return 0, errors.New("the disk is broken")
	}
	return bytes.NewReader(b.data).ReadAt(p, off)
}

func TestRefused(t *testing.T) {
	data := made(t)
	unfinished := slices.Clone(data)
	unfinished[4]++
	circle := slices.Clone(data)
	list := 4096 + int64(binary.LittleEndian.Uint32(circle[4096+0x20+4+28:])) // of the root's keys
	copy(circle[list+4:], "ri\x01\x00")
	binary.LittleEndian.PutUint32(circle[list+8:], uint32(list-4096))
	endless := slices.Clone(data)
	binary.LittleEndian.PutUint32(endless[4096+0x20+4+28:], 0x7fffffff)
	for name, tt := range map[string]struct {
		r    io.ReaderAt
		size int
		want string
	}{
		"short":      {bytes.NewReader(data), 100, "100 bytes are no hive"},
		"other file": {bytes.NewReader(data[8:]), len(data) - 8, "does not begin as a hive"},
		"unfinished": {bytes.NewReader(unfinished), len(data), "in its log alone"},
		"circle":     {bytes.NewReader(circle), len(data), "lead too far"},
		"broken":     {broken{data, 128 << 10}, len(data), "the disk is broken"},
	} {
		h, err := hive.Open(tt.r, int64(tt.size))
		if err == nil {
			_, _, err = h.Values(`services\service0001`)
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", name, err, tt.want)
		}
	}
	h, err := hive.Open(bytes.NewReader(endless), int64(len(endless)))
	if err != nil {
		t.Fatal(err)
	}
	if _, found, err := h.Values(`setup`); found || err != nil {
		t.Errorf("a list that is not there: %v, %v", found, err)
	}
}

// FuzzHive reads damaged hives: each way must end, without a panic.
func FuzzHive(f *testing.F) {
	data, err := os.ReadFile(hivetest.Make(f, hivetest.Values{`Setup\Text`: `"a"`, `Setup\Number`: "dword:00000001", `Setup\State\`: ""}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, uint16(0), uint32(0))
	f.Fuzz(func(t *testing.T, data []byte, at uint16, value uint32) {
		data = slices.Clone(data)
		if int(at)+4 <= len(data) {
			binary.LittleEndian.PutUint32(data[at:], value)
		}
		h, err := hive.Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		if _, _, err := h.Values(`setup`); err != nil {
			t.Log(err)
		}
		if _, err := h.Keys(`setup`); err != nil {
			t.Log(err)
		}
	})
}
