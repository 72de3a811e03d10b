//go:build !cgo || !linux

package nbd

import (
	"context"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/extent"
)

// Client stands for the client that this build does not have.
type Client struct{}

// Open returns ErrUnavailable.
func Open(context.Context, Config) (*Client, error) { return nil, ErrUnavailable }

// Size is 0.
func (*Client) Size() int64 { return 0 }

// Extents is an empty map.
func (*Client) Extents() *extent.Map { return extent.New(0) }

// ReadAt returns ErrUnavailable.
func (*Client) ReadAt([]byte, int64) (int, error) { return 0, ErrUnavailable }

// Close does nothing.
func (*Client) Close() error { return nil }
