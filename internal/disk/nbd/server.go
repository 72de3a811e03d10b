//go:build cgo && linux

package nbd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	socketName = "nbd.sock"
	// startLimit is far more than opening an image takes on slow storage.
	startLimit = time.Minute
	stopLimit  = 5 * time.Second
)

// server is a running qemu-nbd.
type server struct {
	cmd    *exec.Cmd
	stderr tail
	exited chan struct{} // closed when the process is gone

	dir   string   // holds the socket; removed once all connections are made
	dirFD *os.File // dir, to reach the socket by a path of any length
}

// start runs qemu-nbd for an image. The caller must call stop.
func start(cfg Config, connections int) (*server, error) {
	program, err := exec.LookPath(Program)
	if err != nil {
		return nil, err
	}
	image, err := filepath.Abs(cfg.Path) // a path with a colon could mean a protocol
	if err != nil {
		return nil, err
	}
	s := &server{exited: make(chan struct{})}
	if err := s.makeDir(); err != nil {
		return nil, err
	}
	// A socket's address holds 107 bytes, a folder's name can be longer.
	s.cmd = exec.Command(program, "--read-only", "--format="+cfg.Format, "--shared="+strconv.Itoa(connections),
		"--socket=/proc/self/cwd/"+socketName, image)
	s.cmd.Dir = s.dir
	s.cmd.Env = append(os.Environ(), "LC_ALL=C")
	s.cmd.Stderr = &s.stderr
	s.cmd.WaitDelay = time.Second
	s.cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true,            // a terminal's Ctrl-C is ours to handle
		Pdeathsig: syscall.SIGKILL, // nothing is left when we are killed
	}
	started := make(chan error)
	go s.run(started)
	if err := <-started; err != nil {
		s.removeDir()
		return nil, fmt.Errorf("start %s: %w", Program, err)
	}
	return s, nil
}

// run starts the process and waits for it. The parent-death signal is tied to
// the thread that started the process, so this one stays until it has ended.
func (s *server) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := s.cmd.Start()
	started <- err
	if err == nil {
		_ = s.cmd.Wait() // how it ended is told by stderr
		close(s.exited)
	}
}

func (s *server) makeDir() error {
	dir, err := os.MkdirTemp("", "maas-nbd-") // mode 0700
	if err != nil {
		return fmt.Errorf("create socket folder: %w", err)
	}
	s.dir = dir
	if s.dirFD, err = os.Open(dir); err != nil {
		s.removeDir()
		return fmt.Errorf("open socket folder: %w", err)
	}
	return nil
}

func (s *server) removeDir() {
	if s.dirFD != nil {
		_ = s.dirFD.Close()
	}
	_ = os.RemoveAll(s.dir)
}

// stop ends the process, which has nothing to save, and waits for its end. One
// that the kernel does not let end yet, for a dead file server, ends later.
func (s *server) stop() {
	s.kill()
	select {
	case <-s.exited:
	case <-time.After(stopLimit):
	}
	s.removeDir()
}

// kill ends the process without waiting, so that reads from it fail.
func (s *server) kill() { _ = s.cmd.Process.Kill() }

// dial connects to the server, which may still be opening the image, and
// returns the socket.
func (s *server) dial(ctx context.Context) (int, error) {
	limit := time.After(startLimit)
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		fd, err := s.connect()
		if err == nil {
			return fd, nil
		}
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ECONNREFUSED) {
			return -1, fmt.Errorf("connect to %s: %w", Program, err)
		}
		select {
		case <-ctx.Done():
			return -1, context.Cause(ctx)
		case <-s.exited:
			return -1, s.failure()
		case <-limit:
			return -1, fmt.Errorf("%s did not open its socket within %v", Program, startLimit)
		case <-time.After(wait):
		}
	}
}

func (s *server) connect() (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	path := fmt.Sprintf("/proc/self/fd/%d/%s", s.dirFD.Fd(), socketName)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// failure is why the server has ended by itself, in its own words. It is nil
// while the server runs.
func (s *server) failure() error {
	select {
	case <-s.exited:
	default:
		return nil
	}
	message := s.stderr.String()
	switch {
	case strings.Contains(message, "Is another process using the image"):
		return ErrInUse
	case message == "":
		return fmt.Errorf("%s ended unexpectedly: %v", Program, s.cmd.ProcessState)
	}
	return fmt.Errorf("%s ended: %s", Program, message)
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

const tailSize = 4096

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p[max(0, len(p)-tailSize):]...)
	t.kept = t.kept[max(0, len(t.kept)-tailSize):]
	return len(p), nil
}

// String is what was kept as one line, without the program's name before each.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.kept)), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(strings.TrimSpace(line), Program+": ")
	}
	return strings.Join(lines, "; ")
}
