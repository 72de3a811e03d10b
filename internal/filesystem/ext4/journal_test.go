package ext4

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// journals are the forms that a journal has. Those of 4 MiB wrap around while
// they are filled.
var journals = []struct {
	name, mkfs, mount string
}{
	{"version 3 checksums", "-t ext4 -J size=4", ""},
	{"version 3 checksums, not wrapped", "-t ext4 -J size=16", ""},
	{"version 3 checksums, asynchronous", "-t ext4 -J size=4", "journal_async_commit,data=writeback"},
	{"no checksums", "-t ext4 -O ^metadata_csum -J size=4", ""},
	{"no checksums, 32 bits", "-t ext4 -O ^metadata_csum,^64bit -J size=4", ""},
	{"version 1 checksums", "-t ext4 -O ^metadata_csum -J size=4", "journal_checksum"},
	{"version 1 checksums, asynchronous", "-t ext4 -O ^metadata_csum,^64bit -J size=4", "journal_async_commit,data=writeback"},
	{"ext3", "-t ext3 -b 1024 -J size=2", ""},
	{"with data", "-t ext4 -O inline_data -J size=16", "data=journal"},
	{"with data, 32 bits", "-t ext3 -J size=16", "data=journal"},
	{"orphan file", "-t ext4 -O orphan_file,metadata_csum_seed -J size=4", ""},
}

// TestReplay compares the replay of journals with the kernel's.
func TestReplay(t *testing.T) {
	for _, j := range journals {
		t.Run(j.name, func(t *testing.T) {
			fstest.RequireRoot(t)
			image := unfinished(t, j.mkfs, j.mount)
			if compareReplay(t, image) == 0 {
				t.Error("nothing was replayed")
			}
		})
	}
}

// TestFastCommit expects the refusal of what is not in the journal proper.
func TestFastCommit(t *testing.T) {
	fstest.RequireRoot(t)
	image := unfinished(t, "-t ext4 -O fast_commit -J size=8", "")
	_, err := Open(fstest.Volume(t, image))
	if err == nil || !strings.Contains(err.Error(), "fast commits") || !strings.Contains(err.Error(), shutDown) {
		t.Errorf("error is %v", err)
	}
}

// TestDamagedJournal compares what becomes of journals whose last transaction
// is not whole: the kernel refuses some, and drops it in others.
func TestDamagedJournal(t *testing.T) {
	for _, j := range journals[:8] {
		t.Run(j.name, func(t *testing.T) {
			fstest.RequireRoot(t)
			image := unfinished(t, j.mkfs, j.mount)
			last := findLast(t, image)
			for _, d := range []struct {
				name   string
				at     int64
				damage []byte
			}{
				{"commit never written", last.commit, make([]byte, last.blockSize)},
				{"commit of long ago", last.commit + 8, []byte{0, 0, 0, 1}},
				{"commit's checksum", last.commit + 0x10, []byte{1, 2, 3, 4}},
				{"commit's time", last.commit + 0x30, make([]byte, 8)},
				{"commit torn after its first sector", last.commit + 512, []byte("rest")},
				{"descriptor's tag", last.descriptor + 12, []byte{0, 0, 0, 77}},
				{"descriptor never written", last.descriptor, make([]byte, last.blockSize)},
				{"copy", last.descriptor + last.blockSize + 100, []byte("damage")},
			} {
				if d.name == "copy" && !strings.Contains(j.name, "version") {
					continue // nothing could notice
				}
				t.Run(d.name, func(t *testing.T) {
					damaged := fstest.Copy(t, image)
					patch(t, damaged, d.at, d.damage)
					compareReplay(t, damaged)
				})
			}
		})
	}
}

