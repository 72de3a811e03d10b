package partition_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/disktest"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/partition"
)

// memory is a disk in memory: the parts given, and zeros up to size.
type memory struct {
	*bytes.Reader
}

func (memory) Prefetch(int64, int64) {}

func volume(data []byte) memory { return memory{bytes.NewReader(data)} }

// makeDisk writes a disk of size bytes, has sfdisk or sgdisk divide it, and
// returns its path.
func makeDisk(t testing.TB, size int64, program, stdin string, args ...string) string {
	t.Helper()
	disktest.Require(t, program)
	path := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append(args, path)...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	return path
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func readTable(t *testing.T, data []byte) *partition.Table {
	t.Helper()
	table, err := partition.Read(volume(data))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// byPartx is what partx, and so libblkid, finds on a disk. It does not tell
// which partition is a container.
func byPartx(t *testing.T, path string, sector int) []partition.Partition {
	t.Helper()
	disktest.Require(t, "partx")
	out := disktest.Run(t, "", "partx", "--sector-size", strconv.Itoa(sector), "--bytes", "--pairs",
		"--output", "NR,START,SIZE,TYPE,UUID,NAME", path)
	line := regexp.MustCompile(`NR="(\d+)" START="(\d+)" SIZE="(\d+)" TYPE="(.*)" UUID="(.*)" NAME="(.*)"`)
	var found []partition.Partition
	for _, match := range line.FindAllStringSubmatch(out, -1) {
		number, _ := strconv.Atoi(match[1])
		start, _ := strconv.ParseInt(match[2], 10, 64)
		size, _ := strconv.ParseInt(match[3], 10, 64)
		name, err := strconv.Unquote(`"` + match[6] + `"`) // it escapes what is not ASCII
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, partition.Partition{
			Number: number, Offset: start * 512, Size: size, Type: match[4], UUID: match[5], Name: name,
		})
	}
	return found
}

var tables = []struct {
	name, program, input string
	args                 []string
	size                 int64
	scheme               partition.Scheme
}{
	{"gpt", "sgdisk", "", []string{
		"-n=1:2048:+10M", "-t=1:ef00", "-c=1:EFI System", "-n=2:0:+20M", "-t=2:8304", "-c=2:r\u00f6\u00f6t \U0001f427",
		"-n=7:0:0", "-c=7:thirty-six characters are the maximum",
	}, 64 << 20, partition.GPT},
	{"gpt empty", "sgdisk", "", []string{"-o"}, 16 << 20, partition.GPT},
	{"gpt with large table", "sgdisk", "", []string{"-S=1024", "-n=1:0:+1M", "-n=999:0:+1M"}, 16 << 20, partition.GPT},
	{"mbr", "sfdisk", "label: dos\nlabel-id: 0xabcdef12\n,8M,c,*\n,16M,83\n,,8e\n", []string{"-q"}, 64 << 20, partition.MBR},
	{"mbr logical", "sfdisk", "label: dos\nlabel-id: 0x12\n,8M,83\n,,f\n,4M,82\n,5M,83\n,6M,7\n,,83\n", []string{"-q"}, 64 << 20, partition.MBR},
	{"mbr logical before primary", "sfdisk", "label: dos\n2: start=2048,size=40960,type=5\n1: start=65536,size=2048,type=83\n5: start=4096,size=2048,type=83\n6: start=10000,size=2048,type=83\n", []string{"-q"}, 64 << 20, partition.MBR},
}

func TestTables(t *testing.T) {
	for _, test := range tables {
		t.Run(test.name, func(t *testing.T) {
			path := makeDisk(t, test.size, test.program, test.input, test.args...)
			table := compare(t, path, 512)
			if table.Scheme != test.scheme {
				t.Errorf("scheme %s, want %s", table.Scheme, test.scheme)
			}
			disktest.Require(t, "blkid")
			id := strings.TrimSpace(disktest.Run(t, "", "blkid", "-p", "-s", "PTUUID", "-o", "value", path))
			if id != table.DiskID {
				t.Errorf("DiskID = %q, want %q", table.DiskID, id)
			}
		})
	}
}

// No tool of all distributions' makes a table for other sectors on a file, so
// that one is moved to where it belongs; partx can read it.
func TestLargeSectors(t *testing.T) {
	small := gptDisk(t)
	data := make([]byte, 8*len(small))
	copy(data, small[:512])
	copy(data[4096:], small[512:1024])
	copy(data[2*4096:], small[1024:34*512])
	seal(data, 4096, 4096)
	path := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if table := compare(t, path, 4096); table.Scheme != partition.GPT || len(table.Partitions) != 2 {
		t.Errorf("got %+v", table)
	}
}

// compare reads a table and holds its partitions to those that partx finds.
func compare(t *testing.T, path string, sector int) *partition.Table {
	t.Helper()
	table := readTable(t, readFile(t, path))
	if len(table.Warnings) > 0 || table.SectorSize != int64(sector) {
		t.Errorf("sectors of %d bytes, warnings %q", table.SectorSize, table.Warnings)
	}
	got := append([]partition.Partition(nil), table.Partitions...)
	for i := range got {
		if want := slices.Contains([]string{"0x5", "0xf", "0x85"}, got[i].Type); got[i].Container != want {
			t.Errorf("partition %d of type %s: Container = %v", got[i].Number, got[i].Type, got[i].Container)
		}
		got[i].Container = false
	}
	if diff := cmp.Diff(byPartx(t, path, sector), got); diff != "" {
		t.Errorf("partx (-) and this (+):\n%s", diff)
	}
	return table
}

func TestNone(t *testing.T) {
	fat := func(size int64, args ...string) func(*testing.T) []byte {
		return func(t *testing.T) []byte {
			return readFile(t, makeDisk(t, size, "mkfs.vfat", "", append(args, "-n", "DATA")...))
		}
	}
	tests := map[string]func(*testing.T) []byte{
		"zeros":              func(*testing.T) []byte { return make([]byte, 1<<20) },
		"shorter than table": func(*testing.T) []byte { return make([]byte, 100) },
		"no bytes":           func(*testing.T) []byte { return nil },
		"fat12":              fat(2<<20, "-F12"),
		"fat16":              fat(16<<20, "-F16"),
		"fat32":              fat(64<<20, "-F32"),
		"fat with 4096":      fat(64<<20, "-S4096"),
		"ext4": func(t *testing.T) []byte {
			return readFile(t, makeDisk(t, 4<<20, "mkfs.ext4", "", "-q", "-F"))
		},
		"boot code, no partitions": func(*testing.T) []byte {
			data := bytes.Repeat([]byte{0x90}, 512)
			clear(data[446:])
			data[510], data[511] = 0x55, 0xaa
			return data
		},
		"text that ends in 55 aa": func(*testing.T) []byte {
			data := bytes.Repeat([]byte("text "), 200)
			data[510], data[511] = 0x55, 0xaa
			return data
		},
		"ntfs": func(*testing.T) []byte {
			data := make([]byte, 4096)
			copy(data, "\xeb\x52\x90NTFS    \x00\x02\x08")
			copy(data[446:], "\x00\x0d\x0aA disk read error")
			data[510], data[511] = 0x55, 0xaa
			return data
		},
	}
	for name, make := range tests {
		t.Run(name, func(t *testing.T) {
			table := readTable(t, make(t))
			if table.Scheme != partition.None || len(table.Partitions) > 0 || len(table.Warnings) > 0 {
				t.Errorf("got %+v", table)
			}
		})
	}
}

var twoPartitions []byte

// gptDisk is a disk of 4 MiB with a GPT of two partitions.
func gptDisk(t testing.TB) []byte {
	t.Helper()
	if twoPartitions == nil { // sgdisk takes a second
		twoPartitions = readFile(t, makeDisk(t, 4<<20, "sgdisk", "", "-a=1", "-n=1:100:199", "-c=1:one", "-n=2:200:299", "-c=2:two"))
	}
	return bytes.Clone(twoPartitions)
}

// seal makes the checksums of a GPT right again; header is its offset.
func seal(data []byte, header, sector int) {
	h := data[header:]
	le := binary.LittleEndian
	entries := int(le.Uint64(h[72:])&0xffffff) * sector
	if n := int(le.Uint32(h[80:])) * int(le.Uint32(h[84:])); n >= 0 && n <= len(data)-entries {
		le.PutUint32(h[88:], crc32.ChecksumIEEE(data[entries:entries+n]))
	}
	le.PutUint32(h[16:], 0)
	le.PutUint32(h[16:], crc32.ChecksumIEEE(h[:92]))
}

func TestGPTDamage(t *testing.T) {
	const backup = 4<<20 - 512
	le := binary.LittleEndian
	tests := map[string]struct {
		damage  func(data []byte)
		warning string // expected, with both partitions; or
		err     string
		left    int // partitions; 0 for both
	}{
		"primary header":             {damage: func(d []byte) { d[512+60]++ }, warning: "header at sector 1: its checksum"},
		"primary header gone":        {damage: func(d []byte) { clear(d[512:1024]) }, warning: "its backup is used"},
		"primary entries":            {damage: func(d []byte) { d[1024+5]++ }, warning: "entries at sector 2: their checksum"},
		"primary says another place": {damage: func(d []byte) { d[512+24] = 7; seal(d, 512, 512) }, warning: "says it is at sector 7"},
		"protective MBR gone":        {damage: func(d []byte) { clear(d[:512]) }, warning: "protective MBR is missing"},
		"hybrid": {damage: func(d []byte) {
			copy(d[446+16:], []byte{0, 0, 0, 0, 0x83, 0, 0, 0, 100, 0, 0, 0, 100, 0, 0, 0})
		}, warning: "hybrid"},
		"both":      {damage: func(d []byte) { d[512+60]++; d[backup+60]++ }, err: "and so is its backup"},
		"both gone": {damage: func(d []byte) { clear(d[512:1024]); clear(d[backup:]) }, err: "no GPT header"},
		"too many entries": {
			damage: func(d []byte) { le.PutUint32(d[512+80:], 1<<30); seal(d, 512, 512); clear(d[backup:]) }, err: "1073741824 entries",
		},
		"entries too large": {
			damage: func(d []byte) { le.PutUint32(d[512+84:], 1<<30); seal(d, 512, 512); clear(d[backup:]) }, err: "entries of 1073741824 bytes",
		},
		"entries past the end": {
			damage: func(d []byte) { le.PutUint64(d[512+72:], 1<<40); seal(d, 512, 512); clear(d[backup:]) }, err: "past the end",
		},
		"header length": {
			damage: func(d []byte) { le.PutUint32(d[512+12:], 1<<31); clear(d[backup:]) }, err: "its own length, 2147483648 bytes",
		},
		"partition past the end": {
			damage: func(d []byte) { le.PutUint64(d[1024+128+40:], 1<<60); seal(d, 512, 512) }, warning: "partition 2, sectors 200 to 1152921504606846976", left: 1,
		},
		"partition backwards": {
			damage: func(d []byte) { le.PutUint64(d[1024+128+40:], 150); seal(d, 512, 512) }, warning: "partition 2 begins at sector 200", left: 1,
		},
		"overlap": {
			damage: func(d []byte) { le.PutUint64(d[1024+40:], 200); seal(d, 512, 512) }, warning: "partitions 1 and 2 overlap",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			data := gptDisk(t)
			test.damage(data)
			table, err := partition.Read(volume(data))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || !strings.HasPrefix(err.Error(), "gpt: ") {
					t.Errorf("error %v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(table.Warnings) != 1 || !strings.Contains(table.Warnings[0], test.warning) {
				t.Errorf("warnings %q, want %q", table.Warnings, test.warning)
			}
			if short := strings.Contains(test.warning, "200 to 1152"); (fmt.Sprint(table.CutShort) == "[2]") != short {
				t.Errorf("cut short: %v", table.CutShort)
			}
			if want := max(test.left, 2*(1-min(test.left, 1))); len(table.Partitions) != want {
				t.Errorf("%d partitions, want %d", len(table.Partitions), want)
			}
			if p := table.Partitions[0]; p.Name != "one" || p.Offset != 51200 {
				t.Errorf("first partition is %+v", p)
			}
		})
	}
}

// record writes a boot record with two entries of type, start and length.
func record(sector []byte, entries ...[3]uint32) {
	sector[510], sector[511] = 0x55, 0xaa
	for i, e := range entries {
		at := sector[446+16*i:]
		at[4] = byte(e[0])
		binary.LittleEndian.PutUint32(at[8:], e[1])
		binary.LittleEndian.PutUint32(at[12:], e[2])
	}
}

func TestMBRDamage(t *testing.T) {
	tests := map[string]struct {
		chain   map[int][][3]uint32 // boot records by sector
		numbers string
		warning string
	}{
		"loop": {map[int][][3]uint32{
			0: {{5, 10, 90}}, 10: {{0x83, 1, 5}, {5, 10, 10}}, 20: {{0x83, 1, 5}, {5, 0, 10}},
		}, "[1 5 6]", "loop"},
		"to itself": {map[int][][3]uint32{0: {{5, 0, 90}}}, "[1]", "loop"},
		"no signature": {map[int][][3]uint32{
			0: {{0x83, 1, 2}, {5, 10, 90}}, 10: {{0x83, 1, 5}, {5, 10, 10}},
		}, "[1 2 5]", "sector 20 has no signature"},
		"past the end": {map[int][][3]uint32{
			0: {{0x83, 1, 2}, {5, 10, 90}}, 10: {{0x83, 1, 5}, {5, 1 << 31, 10}},
		}, "[1 2 5]", "sector 2147483658"},
		"partition past the end": {map[int][][3]uint32{0: {{0x83, 1, 2}, {0x83, 50, 51}}}, "[1]", "partition 2, 26112 bytes at offset 25600"},
		"overlap":                {map[int][][3]uint32{0: {{0x83, 1, 50}, {0x83, 50, 10}}}, "[1 2]", "partitions 1 and 2 overlap"},
		"overlap across one":     {map[int][][3]uint32{0: {{0x83, 1, 90}, {0x83, 90, 2}, {0x83, 95, 2}}}, "[1 2 3]", "partitions 1 and 2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			data := make([]byte, 100*512)
			for sector, entries := range test.chain {
				record(data[sector*512:], entries...)
			}
			table := readTable(t, data)
			var numbers []int
			for _, p := range table.Partitions {
				numbers = append(numbers, p.Number)
			}
			if got := fmt.Sprint(numbers); got != test.numbers {
				t.Errorf("partitions %s, want %s", got, test.numbers)
			}
			if short := name == "partition past the end"; (len(table.CutShort) == 1) != short {
				t.Errorf("cut short: %v", table.CutShort)
			}
			if len(table.Warnings) == 0 || !strings.Contains(strings.Join(table.Warnings, "\n"), test.warning) {
				t.Errorf("warnings %q, want %q", table.Warnings, test.warning)
			}
		})
	}
}

func TestVolume(t *testing.T) {
	data := gptDisk(t)
	copy(data[200*512:], "second")
	table := readTable(t, data)
	v, err := table.Partitions[1].Volume(volume(data))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 6)
	if _, err := v.ReadAt(got, 0); err != nil || string(got) != "second" || v.Size() != 100*512 {
		t.Errorf("read %q, %v of %d bytes", got, err, v.Size())
	}
	if _, err := table.Partitions[1].Volume(volume(data[:1000])); err == nil {
		t.Error("a partition of another disk was accepted")
	}
}
