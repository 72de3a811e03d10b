package image

import (
	"bytes"
	"strings"
	"testing"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// Without a terminal there is a line every few seconds; its speed is that of
// this run, not of one before that an upload goes on from.
func TestProgressLines(t *testing.T) {
	var said bytes.Buffer
	r := reporter{ui: &packersdk.BasicUi{Writer: &said}, title: "Uploading x", lines: true}
	later := func(done, total int64) {
		r.start, r.last = r.start.Add(-10*time.Second), r.last.Add(-lineEvery)
		r.Progress(done, total)
	}
	r.Progress(100e6, 400e6)
	r.Progress(200e6, 400e6)
	later(300e6, 400e6)
	r.Progress(310e6, 400e6)
	later(0, 400e6)
	later(1.5e9, 0)
	want := []string{
		"Uploading x: 300 MB of about 400 MB (75 %), 20 MB/s",
		"Uploading x: 0 MB of about 400 MB (0 %), 0 MB/s",
		"Uploading x: 1.5 GB, 50 MB/s",
	}
	if got := strings.Split(strings.TrimSpace(said.String()), "\n"); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("said %q, want %q", got, want)
	}
}
