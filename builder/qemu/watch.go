package qemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-maas/packer-plugin-maas/internal/console"
)

const (
	// A line without an end, such as a prompt, is looked at after this long.
	promptDelay = time.Second
	// How many of the last lines an error tells, and how many more that come
	// after the one that decided, such as a panic's trace.
	lastLines  = 15
	afterLines = 5
	// What is said again while this many lines are remembered is no news.
	newsLimit = 4
)

// watch reads a machine's serial console: into the log, into Packer's output,
// and for signs of how the installer fares.
type watch struct {
	ui     packersdk.Ui
	level  string
	log    *os.File
	reader *console.Reader
	filter console.Filter
	told   map[string]bool // messages about progress

	mu      sync.Mutex
	last    []string
	heard   time.Time // when the machine last said something new
	news    []string  // and what
	decided chan struct{}
	verdict console.Sign
	line    string        // that decided
	done    chan struct{} // closed when the console has ended
}

// newWatch opens the log; the first machine of a build begins it.
func newWatch(c *Config, ui packersdk.Ui, path string, begin bool) (*watch, error) {
	reader, err := console.NewReader(c.SuccessPatterns, c.FailurePatterns, c.IgnorePatterns)
	if err != nil {
		return nil, err
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if begin {
		flags |= os.O_TRUNC
	}
	log, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return nil, fmt.Errorf("console_log: %w", err)
	}
	return &watch{
		ui: ui, level: c.Console, log: log, reader: reader, told: map[string]bool{},
		heard: time.Now(), decided: make(chan struct{}), done: make(chan struct{}),
	}, nil
}

// follow reads the console until it ends. Nil is a machine without one.
func (w *watch) follow(conn net.Conn) {
	defer close(w.done)
	if conn == nil {
		return
	}
	lines := console.NewLines(w.add)
	buffer := make([]byte, 16<<10)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(promptDelay))
		n, err := conn.Read(buffer)
		if n > 0 {
			_, _ = lines.Write(buffer[:n])
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if prompt := lines.Pending(); prompt != "" {
				w.hear(prompt)
				w.judge(console.Bare(prompt))
			}
		case err != nil:
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				w.ui.Error(fmt.Sprintf("read the serial console: %v", err))
			}
			lines.End()
			return
		}
	}
}

// clock is a time of day.
var clock = regexp.MustCompile(`\d{1,2}:\d{2}`)

// hear takes what was said for a sign of life, unless nothing but a clock has
// moved: debian-installer shows one while it waits for an answer, for ever.
func (w *watch) hear(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text = clock.ReplaceAllString(text, "")
	if slices.Contains(w.news, text) {
		return
	}
	w.heard = time.Now()
	if w.news = append(w.news, text); len(w.news) > newsLimit {
		w.news = w.news[1:]
	}
}

// add takes a whole line.
func (w *watch) add(line string) {
	w.hear(line)
	if _, err := fmt.Fprintln(w.log, line); err != nil && !w.told["log"] {
		w.told["log"] = true
		w.ui.Error(fmt.Sprintf("write the console's log: %v", err))
	}
	if line = console.Bare(line); line == "" {
		return
	}
	if !console.Drawing(line) {
		w.remember(line)
	}
	if w.level == consoleAll || w.level == consoleNormal && w.filter.Keep(line) {
		w.ui.Say(line)
	}
	w.judge(line)
}

// remember keeps the last lines. Those before a failure tell why, so that what
// comes after it does not push them out.
func (w *watch) remember(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.verdict.Kind != console.Failure:
		if w.last = append(w.last, line); len(w.last) > lastLines {
			w.last = w.last[1:]
		}
	case len(w.last) < lastLines+afterLines:
		w.last = append(w.last, line)
	}
}

// judge looks for signs in a line. The first that decides, decides.
func (w *watch) judge(line string) {
	sign := w.reader.Line(line)
	switch sign.Kind {
	case console.Nothing:
	case console.Progress:
		if !w.told[sign.What] {
			w.told[sign.What] = true
			w.ui.Say("Console: " + sign.What)
		}
	default:
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.verdict.Kind == console.Nothing {
			w.verdict, w.line = sign, line
			close(w.decided)
		}
	}
}

// sign is what was decided, and the line that decided.
func (w *watch) sign() (console.Sign, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.verdict, w.line
}

// heardAt is when the machine last said something.
func (w *watch) heardAt() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heard
}

// settle waits, for a moment, until what a stopped machine has said is read.
func (w *watch) settle(ctx context.Context) {
	const quiet = 300 * time.Millisecond
	start := time.Now()
	for time.Since(start) < 10*quiet {
		if time.Since(start) > quiet && time.Since(w.heardAt()) > quiet {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-w.done:
			return
		case <-time.After(quiet / 3):
		}
	}
}

// story is the last lines, for an error.
func (w *watch) story() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.last) == 0 {
		return "The serial console was silent."
	}
	return "The last lines on the serial console:\n  " + strings.Join(w.last, "\n  ")
}

func (w *watch) close() error {
	<-w.done
	return w.log.Close()
}
