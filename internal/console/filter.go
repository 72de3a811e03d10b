package console

import (
	"regexp"
	"slices"
)

// Filter leaves out what nobody wants to read while all goes well.
type Filter struct {
	recent []string
}

// recentLimit is how far back a line that repeats is remembered.
const recentLimit = 16

var (
	kernelLine = regexp.MustCompile(`^\[ *\d+\.\d{3,}\]`)
	systemd    = regexp.MustCompile(`^\[ {1,2}OK {1,2}\]|^ *(Starting|Mounting|Stopping|Unmounting) .*\.\.\.$`)
	// A line of nothing but frames, bars and percentages.
	drawing = regexp.MustCompile(`^[\s\p{P}\p{S}\d]*$`)
)

// Keep says whether a line is worth being shown.
func (f *Filter) Keep(line string) bool {
	if kernelLine.MatchString(line) || systemd.MatchString(line) || drawing.MatchString(line) {
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
