package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
	"github.com/packer-maas/packer-plugin-maas/internal/tree"
)

// member is what every reader of tars can say about a member.
type member struct {
	Name, Link, Type string // names in hex for non-UTF-8
	Size, Mtime      int64
	Mode, UID, GID   int64
	Major, Minor     int64
}

// wantMembers is what they have to say about entries.
func wantMembers(entries []*tree.Entry) []member {
	var out []member
	for _, e := range entries {
		p, err := plan(e)
		if err != nil || p.typ == 0 {
			continue
		}
		m := member{
			Name: fmt.Sprintf("%x", strings.TrimSuffix(memberName(e), "/")), Type: string(p.typ), Mtime: e.Modified.Unix(),
			Mode: int64(e.Mode.Perm()), UID: int64(e.UID), GID: int64(e.GID), Major: int64(e.Major), Minor: int64(e.Minor),
		}
		switch p.typ {
		case typeRegular:
			m.Size = e.Size
		case typeSymlink:
			m.Link = fmt.Sprintf("%x", e.Target)
		case typeHardLink:
			m.Link, m.Major, m.Minor = fmt.Sprintf("%x", "./"+e.HardLink), 0, 0
		}
		out = append(out, m)
	}
	return out
}

const pythonList = `
import sys, tarfile, json, math
def hexed(s): return s.encode("utf-8", "surrogateescape").hex()
out = []
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as t:
    for m in t:
        device = m.type in (b"3", b"4")
        out.append(dict(Name=hexed(m.name), Link=hexed(m.linkname), Type=(b"0" if m.type == b"S" else m.type).decode(), Size=m.size,
            Mtime=math.floor(m.mtime), Mode=m.mode, UID=m.uid, GID=m.gid,
            Major=m.devmajor if device else 0, Minor=m.devminor if device else 0))
json.dump(out, sys.stdout)
`

func TestPythonReads(t *testing.T) {
	fstest.RequireTool(t, "python3")
	b := nasty()
	data, _ := tarBytes(t, b.seq())
	cmd := exec.Command("python3", "-c", pythonList)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(data), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []member
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for i := range got { // a double has no room for all nanoseconds
		if w := wantMembers(b.entries); math.Abs(float64(w[i].Mtime-got[i].Mtime)) <= 1 {
			got[i].Mtime = w[i].Mtime
		}
	}
	if d := cmp.Diff(wantMembers(b.entries), got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestGoReads(t *testing.T) {
	b := nasty()
	data, _ := tarBytes(t, b.seq())
	var got []member
	byName := map[string]*tree.Entry{}
	for _, e := range b.entries {
		byName[memberName(e)] = e
	}
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, member{
			Name: fmt.Sprintf("%x", strings.TrimSuffix(h.Name, "/")), Link: fmt.Sprintf("%x", h.Linkname), Type: string(h.Typeflag),
			Size: h.Size, Mtime: h.ModTime.Unix(), Mode: h.Mode, UID: int64(h.Uid), GID: int64(h.Gid), Major: h.Devmajor, Minor: h.Devminor,
		})
		e := byName[h.Name]
		if e == nil {
			continue
		}
		if !h.ModTime.Equal(e.Modified) {
			t.Errorf("%q: mtime %v, want %v", h.Name, h.ModTime, e.Modified)
		}
		if e.Data != nil && e.Size < 8<<20 {
			goCompare(t, r, h, e)
		}
	}
	if d := cmp.Diff(wantMembers(b.entries), got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func goCompare(t *testing.T, r io.Reader, h *tar.Header, e *tree.Entry) {
	t.Helper()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Errorf("%q: %v", h.Name, err)
	}
	want := make([]byte, e.Size)
	if _, err := e.Data.ReadAt(want, 0); err != nil && !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%q: data differs", h.Name)
	}
	for _, x := range e.Xattrs {
		key := "SCHILY.xattr." + strings.ReplaceAll(strings.ReplaceAll(x.Name, "%", "%25"), "=", "%3D")
		if h.PAXRecords[key] != string(x.Value) {
			t.Errorf("%q: %s = %q, want %q", h.Name, key, h.PAXRecords[key], x.Value)
		}
	}
}

