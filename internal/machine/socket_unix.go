//go:build unix

package machine

import (
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// socketPair is a connection that has no name anywhere: its end here, and the
// one that a program inherits.
func socketPair() (net.Conn, *os.File, error) {
	syscall.ForkLock.RLock() // no program that starts just now inherits them
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	here, there := os.NewFile(uintptr(fds[0]), "socket"), os.NewFile(uintptr(fds[1]), "socket")
	conn, err := net.FileConn(here)
	_ = here.Close() // conn has a copy
	if err != nil {
		_ = there.Close()
		return nil, nil, err
	}
	return conn, there, nil
}
