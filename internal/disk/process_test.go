//go:build cgo && linux

package disk_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/disktest"
)

// childImage, in the environment, makes the test binary read that image until
// it is killed.
const childImage = "DISK_TEST_CHILD_IMAGE"

func TestMain(m *testing.M) {
	if path := os.Getenv(childImage); path != "" {
		readForever(path)
	}
	os.Exit(m.Run())
}

func readForever(path string) {
	d, err := disk.Open(context.Background(), path, disk.Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	for p := make([]byte, 5<<20); ; {
		if _, err := d.ReadAt(p, 0); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

// nbdImage makes an image with 16 MiB of data and a folder for temporary
// files, both of the test's own.
func nbdImage(t *testing.T) (path, temp string) {
	t.Helper()
	disktest.Require(t, "qemu-nbd", "qemu-img", "qemu-io")
	path, temp = filepath.Join(t.TempDir(), "disk.qcow2"), t.TempDir()
	disktest.Run(t, "", "qemu-img", "create", "-q", "-f", "qcow2", path, "64M")
	disktest.Run(t, "", "qemu-io", "-c", "write -P 7 0 16M", path)
	t.Setenv("TMPDIR", temp)
	t.Cleanup(func() { // a test that failed leaves none either
		for _, pid := range servers(path) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return path, temp
}

// servers are the processes with the image among their arguments.
func servers(path string) (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range all {
		line, err := os.ReadFile(name)
		if err == nil && strings.Contains(string(line), path) {
			pid, _ := strconv.Atoi(strings.Split(name, "/")[2])
			pids = append(pids, pid)
		}
	}
	return pids
}

// checkNothingLeft waits a moment for the end of all servers of an image, and
// looks for files.
func checkNothingLeft(t *testing.T, path, temp string) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); len(servers(path)) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("processes %v are left", servers(path))
		}
	}
	checkNoFiles(t, temp)
}

func checkNoFiles(t *testing.T, temp string) {
	t.Helper()
	files, err := os.ReadDir(temp)
	if err != nil || len(files) > 0 {
		t.Errorf("files left in %s: %v, %v", temp, files, err)
	}
}

// onlyServer is the process that serves the image.
func onlyServer(t *testing.T, path string) int {
	t.Helper()
	pids := servers(path)
	if len(pids) != 1 {
		t.Fatalf("processes %v serve the image, want one", pids)
	}
	return pids[0]
}

func TestClose(t *testing.T) {
	path, temp := nbdImage(t)
	d := openDisk(t, path, disk.Options{})
	onlyServer(t, path)
	checkNoFiles(t, temp) // even before, so that a kill leaves none
	for range 2 {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if pids := servers(path); len(pids) > 0 {
		t.Errorf("processes %v are left", pids)
	}
	for _, off := range []int64{0, 32 << 20} { // data and a hole
		if n, err := d.ReadAt(make([]byte, 10), off); n != 0 || !errors.Is(err, fs.ErrClosed) {
			t.Errorf("ReadAt after Close = %d, %v", n, err)
		}
	}
	d.Prefetch(0, 1<<20)
}

func TestOwnProcessGroup(t *testing.T) {
	path, _ := nbdImage(t)
	openDisk(t, path, disk.Options{})
	pid := onlyServer(t, path)
	if group, err := syscall.Getpgid(pid); err != nil || group != pid {
		t.Errorf("the server is in process group %d, %v", group, err)
	}
}

// readers read from many goroutines until they fail, and return the errors.
func readers(d disk.Disk, size int) func() []error {
	var wait sync.WaitGroup
	errs := make([]error, 12)
	for i := range errs {
		wait.Go(func() {
			p := make([]byte, size)
			for off := int64(i) << 20; errs[i] == nil; off = (off + 1<<20) % (16 << 20) {
				d.Prefetch(off, 4<<20)
				_, errs[i] = d.ReadAt(p[:min(int64(size), 16<<20-off)], off)
			}
		})
	}
	return func() []error { wait.Wait(); return errs }
}

// soon fails the test if f takes long.
func soon(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal(what + " did not end")
	}
}

func TestCloseWhileReading(t *testing.T) {
	for _, size := range []int{1000, 1 << 20, 6 << 20} {
		path, temp := nbdImage(t)
		d := openDisk(t, path, disk.Options{})
		wait := readers(d, size)
		time.Sleep(20 * time.Millisecond)
		soon(t, "Close", func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
		soon(t, "reading", func() {
			for _, err := range wait() {
				if !errors.Is(err, fs.ErrClosed) {
					t.Errorf("reads of %d bytes ended in: %v", size, err)
				}
			}
		})
		checkNothingLeft(t, path, temp)
	}
}

func TestCancel(t *testing.T) {
	stop := errors.New("stopped by the test")
	for name, signal := range map[string]syscall.Signal{"running": syscall.SIGCONT, "hanging": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			path, temp := nbdImage(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			d, err := disk.Open(ctx, path, disk.Options{})
			if err != nil {
				t.Fatal(err)
			}
			wait := readers(d, 5<<20)
			if err := syscall.Kill(onlyServer(t, path), signal); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
			cancel(stop)
			soon(t, "reading", func() {
				for _, err := range wait() {
					if !errors.Is(err, stop) {
						t.Errorf("reading ended in: %v", err)
					}
				}
			})
			checkNothingLeft(t, path, temp) // before Close
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A server that does not end when it is told to keeps nobody waiting. (In a
// session of its own, the kernel does not wake it when its parent ends.)
func TestServerHangs(t *testing.T) {
	disktest.Require(t, "setsid")
	path, temp := nbdImage(t)
	program, err := exec.LookPath("qemu-nbd")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	script := "#!/bin/sh\nsetsid " + program + ` "$@" & wait` + "\n"
	if err := os.WriteFile(filepath.Join(bin, "qemu-nbd"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	ctx, cancel := context.WithCancel(t.Context())
	d, err := disk.Open(ctx, path, disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	wait := readers(d, 5<<20)
	pids := servers(path)
	if len(pids) != 2 {
		t.Fatalf("processes %v serve the image, want the script and its child", pids)
	}
	hanging := pids[0]
	if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", hanging)); !strings.HasPrefix(string(line), program) {
		hanging = pids[1]
	}
	if err := syscall.Kill(hanging, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	cancel()
	soon(t, "reading", func() { wait() })
	soon(t, "Close", func() { _ = d.Close() })
	if err := syscall.Kill(hanging, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	checkNothingLeft(t, path, temp) // it ends with its last client
}

func TestCancelledBefore(t *testing.T) {
	path, temp := nbdImage(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, inProcess := range []bool{false, true} {
		if _, err := disk.Open(ctx, path, disk.Options{InProcess: inProcess}); !errors.Is(err, context.Canceled) {
			t.Errorf("Open = %v", err)
		}
	}
	checkNothingLeft(t, path, temp)
}

// Whenever an opening is cancelled, it ends and leaves nothing.
func TestCancelWhileOpening(t *testing.T) {
	path, temp := nbdImage(t)
	for delay := time.Duration(0); delay < 40*time.Millisecond; delay += 2 * time.Millisecond {
		ctx, cancel := context.WithTimeout(t.Context(), delay)
		soon(t, "Open", func() {
			d, err := disk.Open(ctx, path, disk.Options{})
			if err == nil {
				err = d.Close()
			}
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Open with %v = %v", delay, err)
			}
		})
		cancel()
	}
	checkNothingLeft(t, path, temp)
}

func TestFailedOpen(t *testing.T) {
	path, temp := nbdImage(t)
	_, err := disk.Open(t.Context(), path, disk.Options{Format: "vhdx"})
	if err == nil || !strings.Contains(err.Error(), "read as vhdx: qemu-nbd ended: Failed") {
		t.Errorf("Open = %v, want what qemu-nbd says", err)
	}
	checkNothingLeft(t, path, temp)
}

func TestPanic(t *testing.T) {
	path, temp := nbdImage(t)
	func() {
		defer func() { _ = recover() }()
		d, err := disk.Open(t.Context(), path, disk.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		panic("in the caller")
	}()
	checkNothingLeft(t, path, temp)
}

func TestServerDies(t *testing.T) {
	path, temp := nbdImage(t)
	d := openDisk(t, path, disk.Options{})
	wait := readers(d, 5<<20)
	time.Sleep(20 * time.Millisecond)
	if err := syscall.Kill(onlyServer(t, path), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	soon(t, "reading", func() {
		for _, err := range wait() {
			if err == nil || !strings.Contains(err.Error(), "qemu-nbd ended unexpectedly: signal: killed") {
				t.Errorf("reading ended in: %v", err)
			}
		}
	})
	checkNothingLeft(t, path, temp)
	soon(t, "Close", func() { _ = d.Close() })
}

func TestKilled(t *testing.T) {
	path, temp := nbdImage(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childImage+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready\n" {
		t.Errorf("the reading process says %q, %v", line, err)
	}
	// A server that is stopped does not see its clients go.
	if err := syscall.Kill(onlyServer(t, path), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	checkNothingLeft(t, path, temp)
}

func TestLongTempFolder(t *testing.T) {
	path, temp := nbdImage(t)
	long := filepath.Join(temp, strings.Repeat("long", 50))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	d := openDisk(t, path, disk.Options{})
	p := make([]byte, 1)
	if _, err := d.ReadAt(p, 0); err != nil || p[0] != 7 {
		t.Errorf("read %d, %v", p[0], err)
	}
	checkNoFiles(t, long)
}
