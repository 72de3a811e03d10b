// Package process runs helper programs, such as QEMU, that end with whoever
// started them, whatever happens to that.
package process

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// stopLimit is how long the kernel may take to end a killed process.
const stopLimit = 5 * time.Second

// Process is a program that runs, or has run.
type Process struct {
	cmd    *exec.Cmd
	stderr tail
	exited chan struct{} // closed when the process is gone
}

// Start runs a command. Its messages, from standard error, are kept for Err.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, exited: make(chan struct{})}
	cmd.Stderr = &p.stderr
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = attributes()
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name(), err)
	}
	return p, nil
}

// run starts the process and waits for it. On Linux, the signal that ends it
// with its parent is tied to the thread that started it, so this one stays.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // how it ended is told by Err
		close(p.exited)
	}
}

func (p *Process) name() string { return filepath.Base(p.cmd.Path) }

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Kill ends the process and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	select {
	case <-p.exited:
	case <-time.After(stopLimit): // the kernel does not let it, for a dead file server
	}
}

// Err says how an ended process failed, in its own words. It is nil while the
// process runs, and if it has ended well.
func (p *Process) Err() error {
	select {
	case <-p.exited:
	default:
		return nil
	}
	if p.cmd.ProcessState.Success() {
		return nil
	}
	if message := p.stderr.lines(p.name()); message != "" {
		return fmt.Errorf("%s: %s", p.name(), message)
	}
	return fmt.Errorf("%s ended: %v", p.name(), p.cmd.ProcessState)
}

// Messages is the end of what the process wrote to standard error, as one line.
func (p *Process) Messages() string { return p.stderr.lines(p.name()) }

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

const tailSize = 4096

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p[max(0, len(p)-tailSize):]...)
	t.kept = t.kept[max(0, len(t.kept)-tailSize):]
	return len(p), nil
}

// lines is what was kept as one line, without the program's name before each.
func (t *tail) lines(program string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.kept)), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(strings.TrimSpace(line), program+": ")
	}
	return strings.Join(lines, "; ")
}