// unfinished makes an image of a file system whose guest was cut off: what it
// did last is in the journal only.
func unfinished(t *testing.T, options, mount string) string {
	t.Helper()
	args := append([]string{"mke2fs", "-q", "-F"}, strings.Fields(options)...)
	image := fstest.Image(t, 64<<20, args...)
	mount = strings.TrimPrefix(mount+",commit=300", ",")
	dir, _ := fstest.Mount(t, image, mount)
	sync := func() {
		d, err := os.Open(dir)
		if err == nil {
			err = unix.Fsync(int(d.Fd()))
			d.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	fill(t, dir)
	busy(t, dir, sync)
	return fstest.Copy(t, image)
}

// fill leaves so little room that blocks have to be used again.
func fill(t *testing.T, dir string) {
	t.Helper()
	var st unix.Statfs_t
	err := unix.Statfs(dir, &st)
	if err == nil {
		room := int(st.Bavail)*int(st.Bsize) - 1<<20
		err = os.WriteFile(filepath.Join(dir, "filler"), make([]byte, room), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	unix.Sync()
}

// busy makes, changes and removes files; blocks of removed directories become
// data, so that their copies in the journal have to be revoked.
func busy(t *testing.T, dir string, sync func()) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(name string, data []byte) {
		t.Helper()
		f, err := os.Create(filepath.Join(dir, name))
		must(err)
		_, err = f.Write(data)
		must(err)
		must(unix.Fsync(int(f.Fd())))
		must(f.Close())
	}
	magic := be.AppendUint32(nil, journalMagic)
	for round := range 32 {
		must(os.MkdirAll(filepath.Join(dir, fmt.Sprintf("keep%d", round)), 0o755))
		for i := range 20 {
			name := filepath.Join(dir, fmt.Sprintf("gone%d-%d", round, i))
			must(os.MkdirAll(name, 0o755))
			for k := range 5 {
				must(os.WriteFile(filepath.Join(name, fmt.Sprint(k)), nil, 0o600))
			}
		}
		sync()
		write("keep0/file", bytes.Repeat([]byte{byte(round)}, 10000))
		must(unix.Setxattr(filepath.Join(dir, "keep0/file"), "user.round", fmt.Appendf(nil, "%0*d", 300, round), 0))
		for i := range 17 {
			must(os.RemoveAll(filepath.Join(dir, fmt.Sprintf("gone%d-%d", round, i))))
		}
		sync()
		write(fmt.Sprintf("magic%d", round%8), bytes.Repeat(magic, 3000*(round%2)+10))
	}
	exhaust(t, filepath.Join(dir, "rest"))
	// Never committed.
	must(os.WriteFile(filepath.Join(dir, "lost"), nil, 0o600))
}

// exhaust writes all room that is left, and so over the blocks of removed
// directories. Of what the kernel keeps for itself it leaves a little.
func exhaust(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	var st unix.Stat_t
	var device string
	if err == nil {
		err = unix.Fstat(int(f.Fd()), &st)
	}
	if err == nil {
		device, err = os.Readlink(fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)))
	}
	if err == nil {
		err = os.WriteFile("/sys/fs/ext4/"+filepath.Base(device)+"/reserved_clusters", []byte("16"), 0)
	}
	for err == nil {
		_, err = f.Write(bytes.Repeat([]byte("rest"), 1024))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Fsync(int(f.Fd())), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// compareReplay compares what is read of an image with what the kernel makes of
// it, and returns how many blocks were replayed. If the kernel refuses it, so
// must Open.
func compareReplay(t *testing.T, image string) int {
	t.Helper()
	fs, err := Open(fstest.Volume(t, image))
	dir, _, refused := fstest.TryMount(t, fstest.Copy(t, image), "")
	if refused != nil {
		if err == nil {
			t.Errorf("opened what the kernel refuses: %v", refused)
		}
		t.Logf("refused: %v", err)
		return 0
	}
	if err != nil {
		t.Fatalf("%v: but the kernel mounts it", err)
	}
	got, err := fstest.ReadFS(fs)
	if err != nil {
		t.Fatal(err)
	}
	fstest.Check(t, got, fstest.FromDir(t, dir), fstest.Options{ExactSegments: true})
	o, ok := fs.volume.(*overlay)
	if !ok {
		return 0
	}
	t.Logf("%d blocks replayed; %q", len(o.blocks), fs.Info().Warnings)
	return len(o.blocks)
}

// lastTransaction is where the last finished transaction is in an image.
type lastTransaction struct{ descriptor, commit, blockSize int64 }

func findLast(t *testing.T, image string) lastTransaction {
	t.Helper()
	v := fstest.Volume(t, image)
	sb, err := readSuperblock(v)
	if err != nil {
		t.Fatal(err)
	}
	j, err := (&FS{volume: v, sb: sb}).openJournal()
	if err != nil {
		t.Fatal(err)
	}
	s := scan{journal: j, at: j.start, next: j.sequence, left: j.end - j.first, crc: 1<<32 - 1}
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	last := s.log[len(s.log)-1]
	b, err := j.block(last.at)
	if err != nil || last.kind != kindDescriptor {
		t.Fatalf("last record %+v: %v", last, err)
	}
	position := func(block uint32) int64 {
		physical, err := j.physical(block)
		if err != nil {
			t.Fatal(err)
		}
		return int64(physical) * sb.blockSize
	}
	commit := j.after(last.at, uint32(len(j.tags(b)))+1)
	return lastTransaction{position(last.at), position(commit), sb.blockSize}
}

// patch writes over a part of an image.
func patch(t testing.TB, image string, at int64, data []byte) {
	t.Helper()
	f, err := os.OpenFile(image, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt(data, at)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
