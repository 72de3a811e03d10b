//go:build !linux

package disk

import "io"

// hold knows no locks of QEMU's on this system.
func hold(string) (io.Closer, error) { return io.NopCloser(nil), nil }
