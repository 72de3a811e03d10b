package qcow2_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/disktest"
	"github.com/packer-maas/packer-plugin-maas/internal/disk/qcow2"
)

// What an image lost of its very last cluster counts, too.
func TestCheckComplete(t *testing.T) {
	disktest.Require(t, "qemu-img", "qemu-io")
	random := rand.New(rand.NewSource(1))
	text := make([]byte, 64<<10) // that compresses to three quarters
	for i := range text {
		text[i] = ' ' + byte(random.Intn(64))
	}
	source := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(source, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		write    string
		lost     int64
		complete bool
	}{
		{"write -P 7 0 300k", 0, true},
		{"write -P 7 0 1", 0, true}, // the rest of the cluster is written, too
		{"write -P 7 0 300k", 1, false},
		{"write -P 7 0 300k", 60 << 10, false},
		{"write -c -s " + source + " 0 64k", 0, true},
		{"write -c -s " + source + " 0 64k", 512, false},
		{"write -c -s " + source + " 0 64k", 40 << 10, false},
	} {
		t.Run(fmt.Sprintf("%.12s, %d lost", test.write, test.lost), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "disk.qcow2")
			disktest.Run(t, "", "qemu-img", "create", "-q", "-f", "qcow2", path, "1M")
			disktest.Run(t, "", "qemu-io", "-f", "qcow2", "-c", test.write, path)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b = b[:int64(len(b))-test.lost]
			h, err := qcow2.ReadHeader(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			err = h.CheckComplete(t.Context(), bytes.NewReader(b), int64(len(b)))
			if test.complete && err != nil || !test.complete && (err == nil || !strings.Contains(err.Error(), "cut short")) {
				t.Errorf("%d of %d bytes: error %v", len(b), int64(len(b))+test.lost, err)
			}
			stopped, stop := context.WithCancel(t.Context())
			stop()
			if err := h.CheckComplete(stopped, bytes.NewReader(b), int64(len(b))); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: error %v", err)
			}
		})
	}
}
