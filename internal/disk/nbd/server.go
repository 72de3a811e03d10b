//go:build cgo && linux

package nbd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/packer-maas/packer-plugin-maas/internal/process"
)

const (
	socketName = "nbd.sock"
	// startLimit is far more than opening an image takes on slow storage.
	startLimit = time.Minute
)

// server is a running qemu-nbd.
type server struct {
	*process.Process
	cmd *exec.Cmd

	dir   string   // holds the socket; removed once all connections are made
	dirFD *os.File // dir, to reach the socket by a path of any length
}

// start runs qemu-nbd for an image. The caller must call Kill and removeDir.
func start(cfg Config, connections int) (*server, error) {
	program, err := exec.LookPath(Program)
	if err != nil {
		return nil, err
	}
	image, err := filepath.Abs(cfg.Path) // a path with a colon could mean a protocol
	if err != nil {
		return nil, err
	}
	s := &server{}
	if err := s.makeDir(); err != nil {
		return nil, err
	}
	// A socket's address holds 107 bytes, a folder's name can be longer.
	s.cmd = exec.Command(program, "--read-only", "--format="+cfg.Format, "--shared="+strconv.Itoa(connections),
		"--socket=/proc/self/cwd/"+socketName, image)
	s.cmd.Dir = s.dir
	s.cmd.Env = append(os.Environ(), "LC_ALL=C")
	if s.Process, err = process.Start(s.cmd); err != nil {
		s.removeDir()
		return nil, err
	}
	return s, nil
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
		case <-s.Exited():
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

// failure is why the server has ended by itself, in its own words.
func (s *server) failure() error {
	message := s.Messages()
	switch {
	case strings.Contains(message, "Is another process using the image"):
		return ErrInUse
	case message == "":
		return fmt.Errorf("%s ended unexpectedly: %v", Program, s.cmd.ProcessState)
	}
	return fmt.Errorf("%s ended: %s", Program, message)
}
