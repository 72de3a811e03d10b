package console

import (
	"regexp"
	"slices"
	"strings"
)

// Drawing says whether a line is nothing but frames, bars and numbers.
func Drawing(line string) bool { return frames.MatchString(line) }

// Filter leaves out what nobody wants to read while all goes well.
type Filter struct {
	recent []string
}

// recentLimit is how far back a line that repeats is remembered.
const recentLimit = 16

var (
	kernelLine = regexp.MustCompile(`^\[ *\d+\.\d{3,}\]`)
	systemd    = regexp.MustCompile(`^\[ {1,2}OK {1,2}\]|^ *(Starting|Mounting|Stopping|Unmounting) .*\.\.\.$`)
	// The last line of debian-installer's screen, with a clock.
	windows = regexp.MustCompile(`^\[.*\]\[ .*\d:\d\d \]$`)
	// A line of nothing but frames, bars and percentages.
	frames = regexp.MustCompile(`^[\s\p{P}\p{S}\d]*$`)
)

// border is what stands beside a line in a frame.
const border = "┌┐└┘├┤│─ "

// Bare is a line without the frame around it; without a frame, it stays as it
// is.
func Bare(line string) string {
	text := strings.TrimSpace(line)
	if bare := strings.Trim(text, border); bare != text {
		return bare
	}
	return line
}

// Keep says whether a line is worth being shown.
func (f *Filter) Keep(line string) bool {
	if kernelLine.MatchString(line) || systemd.MatchString(line) || Drawing(line) || windows.MatchString(line) {
		return false
	}
	if slices.Contains(f.recent, line) {
		return false
	}
	if f.recent = append(f.recent, line); len(f.recent) > recentLimit {
		f.recent = f.recent[1:]
	}
	return true
}
