package image

import (
	"fmt"
	"io"
	"os"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// lineEvery is the time between two lines of progress where there is no
// terminal to draw a bar on.
const lineEvery = 5 * time.Second

// reporter shows a job's progress: as Packer's bar on a terminal, else as a
// line from time to time.
type reporter struct {
	ui    packersdk.Ui
	title string

	lines bool
	bar   io.ReadCloser // nil until the first progress
	shown int64         // bytes the bar knows of
	start time.Time
	from  int64 // what was done at the start, by an earlier run
	last  time.Time
	buf   []byte
}

func newReporter(ui packersdk.Ui, title string) *reporter {
	// Packer draws bars on the controlling terminal, which a plugin shares.
	tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0)
	if err == nil {
		err = tty.Close()
	}
	return &reporter{ui: ui, title: title, lines: err != nil}
}

// Say shows a message.
func (r *reporter) Say(message string) { r.ui.Say(message) }

// Progress shows how much is done; a total of 0 is not known.
func (r *reporter) Progress(done, total int64) {
	now := time.Now()
	if r.start.IsZero() {
		r.start, r.from, r.last = now, done, now
	}
	if !r.lines && total > 0 {
		r.advance(done, total)
		return
	}
	if now.Sub(r.last) < lineEvery {
		return
	}
	r.last = now
	line := r.title + ": " + amount(done)
	if total > 0 {
		// The estimate counts what the image leaves out, and rounds files up
		// to blocks.
		line += fmt.Sprintf(" of about %s (%d %%)", amount(total), min(100, done*100/total))
	}
	r.from = min(r.from, done) // an upload may begin anew
	if spent := now.Sub(r.start).Seconds(); spent > 0 {
		line += fmt.Sprintf(", %.0f MB/s", float64(done-r.from)/1e6/spent)
	}
	r.ui.Say(line)
}

func amount(n int64) string {
	if n < 1e9 {
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// advance moves the bar by reading from the stream that it watches.
func (r *reporter) advance(done, total int64) {
	if r.bar == nil {
		r.bar = r.ui.TrackProgress(r.title, 0, max(total, done), endless{})
		r.buf = make([]byte, 1<<20)
	}
	for r.shown < done {
		n, err := r.bar.Read(r.buf[:min(done-r.shown, int64(len(r.buf)))])
		if err != nil || n == 0 {
			return
		}
		r.shown += int64(n)
	}
}

// close takes the bar away.
func (r *reporter) close() error {
	if r.bar == nil {
		return nil
	}
	return r.bar.Close()
}

// endless is a stream whose content does not matter.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
func (endless) Close() error               { return nil }
