package qemu

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/multistep"
	sdknet "github.com/hashicorp/packer-plugin-sdk/net"
)

const (
	loopback = "127.0.0.1"
	// userHost is this machine, seen from one on QEMU's user network.
	userHost = "10.0.2.2"
)

// stepHTTPAddress finds by which address the machine reaches Packer's web
// server.
type stepHTTPAddress struct{ *build }

func (s *stepHTTPAddress) Run(_ context.Context, state multistep.StateBag) multistep.StepAction {
	s.httpIP = userHost
	if bridge := s.config.QEMU.NetBridge; bridge != "" {
		address, err := bridgeAddress(bridge)
		if err != nil {
			return s.fail(state, err)
		}
		s.httpIP = address
		hardware := make([]byte, 3)
		_, _ = rand.Read(hardware) // never fails
		s.mac = fmt.Sprintf("52:54:00:%02x:%02x:%02x", hardware[0], hardware[1], hardware[2])
	}
	state.Put("http_ip", s.httpIP)
	return multistep.ActionContinue
}

func (*stepHTTPAddress) Cleanup(multistep.StateBag) {}

func bridgeAddress(bridge string) (string, error) {
	device, err := net.InterfaceByName(bridge)
	if err != nil {
		return "", fmt.Errorf("net_bridge = %q: %w", bridge, err)
	}
	addresses, err := device.Addrs()
	if err != nil {
		return "", fmt.Errorf("net_bridge = %q: %w", bridge, err)
	}
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok && network.IP.To4() != nil {
			return network.IP.String(), nil
		}
	}
	return "", fmt.Errorf("net_bridge = %q has no IPv4 address", bridge)
}

// stepPort reserves a port of this machine that leads to the communicator's.
type stepPort struct {
	*build

	listener *sdknet.Listener
}

func (s *stepPort) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	q := &s.config.QEMU
	// The step before has started the web server, if there is one.
	s.httpPort, _ = state.Get("http_port").(int)
	if q.CommConfig.Comm.Type == communicatorNone || q.NetBridge != "" || q.CommConfig.SkipNatMapping {
		return multistep.ActionContinue
	}
	listener, err := sdknet.ListenRangeConfig{
		Addr: loopback, Min: q.CommConfig.HostPortMin, Max: q.CommConfig.HostPortMax, Network: "tcp",
	}.Listen(ctx)
	if err != nil {
		return s.fail(state, fmt.Errorf("find a port for the communicator: %w", err))
	}
	// The port is QEMU's to open; the lock of it stays, so that no other build
	// takes it.
	_ = listener.Listener.Close()
	s.listener, s.port = listener, listener.Port
	return multistep.ActionContinue
}

func (s *stepPort) Cleanup(multistep.StateBag) {
	if s.listener != nil {
		_ = s.listener.Close()
	}
}

// stepGuestAddress waits until this machine has met the one on its bridge.
type stepGuestAddress struct{ *build }

func (s *stepGuestAddress) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	comm := &s.config.QEMU.CommConfig.Comm
	if s.mac == "" || comm.Type == communicatorNone || comm.Host() != "" {
		return multistep.ActionContinue
	}
	s.ui.Say("Waiting for the machine's address on " + s.config.QEMU.NetBridge)
	limit := time.After(comm.SSHTimeout)
	for {
		if s.guest = neighbour(s.config.QEMU.NetBridge, s.mac); s.guest != "" {
			return multistep.ActionContinue
		}
		select {
		case <-ctx.Done():
			return multistep.ActionHalt
		case <-limit:
			return s.fail(state, fmt.Errorf("the machine (%s) did not show up on %s within %v", s.mac, s.config.QEMU.NetBridge, comm.SSHTimeout))
		case <-time.After(time.Second):
		}
	}
}

func (*stepGuestAddress) Cleanup(multistep.StateBag) {}

// neighbour is the IP address that belongs to a hardware address.
func neighbour(bridge, mac string) string {
	table, err := os.Open("/proc/net/arp")
	if err != nil {
		return ""
	}
	defer table.Close()
	for lines := bufio.NewScanner(table); lines.Scan(); {
		// address, type, flags (2: complete), hardware address, mask, device
		f := strings.Fields(lines.Text())
		if len(f) == 6 && f[3] == mac && f[5] == bridge && f[2] != "0x0" {
			return f[0]
		}
	}
	return ""
}
