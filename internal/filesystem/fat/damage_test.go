package fat

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// The layout of tiny: sectors and clusters of 512 bytes, the table in sector
// 1, sixteen root entries in sector 2, cluster 2 in sector 3.
const (
	tinyTable   = 512
	tinyRoot    = 1024
	tinyCluster = 1536
)

// tiny is a FAT12 file system made by hand: DIR in cluster 2 holds FILE.TXT in
// the clusters 3, 5 and 4, of 1300 bytes.
func tiny() []byte {
	b := make([]byte, 40*512)
	le := binary.LittleEndian
	b[0] = 0xeb
	le.PutUint16(b[11:], 512)
	b[13], b[14], b[16] = 1, 1, 1
	le.PutUint16(b[17:], 16)
	le.PutUint16(b[19:], 40)
	le.PutUint16(b[22:], 1)
	b[38] = 0x29
	le.PutUint32(b[39:], 0x1234abcd)
	copy(b[43:], "NO NAME    ")
	le.PutUint16(b[510:], 0xaa55)
	setNext(b, 2, 0xfff)
	setNext(b, 3, 5)
	setNext(b, 5, 4)
	setNext(b, 4, 0xfff)
	putEntry(b[tinyRoot:], "TINY LABEL ", attrLabel, 0, 0)
	putEntry(b[tinyRoot+32:], "DIR        ", attrDir, 2, 0)
	putEntry(b[tinyCluster:], ".          ", attrDir, 2, 0)
	putEntry(b[tinyCluster+32:], "..         ", attrDir, 0, 0)
	putEntry(b[tinyCluster+64:], "FILE    TXT", 0x20, 3, 1300)
	copy(b[tinyCluster+512:], strings.Repeat("3", 512)+strings.Repeat("4", 512)+strings.Repeat("5", 512))
	return b
}

func putEntry(b []byte, name string, attr byte, cluster uint16, size uint32) {
	clear(b[:entrySize])
	copy(b, name)
	b[11] = attr
	binary.LittleEndian.PutUint16(b[26:], cluster)
	binary.LittleEndian.PutUint32(b[28:], size)
}

func setNext(b []byte, cluster, next int) {
	e := b[tinyTable+cluster*3/2:]
	v := int(binary.LittleEndian.Uint16(e))
	if cluster%2 == 0 {
		v = v&0xf000 | next
	} else {
		v = v&0x000f | next<<4
	}
	binary.LittleEndian.PutUint16(e, uint16(v))
}

// putLong writes the pieces of a long name before its short entry.
func putLong(b []byte, name, short string) {
	units := utf16.Encode([]rune(name))
	units = append(units, 0)
	n := (len(units) + 12) / 13
	for len(units) < n*13 {
		units = append(units, 0xffff)
	}
	for i := n; i > 0; i-- {
		e := b[(n-i)*entrySize:]
		e[0], e[11], e[13] = byte(i), attrLong, shortSum([]byte(short))
		if i == n {
			e[0] |= 0x40
		}
		for k, u := range units[(i-1)*13 : i*13] {
			pos := 1 + 2*k
			if k >= 11 {
				pos += 5
			} else if k >= 5 {
				pos += 3
			}
			binary.LittleEndian.PutUint16(e[pos:], u)
		}
	}
	putEntry(b[n*entrySize:], short, 0x20, 0, 0)
}

func TestTiny(t *testing.T) {
	fs, err := open(tiny())
	if err != nil {
		t.Fatal(err)
	}
	if info := fs.Info(); info.UUID != "1234-ABCD" || info.Label != "TINY LABEL" {
		t.Errorf("info %+v", info)
	}
	got, err := walk(fs, 10)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat("3", 512) + strings.Repeat("5", 512) + strings.Repeat("4", 276)
	if got["DIR/FILE.TXT"].Data != want || len(got) != 2 {
		t.Errorf("got %v", got)
	}
	inode, err := fs.Inode((tinyCluster + 64) / 32)
	if err != nil {
		t.Fatal(err)
	}
	if y := inode.Modified; !y.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("no time is %v", y)
	}
}

