// Package machine runs a virtual machine with QEMU: its monitor, its serial
// console, its TPM, and its end. It has no name on this machine that another
// build could meet: monitor, console and TPM are sockets that QEMU inherits.
package machine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/process"
)

// Config is what a machine is.
type Config struct {
	Program   string   // QEMU's path
	Args      []string // all that is not said below
	NoConsole bool     // leaves the serial ports to Args
	TPM       *TPM     // nil for none
}

// Reasons why a guest stops, as QEMU calls them.
const (
	PowerOff = "guest-shutdown"
	Reset    = "guest-reset" // of a machine that may not restart
)

// quitLimit is how long QEMU may take to write what it has to its disks.
const quitLimit = time.Minute

// Machine is a running virtual machine. The caller must call Close.
type Machine struct {
	qemu    *process.Process
	monitor *qmp
	console net.Conn
	tpm     *process.Process

	stopOnce sync.Once
	stopped  chan struct{} // closed when the guest is off, or QEMU has ended
	reason   string
}

// Start starts a machine. A guest that switches it off leaves QEMU in place, so
// that what it did can still be asked.
func Start(ctx context.Context, cfg Config) (_ *Machine, err error) {
	m := &Machine{stopped: make(chan struct{})}
	var inherited []*os.File
	defer func() {
		for _, file := range inherited {
			_ = file.Close()
		}
		if err != nil {
			m.Close()
		}
	}()
	// inherit makes a socket whose other end is a file of the program's.
	inherit := func() (net.Conn, int, error) {
		conn, file, err := socketPair()
		if err != nil {
			return nil, 0, err
		}
		inherited = append(inherited, file)
		return conn, len(inherited) + 2, nil // after standard input, output, error
	}

	monitor, fd, err := inherit()
	if err != nil {
		return nil, err
	}
	m.monitor = newQMP(monitor, m.event)
	args := append(cfg.Args, "-no-shutdown",
		"-chardev", fmt.Sprintf("socket,id=maas-monitor,fd=%d", fd), "-mon", "chardev=maas-monitor,mode=control")
	if !cfg.NoConsole {
		if m.console, fd, err = inherit(); err != nil {
			return nil, err
		}
		args = append(args, "-chardev", fmt.Sprintf("socket,id=maas-console,fd=%d", fd), "-serial", "chardev:maas-console")
	}
	if cfg.TPM != nil {
		var tpm *os.File
		if m.tpm, tpm, err = cfg.TPM.start(); err != nil {
			return nil, err
		}
		inherited = append(inherited, tpm)
		args = append(args, cfg.TPM.args(len(inherited)+2)...)
	}
	cmd := exec.Command(cfg.Program, args...)
	cmd.ExtraFiles = inherited
	if m.qemu, err = process.Start(cmd); err != nil {
		return nil, err
	}
	go func() {
		<-m.qemu.Exited()
		m.stop("")
	}()
	return m, m.greet(ctx)
}

// greet waits until QEMU has understood its arguments and takes commands.
func (m *Machine) greet(ctx context.Context) error {
	answered := make(chan error, 1)
	go func() { answered <- m.monitor.execute(ctx, "qmp_capabilities", nil, nil) }()
	select {
	case err := <-answered:
		if !errors.Is(err, errEnded) {
			return err
		}
		<-m.qemu.Exited()
	case <-m.qemu.Exited():
	}
	if err := m.qemu.Err(); err != nil {
		return err
	}
	return errors.New("QEMU ended at once")
}

func (m *Machine) event(e event) {
	if e.Name == "SHUTDOWN" {
		m.stop(e.Data.Reason)
	}
}

func (m *Machine) stop(reason string) {
	m.stopOnce.Do(func() {
		m.reason = reason
		close(m.stopped)
	})
}

// Console is the machine's serial port; nil without one.
func (m *Machine) Console() net.Conn { return m.console }

// Stopped is closed when the guest is off, or QEMU has ended.
func (m *Machine) Stopped() <-chan struct{} { return m.stopped }

// Reason says why the guest stopped: PowerOff, Reset or another of QEMU's
// words. It is an error if QEMU ended by itself. It is only for after Stopped.
func (m *Machine) Reason() (string, error) {
	if m.reason != "" {
		return m.reason, nil
	}
	<-m.qemu.Exited()
	if err := m.qemu.Err(); err != nil {
		return "", err
	}
	return "", errors.New("QEMU ended, though its guest did not")
}

// Messages is the end of what QEMU has said.
func (m *Machine) Messages() string { return m.qemu.Messages() }

// Press presses the machine's power button, which a guest can ignore.
func (m *Machine) Press(ctx context.Context) error {
	return m.monitor.execute(ctx, "system_powerdown", nil, nil)
}

// Quit ends QEMU in good order: all that the guest wrote is on its disks.
func (m *Machine) Quit(ctx context.Context) error {
	err := m.monitor.execute(ctx, "quit", nil, nil)
	if err != nil && !errors.Is(err, errEnded) {
		return err
	}
	select {
	case <-m.qemu.Exited():
		return m.qemu.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(quitLimit):
		return fmt.Errorf("QEMU did not end within %v", quitLimit)
	}
}

// Close ends whatever still runs, at once.
func (m *Machine) Close() {
	if m.qemu != nil {
		m.qemu.Kill()
	}
	if m.tpm != nil {
		m.tpm.Kill()
	}
	if m.monitor != nil {
		_ = m.monitor.Close()
	}
	if m.console != nil {
		_ = m.console.Close()
	}
}
