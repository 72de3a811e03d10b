package disk_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/disktest"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// patch overwrites bytes of a file.
func patch(t *testing.T, path string, off int64, data string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt([]byte(data), off); err != nil {
		t.Fatal(err)
	}
}

func TestOpenErrors(t *testing.T) {
	disktest.Require(t, "qemu-img")
	img := func(args ...string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			disktest.Run(t, filepath.Dir(path), "qemu-img", append([]string{"create", "-q"}, args...)...)
		}
	}
	plain := img("-f", "qcow2", "disk.qcow2", "8M")
	patched := func(off int64, data string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			plain(t, path)
			patch(t, path, off, data)
		}
	}
	over := func(name string) func(*testing.T, string) {
		return img("-f", "qcow2", "-u", "-F", "raw", "-b", name, "disk.qcow2", "8M")
	}
	tests := map[string]struct {
		make   func(t *testing.T, path string) // the file disk.qcow2
		format string
		want   string
	}{
		"missing":         {func(*testing.T, string) {}, "", "no such file"},
		"directory":       {func(t *testing.T, path string) { _ = os.Mkdir(path, 0o755) }, "", "is a directory"},
		"device":          {func(t *testing.T, path string) { _ = os.Symlink("/dev/null", path) }, "", "neither a file"},
		"empty":           {func(t *testing.T, path string) { _ = os.WriteFile(path, nil, 0o644) }, "", "the file is empty"},
		"no bytes":        {img("-f", "qcow2", "disk.qcow2", "0"), "", "the disk has no bytes"},
		"unknown format":  {plain, "iso", `format "iso" is not known; known are raw, qcow2`},
		"not qcow2":       {func(t *testing.T, path string) { _ = os.WriteFile(path, make([]byte, 9999), 0o644) }, "qcow2", "not a qcow2 image"},
		"encrypted":       {patched(32, "\x00\x00\x00\x02"), "", "encrypted"},
		"corrupt":         {patched(79, "\x02"), "", "marked as corrupt"},
		"version":         {patched(7, "\x09"), "", "version 9"},
		"cluster size":    {patched(20, "\x00\x00\x00\x3f"), "", "clusters of 2^63 bytes"},
		"L1 size":         {patched(36, "\x7f\xff\xff\xff"), "", "L1 table of 2147483647 entries"},
		"L1 too short":    {patched(24, "\x00\x00\x01"), "", "L1 table has 1 entries"},
		"L1 outside":      {patched(40, "\x00\x00\x01"), "", "past the end of the file"},
		"disk size":       {patched(24, "\xff"), "", "out of range"},
		"backing missing": {over("gone.raw"), "", `its backing file "`},
		"backing itself":  {img("-f", "qcow2", "-u", "-F", "qcow2", "-b", "./disk.qcow2", "disk.qcow2", "8M"), "", "loop"},
		"backing by URL":  {over("nbd://localhost/x"), "", "not a plain file name"},
		"backing by JSON": {over(`json:{"driver":"raw","file":{"driver":"file","filename":"/etc/passwd"}}`), "", "not a plain file name"},
		"backing format":  {img("-f", "qcow2", "-u", "-F", "vmdk", "-b", "/etc/passwd", "disk.qcow2", "8M"), "", `the format "vmdk"`},
		"data elsewhere":  {img("-f", "qcow2", "-o", "data_file=data.raw", "disk.qcow2", "8M"), "", `another file, "data.raw"`},
	}
	for name, test := range tests {
		for reader, inProcess := range map[string]bool{"default": false, "in process": true} {
			t.Run(name+"/"+reader, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "disk.qcow2")
				test.make(t, path)
				d, err := disk.Open(t.Context(), path, disk.Options{Format: test.format, InProcess: inProcess})
				if err == nil {
					d.Close()
					t.Fatal("no error")
				}
				if !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), `open disk "`+path) {
					t.Errorf("error %q, want %q", err, test.want)
				}
			})
		}
	}
}

// A file can have more bytes than numbers have room to round them up.
func TestOpenEndless(t *testing.T) {
	path := fstest.Sparse(t, 1<<30, 0, "true") // in memory, which knows no largest file
	for size, want := range map[int64]string{math.MaxInt64: "larger than any can be", math.MaxInt64 - 511: "larger than any can be", 1 << 62: ""} {
		if err := os.Truncate(path, size); err != nil {
			t.Skipf("no file of %d bytes here: %v", size, err)
		}
		d, err := disk.Open(t.Context(), path, disk.Options{Format: "raw"})
		if want == "" && err == nil && d.Size() == size {
			_ = d.Close()
		} else if want == "" || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d bytes: error is %v", size, err)
		}
	}
}