// TestBsdtarExtracts compares what libarchive makes of the tree.
func TestBsdtarExtracts(t *testing.T) {
	fstest.RequireRoot(t)
	fstest.RequireTool(t, "bsdtar")
	b := nasty()
	// libarchive knows no '%25' and '%3D' in the names of attributes, restores
	// no ACL given as an attribute, and rounds times before 1970 up; bsdtar
	// does not set the time of the directory that it works in.
	for _, e := range b.entries {
		if strings.HasPrefix(e.Path, "xattrs/keys") || strings.HasSuffix(e.Path, "acl") {
			e.Xattrs = nil
		}
		if e.Modified.Unix() < 0 {
			e.Modified = epoch
		}
	}
	data, _ := tarBytes(t, b.seq())
	dir := t.TempDir()
	cmd := exec.Command("bsdtar", "-C", dir, "--xattrs", "--numeric-owner", "-xpf", "-")
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	cmd.Stdin = bytes.NewReader(data)
	// It dislikes long names that are not UTF-8, and sparse ones, but takes
	// them: so its exit status says nothing.
	out, _ := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "converted from UTF-8") && !strings.Contains(line, "delayed") {
			t.Errorf("bsdtar says: %s", line)
		}
	}
	if err := os.Chtimes(dir, epoch, epoch); err != nil {
		t.Fatal(err)
	}
	compare(t, dir, b.entries)
}

// TestBeyond8GiB streams a member whose data is longer than a header can say.
func TestBeyond8GiB(t *testing.T) {
	fstest.RequireTool(t, "tar", "bsdtar")
	if testing.Short() {
		t.Skip("streams 8 GiB")
	}
	const size = 8<<30 + 4097
	big := solid(size)
	big.zero = true
	b := newBuilder()
	b.file("big", big)
	b.file("next", solid(3))
	gnu, bsd := exec.Command("tar", "-tvf", "-"), exec.Command("bsdtar", "-tvf", "-")
	var writers []io.Writer
	var outputs [2]bytes.Buffer
	for i, c := range []*exec.Cmd{gnu, bsd} {
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = in.Close() }()
		writers = append(writers, in)
		c.Stdout, c.Stderr = &outputs[i], &outputs[i]
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := WriteTar(context.Background(), io.MultiWriter(writers...), b.seq(), TarOptions{}); err != nil {
		t.Error(err)
	}
	for i, c := range []*exec.Cmd{gnu, bsd} {
		if err := errors.Join(writers[i].(io.Closer).Close(), c.Wait()); err != nil {
			t.Errorf("%s: %v", c.Args[0], err)
		}
		out := outputs[i].String()
		if !strings.Contains(out, strconv.Itoa(size)) || !strings.Contains(out, "./next") || strings.Count(out, "\n") != 3 {
			t.Errorf("%s lists:\n%s", c.Args[0], out)
		}
	}
}

func TestPaxTime(t *testing.T) {
	for want, at := range map[string][2]int64{
		"0": {0, 0}, "0.5": {0, 5e8}, "-0.5": {-1, 5e8}, "-1": {-1, 0}, "-1.000000001": {-2, 999_999_999}, "12.34": {12, 34e7},
	} {
		e := &tree.Entry{}
		modified(at[0], at[1])(e)
		if got := paxTime(e.Modified); got != want {
			t.Errorf("%v: %s, want %s", at, got, want)
		}
	}
}

func TestRecordLength(t *testing.T) {
	for n := range 1200 {
		var r records
		r.add("k", strings.Repeat("v", n))
		var got int
		if _, err := fmt.Sscan(string(r), &got); err != nil || got != len(r) {
			t.Fatalf("%d bytes of value: record of %d says %d", n, len(r), got)
		}
	}
}

func TestDataRegions(t *testing.T) {
	seg := func(pairs ...int64) []filesystem.Segment { return holed(0, pairs...).segments }
	for name, tc := range map[string]struct {
		size     int64
		in, want []filesystem.Segment
		err      bool
	}{
		"whole":          {8192, seg(0, 8192), seg(0, 8192), false},
		"none":           {8192, nil, nil, false},
		"unaligned":      {65536, seg(10000, 10), seg(9728, 512), false},
		"short gap":      {65536, seg(8192, 1024, 10240, 1024), seg(8192, 3072), false},
		"short ends":     {65536, seg(1024, 64000), seg(0, 65536), false},
		"odd end":        {65536 + 7, seg(65536, 7), seg(65536, 7), false},
		"preallocated":   {8192, seg(0, 4096, 16384, 4096), seg(0, 4096), false},
		"over the end":   {8191, seg(4096, 1<<40), seg(4096, 4095), false},
		"empty segments": {65536, seg(0, 0, 8192, 0, 16384, 512), seg(16384, 512), false},
		"overlap":        {65536, seg(0, 8192, 4096, 4096), nil, true},
		"backwards":      {65536, seg(8192, 512, 0, 512), nil, true},
		"negative":       {65536, seg(8192, -1), nil, true},
		"overflow":       {65536, seg(8192, math.MaxInt64), nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := dataRegions(tc.in, tc.size)
			if (err != nil) != tc.err {
				t.Fatalf("error %v", err)
			}
			if len(got)+len(tc.want) > 0 && !cmp.Equal(tc.want, got) && !tc.err {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}
