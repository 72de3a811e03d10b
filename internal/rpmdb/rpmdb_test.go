package rpmdb_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/rpmdb"
)

// packages are enough, and one long enough, for several pages of every form.
const packages = 120

// database is the SQLite database of a system that rpm itself has installed
// packages into; it is made once.
var database = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "rpmdb-test")
	if err != nil {
		return "", err
	}
	var spec strings.Builder
	spec.WriteString("Name: many\nVersion: 1.2\nRelease: 3\nEpoch: 4\nSummary: One of many\nLicense: MPL-2.0\nVendor: Tests\nBuildArch: noarch\n%description\nx\n")
	for i := range packages {
		n := strconv.Itoa(i)
		spec.WriteString("%package -n sub" + n + "\nSummary: Number " + n + "\n%description -n sub" + n + "\n" + strings.Repeat("long ", i*40) + "\n%files -n sub" + n + "\n")
	}
	file := filepath.Join(dir, "many.spec")
	if err := os.WriteFile(file, []byte(spec.String()), 0o600); err != nil {
		return dir, err
	}
	build := `rpmbuild --quiet -bb --define "_topdir $0" --define "_binary_payload w0.gzdio" "$1" &&
		rpm --root "$0/root" --dbpath /db --define "_db_backend sqlite" --install --justdb --nodeps "$0"/RPMS/noarch/*.rpm`
	if out, err := exec.Command("sh", "-c", build, dir, file).CombinedOutput(); err != nil {
		return dir, fmt.Errorf("%w\n%s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := database(); dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// made is the folder of the database.
func made(t testing.TB) string {
	t.Helper()
	fstest.RequireTool(t, "rpm", "rpmbuild", "sqlite3")
	dir, err := database()
	if err != nil {
		t.Fatal(err)
	}
	return dir + "/root/db"
}

func open(t testing.TB, path string) rpmdb.File {
	t.Helper()
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return rpmdb.File{}
	}
	if err != nil {
		t.Fatal(err)
	}
	return rpmdb.File{ReaderAt: bytes.NewReader(b), Size: int64(len(b))}
}

func names(list []rpmdb.Package) []string {
	var lines []string
	for _, p := range list {
		lines = append(lines, strings.Join([]string{
			p.Name, strconv.Itoa(p.Epoch), p.Version, p.Release, p.Architecture, p.License, p.Vendor, p.Summary, p.Source,
		}, "|"))
	}
	slices.Sort(lines)
	return lines
}

const queryFormat = "%{NAME}|%{EPOCH}|%{VERSION}|%{RELEASE}|%{ARCH}|%{LICENSE}|%{VENDOR}|%{SUMMARY}|%{SOURCERPM}\n"

// What is read is what rpm says.
func TestReadIsWhatRPMSays(t *testing.T) {
	dir := made(t)
	got, err := rpmdb.Read(t.Context(), open(t, dir+"/rpmdb.sqlite"), open(t, dir+"/rpmdb.sqlite-wal"))
	if err != nil {
		t.Fatal(err)
	}
	out := fstest.Run(t, "rpm", "--root", filepath.Dir(dir), "--dbpath", "/db", "--define", "_db_backend sqlite", "-qa", "--queryformat", queryFormat)
	want := slices.DeleteFunc(strings.Split(out, "\n"), func(line string) bool { return !strings.HasPrefix(line, "sub") })
	slices.Sort(want)
	if !slices.Equal(names(got), want) || len(want) != packages {
		t.Errorf("read %d packages, rpm says %d:\n%.300q\n%.300q", len(got), len(want), names(got), want)
	}
}

// The form ndb, which Debian's rpm does not write, made of the same headers.
func TestReadNDB(t *testing.T) {
	headers := rawHeaders(t)
	file := ndb(headers)
	got, err := rpmdb.Read(t.Context(), rpmdb.File{ReaderAt: bytes.NewReader(file), Size: int64(len(file))}, rpmdb.File{})
	if err != nil || !slices.Equal(names(got), names(sqlitePackages(t))) {
		t.Errorf("read %d packages, %v", len(got), err)
	}
}

// ndb lays headers out as rpm's lib/backend/ndb/rpmpkg.c describes it.
func ndb(headers [][]byte) []byte {
	le := binary.LittleEndian
	file := append([]byte{}, make([]byte, 4096)...)
	copy(file, "RpmP")
	le.PutUint32(file[12:], 1)
	for slot := 2; slot < 256; slot++ {
		copy(file[16*slot:], "Slot")
		if slot-2 >= len(headers) {
			continue
		}
		h, index := headers[slot-2], uint32(slot)
		le.PutUint32(file[16*slot+4:], index)
		le.PutUint32(file[16*slot+8:], uint32(len(file)/16))
		file = append(file, "BlbS"...)
		file = le.AppendUint32(file, index)
		file = le.AppendUint32(file, 0)
		file = le.AppendUint32(file, uint32(len(h)))
		file = append(file, h...)
		file = append(file, make([]byte, -len(file)&15+16)...)
	}
	return file
}

func sqlitePackages(t testing.TB) []rpmdb.Package {
	t.Helper()
	dir := made(t)
	list, err := rpmdb.Read(context.Background(), open(t, dir+"/rpmdb.sqlite"), open(t, dir+"/rpmdb.sqlite-wal"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// The write-ahead log of a database that was not closed counts.
func TestReadLog(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rpmdb.sqlite")
	fstest.Run(t, "sqlite3", made(t)+"/rpmdb.sqlite", "VACUUM INTO '"+file+"'")
	// A copy of both files while the database is open is what a power cut leaves.
	script := "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; DELETE FROM Packages WHERE hnum > 10;\n.shell cp " + file + " " + file + "-wal " + t.TempDir() + "\n"
	cmd := exec.Command("sqlite3", file)
	copied := strings.Fields(script)
	to := copied[len(copied)-1]
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	without, err := rpmdb.Read(context.Background(), open(t, to+"/rpmdb.sqlite"), rpmdb.File{})
	if err != nil || len(without) != packages {
		t.Errorf("without the log: %d packages, %v", len(without), err)
	}
	with, err := rpmdb.Read(context.Background(), open(t, to+"/rpmdb.sqlite"), open(t, to+"/rpmdb.sqlite-wal"))
	if err != nil || len(with) != 10 {
		t.Errorf("with the log: %d packages, %v", len(with), err)
	}
}

// Berkeley DB's own tool makes the form of older systems, in either byte order.
func TestReadBerkeley(t *testing.T) {
	fstest.RequireTool(t, "db_load")
	want := sqlitePackages(t)
	headers := rawHeaders(t)
	for _, order := range []string{"1234", "4321"} {
		var dump strings.Builder
		dump.WriteString("VERSION=3\nformat=bytevalue\ntype=hash\nh_nelem=50\ndb_lorder=" + order + "\ndb_pagesize=4096\nHEADER=END\n 00000000\n 79000000\n")
		for i, h := range headers {
			dump.WriteString(" " + hex([]byte{byte(i + 1), 0, 0, 0}) + "\n " + hex(h) + "\n")
		}
		dump.WriteString("DATA=END\n")
		file := filepath.Join(t.TempDir(), "Packages")
		cmd := exec.Command("db_load", file)
		cmd.Stdin = strings.NewReader(dump.String())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		got, err := rpmdb.Read(context.Background(), open(t, file), rpmdb.File{})
		if err != nil || !slices.Equal(names(got), names(want)) {
			t.Errorf("byte order %s: %d packages instead of %d, %v", order, len(got), len(want), err)
		}
	}
}

// rawHeaders are packages' headers, as SQLite's own tool reads them.
func rawHeaders(t testing.TB) [][]byte {
	t.Helper()
	var headers [][]byte
	for line := range strings.Lines(fstest.Run(t, "sqlite3", made(t)+"/rpmdb.sqlite", "SELECT hex(blob) FROM Packages")) {
		headers = append(headers, unhex(strings.TrimSpace(line)))
	}
	return headers
}

func hex(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		s.WriteString(strconv.FormatUint(uint64(c)+0x100, 16)[1:])
	}
	return s.String()
}

func unhex(s string) []byte {
	var b []byte
	for i := 0; i+1 < len(s); i += 2 {
		n, _ := strconv.ParseUint(s[i:i+2], 16, 8)
		b = append(b, byte(n))
	}
	return b
}

// A damaged database is an error, or some packages fewer, and never a crash.
func FuzzRead(f *testing.F) {
	b, err := os.ReadFile(made(f) + "/rpmdb.sqlite")
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range [][]byte{b, ndb(rawHeaders(f)[:5])} {
		for _, at := range []int{20, 40, 100, 108, 4096, 4104, 4110, len(b) / 2} {
			broken := slices.Clone(b)
			broken[at] ^= 0x5a
			f.Add(broken[:min(len(broken), 200<<10)])
		}
	}
	page := make([]byte, 2*512)
	copy(page[12:], "\x61\x15\x06\x00")
	copy(page[20:], "\x00\x02\x00\x00")
	page[32], page[512+25], page[512+20] = 1, 13, 4
	f.Add(page)
	f.Fuzz(func(_ *testing.T, b []byte) {
		file := rpmdb.File{ReaderAt: bytes.NewReader(b), Size: int64(len(b))}
		_, _ = rpmdb.Read(context.Background(), file, file)
	})
}