// A guest that writes an image's header to its raw disk must not make its
// builder read further files.
func TestUntrustedContent(t *testing.T) {
	disktest.Require(t, "qemu-img")
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte(strings.Repeat("secret! ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	qcow2 := filepath.Join(dir, "guest.raw")
	disktest.Run(t, dir, "qemu-img", "create", "-q", "-f", "qcow2", "-b", secret, "-F", "raw", qcow2)
	vmdk := filepath.Join(dir, "guest")
	descriptor := "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\nRW 10 FLAT \"secret\" 0\n"
	if err := os.WriteFile(vmdk, []byte(descriptor), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{qcow2, vmdk} {
		for _, inProcess := range []bool{false, true} {
			d, err := disk.Open(t.Context(), path, disk.Options{InProcess: inProcess})
			if err == nil {
				d.Close()
				t.Fatalf("%s was opened", path)
			}
			if !strings.Contains(err.Error(), `set the format to "`) {
				t.Errorf("error %q does not say what to do", err)
			}
		}
		p := make([]byte, 20)
		n, err := openDisk(t, path, disk.Options{Format: "raw"}).ReadAt(p, 0)
		if err != nil || strings.Contains(string(p[:n]), "secret") {
			t.Errorf("read as raw: %q, %v", p[:n], err)
		}
	}
	p := make([]byte, 7)
	if _, err := openDisk(t, qcow2, disk.Options{Format: "qcow2"}).ReadAt(p, 0); err != nil || string(p) != "secret!" {
		t.Errorf("read as qcow2: %q, %v", p, err)
	}
}

// Who has a qcow2 image read as raw is told.
func TestReadAsRaw(t *testing.T) {
	disktest.Require(t, "qemu-img")
	for format, want := range map[string]bool{"qcow2": true, "raw": false} {
		path := filepath.Join(t.TempDir(), "disk")
		disktest.Run(t, filepath.Dir(path), "qemu-img", "create", "-q", "-f", format, path, "1M")
		said := ""
		openDisk(t, path, disk.Options{Format: "raw", Log: func(m string) { said += m }})
		if strings.Contains(said, "begins like a qcow2 image") != want {
			t.Errorf("%s: said %q", format, said)
		}
	}
}

// A virtual machine that writes to an image keeps us from reading it, and what
// is over it.
func TestInUse(t *testing.T) {
	for _, format := range []string{"raw", "qcow2"} {
		path := writable(t, format)
		over := filepath.Join(t.TempDir(), "over.qcow2")
		disktest.Run(t, "", "qemu-img", "create", "-q", "-f", "qcow2", "-F", format, "-b", path, over)
		cmd := exec.Command("qemu-io", "-f", format, path)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = in.Close(); _ = cmd.Wait() }()
		if _, err := in.Write([]byte("write 0 4k\n")); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil { // it has the image now
			t.Fatal(err)
		}
		for _, inProcess := range []bool{false, true} {
			for image, format := range map[string]string{path: format, over: "qcow2"} {
				_, err := disk.Open(t.Context(), image, disk.Options{Format: format, InProcess: inProcess})
				if err == nil || !strings.Contains(err.Error(), "open for writing in another process") {
					t.Errorf("%s, in process %t: Open = %v", image, inProcess, err)
				}
			}
		}
	}
}

// While we read an image, no virtual machine writes to it; others may read, and
// all may when we are done.
func TestHeld(t *testing.T) {
	for _, format := range []string{"raw", "qcow2"} {
		for _, inProcess := range []bool{false, true} {
			path := writable(t, format)
			write := func() error {
				return exec.Command("qemu-io", "-f", format, "-c", "write 0 4k", path).Run()
			}
			opts := disk.Options{Format: format, InProcess: inProcess}
			d, err := disk.Open(t.Context(), path, opts)
			if err != nil {
				t.Fatal(err)
			}
			if err := write(); err == nil {
				t.Errorf("%s, in process %t: written to while it is read", format, inProcess)
			}
			if also, err := disk.Open(t.Context(), path, opts); err != nil {
				t.Errorf("%s, in process %t: second reader: %v", format, inProcess, err)
			} else if err := also.Close(); err != nil {
				t.Error(err)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			if err := write(); err != nil {
				t.Errorf("%s, in process %t: not to be written to after Close: %v", format, inProcess, err)
			}
		}
	}
}

// What is missing of a raw disk that is cut while it is read is not zeros.
func TestCutWhileRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	d := openDisk(t, path, disk.Options{Format: "raw"})
	if err := os.Truncate(path, 4<<20-100); err != nil {
		t.Fatal(err)
	}
	if n, err := d.ReadAt(make([]byte, 1<<20), 3<<20); err == nil {
		t.Errorf("read %d bytes without an error", n)
	}
}

// A vmdk image is looked through by qemu-img: under any name, and until the build
// is cancelled, which is no damage.
func TestCheckVMDK(t *testing.T) {
	path := writable(t, "vmdk")
	t.Chdir(filepath.Dir(path))
	if err := os.Rename(path, "nbd:disk.vmdk"); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Open(t.Context(), "nbd:disk.vmdk", disk.Options{InProcess: true}); err == nil || !strings.Contains(err.Error(), "cannot be read in this process") {
		t.Errorf("Open = %v", err)
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "qemu-img"), []byte("#!/bin/sh\nexec sleep 60\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := disk.Open(ctx, "nbd:disk.vmdk", disk.Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Open = %v", err)
	}
}

// writable makes an empty image.
func writable(t *testing.T, format string) string {
	t.Helper()
	disktest.Require(t, "qemu-img", "qemu-io")
	path := filepath.Join(t.TempDir(), "disk."+format)
	disktest.Run(t, "", "qemu-img", "create", "-q", "-f", format, path, "8M")
	return path
}

// Without qemu-nbd, raw and qcow2 are read all the same, and other formats say
// what is missing.
func TestWithoutServer(t *testing.T) {
	for _, c := range disktest.Cases {
		if c.Name != "raw with holes" && c.Name != "qcow2" && c.Name != "vhdx" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			path := c.Make(t)
			t.Setenv("PATH", t.TempDir())
			var log []string
			d, err := disk.Open(t.Context(), path, disk.Options{Log: func(message string) { log = append(log, message) }})
			if c.Format == "vhdx" {
				if err == nil || !strings.Contains(err.Error(), "qemu-utils") && !strings.Contains(err.Error(), "libnbd") {
					t.Errorf("Open = %v, want what to install", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if !slices.ContainsFunc(log, func(m string) bool { return strings.Contains(m, "in this process") }) {
				t.Errorf("log %q does not tell how the image is read", log)
			}
		})
	}
}