func TestNames(t *testing.T) {
	for want, put := range map[string]func(b []byte){
		"smile 😀 and more text": func(b []byte) { putLong(b, "smile 😀 and more text", "SMILE~1    ") },
		"exactly13char":         func(b []byte) { putLong(b, "exactly13char", "EXACT~1    ") },
		"lower.TXT":             func(b []byte) { putEntry(b, "LOWER   TXT", 0, 0, 0); b[12] = 0x08 },
		"UPPER.txt":             func(b []byte) { putEntry(b, "UPPER   TXT", 0, 0, 0); b[12] = 0x10 },
		"Ünï.Ω":                 func(b []byte) { putEntry(b, "\x9an\x8b     \xea  ", 0, 0, 0) },
		"σ":                     func(b []byte) { putEntry(b, "\x05          ", 0, 0, 0) },
		"SHORT": func(b []byte) { // the checksum tells that the long name is another's
			putLong(b, "long", "OTHER      ")
			copy(b[32:], "SHORT      ")
		},
		"GONE~1": func(b []byte) { // the first piece is missing
			putLong(b, "a name of more than thirteen", "GONE~1     ")
			b[32] = 0xe5
		},
	} {
		t.Run(want, func(t *testing.T) {
			b := tiny()
			put(b[tinyRoot+64:])
			fs, err := open(b)
			if err != nil {
				t.Fatal(err)
			}
			got, err := walk(fs, 10)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := got[want]; !ok || len(got) != 3 {
				t.Errorf("no %q in %v", want, got)
			}
		})
	}
}

// TestDamage damages tiny in one place each; the error must say where.
func TestDamage(t *testing.T) {
	le := binary.LittleEndian
	for want, damage := range map[string]func(b []byte){
		"no FAT boot sector":               func(b []byte) { b[510] = 0 },
		"sectors of 0 bytes":               func(b []byte) { le.PutUint16(b[11:], 0) },
		"clusters of 3 sectors":            func(b []byte) { b[13] = 3 },
		"0 reserved sectors":               func(b []byte) { b[14] = 0 },
		"no room for data":                 func(b []byte) { b[16] = 255 },
		"in a volume of 20480":             func(b []byte) { le.PutUint16(b[19:], 41) },
		"FAT32 version 0.7":                func(b []byte) { le.PutUint16(b[22:], 0); b[42], b[43] = 7, 0 },
		"no room in the table":             func(b []byte) { le.PutUint16(b[22:], 0); clear(b[36:48]) },
		"no root directory":                func(b []byte) { le.PutUint16(b[17:], 0) },
		"chain from 3 loops at":            func(b []byte) { setNext(b, 5, 3); le.PutUint32(b[tinyCluster+64+28:], 15000) },
		"chain from 2 loops at 2":          func(b []byte) { setNext(b, 2, 2); fill(b) },
		"ends after 3 of 4 clusters":       func(b []byte) { le.PutUint32(b[tinyCluster+64+28:], 1537) },
		"cluster 0 is not on":              func(b []byte) { setNext(b, 3, 0) },
		"cluster 4087 is not on":           func(b []byte) { setNext(b, 3, 0xff7) },
		"cluster 39 is not on":             func(b []byte) { setNext(b, 5, 39) },
		"size of 4294967295 bytes exceeds": func(b []byte) { le.PutUint32(b[tinyCluster+64+28:], 0xffffffff) },
		"cluster 2 belongs to directory":   func(b []byte) { putEntry(b[tinyCluster+96:], "AGAIN      ", attrDir, 2, 0) },
		"from 0: cluster 0 is not on":      func(b []byte) { putEntry(b[tinyCluster+96:], "ROOT       ", attrDir, 0, 0) },
		`name "A/B" is damaged`:            func(b []byte) { putEntry(b[tinyCluster+96:], "A/B        ", 0, 0, 0) },
		`name "" is damaged`:               func(b []byte) { putEntry(b[tinyCluster+96:], "           ", 0, 0, 0) },
		`name "FILE.TXT" is there twice`:   func(b []byte) { putEntry(b[tinyCluster+96:], "FILE    TXT", 0, 0, 0) },
	} {
		t.Run(want, func(t *testing.T) {
			b := tiny()
			damage(b)
			fs, err := open(b)
			if err == nil {
				_, err = walk(fs, 1000)
			}
			if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "fat: ") {
				t.Errorf("error %v, want %q", err, want)
			}
		})
	}
}

