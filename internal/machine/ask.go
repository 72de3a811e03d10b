package machine

import (
	"context"
	"net"
	"os"
	"path/filepath"
)

// Activity is what the guest has done with its disks so far.
type Activity struct {
	Operations uint64 // reads and writes of all drives
	Written    uint64 // bytes
}

// Activity asks what the guest has done with its disks. Firmware variables are
// no disk.
func (m *Machine) Activity(ctx context.Context) (Activity, error) {
	var drives []struct {
		Device string `json:"device"`
		QDev   string `json:"qdev"`
		Stats  struct {
			Reads   uint64 `json:"rd_operations"`
			Writes  uint64 `json:"wr_operations"`
			Written uint64 `json:"wr_bytes"`
		} `json:"stats"`
	}
	if err := m.monitor.execute(ctx, "query-blockstats", nil, &drives); err != nil {
		return Activity{}, err
	}
	var sum Activity
	for _, drive := range drives {
		if flash, _ := filepath.Match("pflash*", drive.Device); flash {
			continue
		}
		sum.Operations += drive.Stats.Reads + drive.Stats.Writes
		sum.Written += drive.Stats.Written
	}
	return sum, nil
}

// VNC is where the machine's screen is served; "" if it is not.
func (m *Machine) VNC(ctx context.Context) (string, error) {
	var served struct {
		Enabled bool   `json:"enabled"`
		Host    string `json:"host"`
		Port    string `json:"service"`
	}
	if err := m.monitor.execute(ctx, "query-vnc", nil, &served); err != nil || !served.Enabled {
		return "", err
	}
	return net.JoinHostPort(served.Host, served.Port), nil
}

// SetVNCPassword sets what whoever looks at the screen must know.
func (m *Machine) SetVNCPassword(ctx context.Context, password string) error {
	return m.monitor.execute(ctx, "change-vnc-password", map[string]any{"password": password}, nil)
}

// Screenshot writes the machine's screen to a file, and returns its path: with
// .png at the end, or .ppm if this QEMU is older than 7.1.
func (m *Machine) Screenshot(ctx context.Context, path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	target := path + ".png"
	err = m.monitor.execute(ctx, "screendump", map[string]any{"filename": target, "format": "png"}, nil)
	if err != nil {
		_ = os.Remove(target)
		target = path + ".ppm"
		err = m.monitor.execute(ctx, "screendump", map[string]any{"filename": target}, nil)
	}
	if err != nil {
		_ = os.Remove(target)
		return "", err
	}
	return target, nil
}
