// Package nbd reads disk images of any format that qemu-nbd knows, through a
// qemu-nbd of its own that lives exactly as long as the client.
//
// It is the only package that needs libnbd. In a build without cgo, or for
// another system than Linux, Open returns ErrUnavailable.
package nbd

import "errors"

// ErrUnavailable says that this build has no NBD client.
var ErrUnavailable = errors.New("built without libnbd")

// ErrInUse says that another process, such as a running virtual machine, has
// the image open for writing.
var ErrInUse = errors.New("the image is open for writing in another process, such as a running virtual machine")

// Program is the server's name; Open returns exec.ErrNotFound where it is not
// in PATH.
const Program = "qemu-nbd"

// Config says what to serve.
type Config struct {
	// Path is the image file.
	Path string
	// Format is the image's format by qemu's name. It is never left to qemu
	// to guess: a guest can write any header to the start of a raw disk.
	Format string
	// Connections is how many reads can be on their way at a time; 0 is
	// DefaultConnections.
	Connections int
}

// DefaultConnections is where more connections, each with one request of a
// cache's size, stopped making two processors read faster.
const DefaultConnections = 4