// fill leaves no end in cluster 2's directory.
func fill(b []byte) {
	for i := tinyCluster + 96; i < tinyCluster+512; i += 32 {
		b[i] = 0xe5
	}
}

// TestReadErrors breaks the disk in each place that is read.
func TestReadErrors(t *testing.T) {
	for name, at := range map[string]int64{"boot": 5, "table": 513, "root": 1025, "directory": 1600, "data": 2600} {
		t.Run(name, func(t *testing.T) {
			fs, err := Open(&image{Reader: bytes.NewReader(tiny()), failAt: at})
			if err == nil {
				_, err = walk(fs, 10)
			}
			if !errors.Is(err, errBroken) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestInode(t *testing.T) {
	fs, err := open(tiny())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []uint64{0, 2, 31, 32, 40 * 16, 1 << 59, 1<<64 - 1} {
		if i, err := fs.Inode(n); err == nil {
			t.Errorf("inode %d: %+v", n, i)
		}
	}
	for _, i := range []*filesystem.Inode{{}, {Mode: filesystem.ModeRegular}, {Mode: filesystem.ModeDir}} {
		if _, err := fs.Open(i); err == nil {
			t.Errorf("opened %+v", i)
		}
		if _, err := fs.ReadDir(i); err == nil {
			t.Errorf("read directory %+v", i)
		}
	}
}

func TestProbe(t *testing.T) {
	damaged := tiny()
	damaged[13] = 0
	for name, tc := range map[string]struct {
		b    []byte
		want bool
	}{"fat": {tiny(), true}, "damaged": {damaged, false}, "empty": {nil, false}, "zeros": {make([]byte, 1<<20), false}} {
		if got := Probe(&image{Reader: bytes.NewReader(tc.b)}); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestLabel(t *testing.T) {
	for want, edit := range map[string]func(b []byte){
		"TINY LABEL": func(b []byte) { copy(b[43:], "BOOT LABEL ") },
		"BOOT LABEL": func(b []byte) { copy(b[43:], "BOOT LABEL "); b[tinyRoot] = 0xe5 },
		"":           func(b []byte) { b[tinyRoot] = 0xe5 },
	} {
		b := tiny()
		edit(b)
		fs, err := open(b)
		if err != nil {
			t.Fatal(err)
		}
		if got := fs.Info().Label; got != want {
			t.Errorf("label %q, want %q", got, want)
		}
	}
}

func TestWarning(t *testing.T) {
	b := tiny()
	b[37] = 1
	fs, err := open(b)
	if err != nil {
		t.Fatal(err)
	}
	if w := fs.Info().Warnings; len(w) != 1 {
		t.Errorf("warnings %q", w)
	}
}

// FuzzRead reads all of file systems that were changed in places: each patch is
// an offset of two bytes, and one byte.
func FuzzRead(f *testing.F) {
	images := [][]byte{tiny()}
	if _, err := os.Stat("/sbin/mkfs.vfat"); err == nil {
		for _, bits := range []string{"12", "32"} {
			img := filepath.Join(f.TempDir(), "img")
			if err := os.WriteFile(img, make([]byte, 60<<10), 0o644); err != nil {
				f.Fatal(err)
			}
			command(f, "mkfs.vfat", "-F", bits, "-s", "1", "-f", "1", "-r", "16", img)
			b, err := os.ReadFile(img)
			if err != nil {
				f.Fatal(err)
			}
			images = append(images, b)
		}
	}
	for i := range images {
		f.Add(uint8(i), []byte{13, 0, 2})
		f.Add(uint8(i), []byte{5, 2, 3, 44, 4, 0})
	}
	f.Fuzz(func(_ *testing.T, which uint8, patches []byte) {
		b := bytes.Clone(images[int(which)%len(images)])
		for ; len(patches) >= 3; patches = patches[3:] {
			b[int(binary.LittleEndian.Uint16(patches))%len(b)] = patches[2]
		}
		fs, err := open(b)
		if err != nil {
			return
		}
		_, _ = walk(fs, 1000)
		_, _ = fstest.FreeBytes(fs.(*volume))
	})
}
