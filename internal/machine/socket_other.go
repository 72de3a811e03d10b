//go:build !unix

package machine

import (
	"errors"
	"net"
	"os"
)

func socketPair() (net.Conn, *os.File, error) {
	return nil, nil, errors.New("maas-qemu runs machines on Linux and other Unix systems only; the builder qemu does here")
}
