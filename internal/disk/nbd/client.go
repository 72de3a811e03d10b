//go:build cgo && linux

package nbd

import (
	"context"
	"fmt"
	"io/fs"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"libguestfs.org/libnbd"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/extent"
)

// maxRequest is the longest read sent at once. Longer ones were slower: their
// buffers do not stay in the processor's cache between server and client.
const maxRequest = 1 << 20

// Client is an image that a qemu-nbd of its own serves. Its methods are safe
// for concurrent use.
type Client struct {
	server  *server
	size    int64
	block   int // what offset and length of a request must be multiples of
	request int // the longest one
	extents *extent.Map

	connections []*connection
	idle        chan *connection // those that no read is using
	ctx         context.Context  // done when the client is closed or its parent cancelled
	cancel      context.CancelCauseFunc
	interrupted chan struct{} // closed when all requests were made to fail, and the server has ended
	closing     sync.Once
}

// connection is a libnbd handle, which one goroutine at a time may use.
type connection struct {
	handle *libnbd.Libnbd
	socket int // a duplicate of the handle's, to shut it down at any time
}

// Open serves an image by qemu-nbd and connects to it. When ctx is cancelled,
// the server ends and every read fails; Close must be called all the same.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	count := cfg.Connections
	if count <= 0 {
		count = DefaultConnections
	}
	srv, err := start(cfg, count)
	if err != nil {
		return nil, err
	}
	c := &Client{server: srv, idle: make(chan *connection, count), interrupted: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	stopKilling := context.AfterFunc(c.ctx, srv.Kill) //nolint:contextcheck // made from ctx, a line above
	err = c.setUp(count)
	stopKilling()
	go c.interrupt()
	if err != nil {
		err = c.explain(err, true)
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// setUp makes the connections and asks for what all reads need to know.
func (c *Client) setUp(count int) error {
	for range count {
		conn, err := c.connect()
		if err != nil {
			return err
		}
		c.connections = append(c.connections, conn)
		c.idle <- conn
	}
	c.server.removeDir() // nobody else is to connect, nothing is left behind
	handle := c.connections[0].handle
	size, err := handle.GetSize()
	if err != nil {
		return fmt.Errorf("ask for the disk's size: %w", err)
	}
	c.size, c.block, c.request = int64(size), 1, maxRequest
	if c.size < 0 {
		return fmt.Errorf("the disk's size, %d bytes, is out of range", size)
	}
	if limit, err := handle.GetBlockSize(libnbd.SIZE_MAXIMUM); err == nil && limit > 0 {
		c.request = int(min(maxRequest, limit))
	}
	if unit, err := handle.GetBlockSize(libnbd.SIZE_MINIMUM); err == nil && unit > 1 {
		if c.block = int(min(unit, maxRequest+1)); c.block > c.request {
			return fmt.Errorf("%s reads only blocks of %d bytes", Program, unit)
		}
	}
	c.extents, err = c.fetchExtents(handle)
	return err
}

func (c *Client) connect() (*connection, error) {
	handle, err := libnbd.Create()
	if err != nil {
		return nil, fmt.Errorf("create NBD handle: %w", err)
	}
	conn := &connection{handle: handle, socket: -1}
	if err := c.handshake(conn); err != nil {
		conn.close()
		return nil, err
	}
	return conn, nil
}

func (c *Client) handshake(conn *connection) error {
	if err := conn.handle.AddMetaContext(allocation); err != nil {
		return fmt.Errorf("ask for block status: %w", err)
	}
	socket, err := c.server.dial(c.ctx)
	if err != nil {
		return err
	}
	if conn.socket, err = unix.FcntlInt(uintptr(socket), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		_ = unix.Close(socket)
		return fmt.Errorf("duplicate socket: %w", err)
	}
	silent := time.AfterFunc(startLimit, func() { _ = unix.Shutdown(conn.socket, unix.SHUT_RDWR) })
	err = conn.handle.ConnectSocket(socket) // owns socket from here
	switch answered := silent.Stop(); {
	case err == nil:
		return nil
	case !answered:
		return fmt.Errorf("%s did not answer within %v", Program, startLimit)
	}
	return fmt.Errorf("connect to %s: %w", Program, err)
}

func (c *connection) close() {
	_ = c.handle.Close()
	if c.socket >= 0 {
		_ = unix.Close(c.socket)
	}
}

// Size is the disk's length in bytes.
func (c *Client) Size() int64 { return c.size }

// Extents is the disk's layout.
func (c *Client) Extents() *extent.Map { return c.extents }

// ReadAt fills p with stored bytes at off, all of which must be on the disk.
func (c *Client) ReadAt(p []byte, off int64) (int, error) {
	var conn *connection
	select {
	case <-c.ctx.Done():
		return 0, context.Cause(c.ctx)
	case conn = <-c.idle:
	}
	defer func() { c.idle <- conn }()
	for done := 0; done < len(p); {
		if c.ctx.Err() != nil {
			return done, context.Cause(c.ctx)
		}
		n, err := c.readSome(conn, p[done:], off+int64(done))
		if err != nil {
			return done, err
		}
		done += n
	}
	return len(p), nil
}

// readSome reads as much of p as one request can. Some formats (vhdx) are only
// served in whole blocks; where p begins or ends within one, it is read apart.
func (c *Client) readSome(conn *connection, p []byte, off int64) (int, error) {
	piece, skip := p[:min(c.request, len(p))], int(off%int64(c.block))
	if skip != 0 || len(piece) < c.block {
		piece = make([]byte, c.block)
	}
	piece = piece[:len(piece)-len(piece)%c.block]
	at := off - int64(skip)
	err := conn.handle.Pread(piece, uint64(at), nil)
	runtime.KeepAlive(conn.handle) // its finalizer closes it
	if err != nil {
		return 0, fmt.Errorf("read %d bytes at offset %d: %w", len(piece), at, c.explain(err, conn.lost()))
	}
	if &piece[0] != &p[0] {
		return copy(p, piece[skip:]), nil
	}
	return len(piece), nil
}

// lost says whether the connection is gone, rather than one request refused.
func (c *connection) lost() bool {
	dead, _ := c.handle.AioIsDead()
	closed, _ := c.handle.AioIsClosed()
	return dead || closed
}

// explain says why a request failed: the client was closed or cancelled, or,
// where the connection is lost, what the server said at its end.
func (c *Client) explain(err error, lost bool) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	if lost {
		select { // its sockets close a moment before its end is known
		case <-c.server.Exited():
			return c.server.failure()
		case <-time.After(time.Second):
		}
		// It closes a connection where it cannot read, and lives on.
		if message := c.server.Messages(); message != "" {
			return fmt.Errorf("%s closed the connection: %s", Program, message)
		}
	}
	return err
}

// interrupt waits for the client's end and makes all requests on their way
// fail, even if the server hangs. The server, which has nothing to save, is
// killed; one that the kernel does not let end yet ends later.
func (c *Client) interrupt() {
	<-c.ctx.Done()
	for _, conn := range c.connections {
		_ = unix.Shutdown(conn.socket, unix.SHUT_RDWR)
	}
	c.server.Kill()
	close(c.interrupted)
}

// Close ends the server. Reads on their way fail with fs.ErrClosed.
func (c *Client) Close() error {
	c.closing.Do(func() {
		c.cancel(fs.ErrClosed)
		<-c.interrupted
		for range c.connections {
			(<-c.idle).close()
		}
		c.server.removeDir()
	})
	return nil
}
