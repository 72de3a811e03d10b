// Package check says of a finished image whether MAAS could deploy it, and
// whether it is fit to be on many machines: before it is sent, not half an hour
// later on a rack.
//
// A check is a value in a table. It looks at facts, and never at the image
// itself.
package check

//go:generate go run ../checkdocs ../../docs-partials/internal/check/Checks.mdx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/facts"
)

// Severity is how much a finding matters.
type Severity string

const (
	// Error is what makes a deployment fail, or leaves a machine that does not
	// start, does not report, or lets strangers in.
	Error Severity = "error"
	// Warning is what may be meant so.
	Warning Severity = "warning"
)

// scope is what a check applies to.
type scope int

const (
	tarball  scope = 1 << iota // the tree of files as a tar
	unpacked                   // a Linux system in a tarball
	disk                       // a whole disk, whatever is on it
	linux                      // a Linux system, in a tarball or on a disk
	windows                    // a whole disk with Windows on it
)

// Check is a line of the table.
type Check struct {
	// Name is by what a check is waived.
	Name     string
	Severity Severity
	Scope    scope
	// Find says what is wrong, each as a sentence without a full stop; nothing
	// if all is well, or cannot be known.
	Find func(*subject) []string
	// Remedy is what a person can do.
	Remedy string
	// Reason is what happens otherwise, and Source where that is known from.
	Reason, Source string
}

// Target is what the image is to be in MAAS, as far as it is known.
type Target struct {
	Filetype     string
	System       string // "custom", "rhel"; "" if it is not known
	BaseImage    string
	Architecture string // "amd64"; "" if it is not known
	InMemory     bool   // it is to be deployed into memory, too
}

// all are the checks, in the order in which a deployment would meet them.
var all = slices.Concat(imageChecks, diskChecks, hookChecks, systemChecks, bootChecks, grubChecks, storageChecks, cloudChecks, networkChecks, identityChecks, secretChecks, windowsChecks, registryChecks)

// Names are those of all checks.
func Names() []string {
	var names []string
	for _, c := range all {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return names
}

// Outcome is what came of a check.
type Outcome string

// Outcomes of a check.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Ignored Outcome = "ignored" // failed, and waived by name
	Unfit   Outcome = "not applicable"
)

// Result is a check's answer for an image.
type Result struct {
	Check    string   `json:"check"`
	Severity Severity `json:"severity"`
	Outcome  Outcome  `json:"outcome"`
	Problems []string `json:"problems,omitempty"`
	Remedy   string   `json:"remedy,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	Source   string   `json:"source,omitempty"`
}

// Run answers all checks for an image. Those that are ignored by name still
// say what they found.
func Run(f *facts.Facts, t Target, ignore []string) []Result {
	s := newSubject(f, t)
	results := make([]Result, 0, len(all))
	for _, c := range all {
		r := Result{Check: c.Name, Severity: c.Severity, Outcome: Unfit}
		if s.fits(c.Scope) {
			r.Outcome, r.Problems = Passed, tidy(c.Find(s))
		}
		if len(r.Problems) > 0 {
			r.Outcome, r.Remedy, r.Reason, r.Source = Failed, c.Remedy, c.Reason, c.Source
			if slices.Contains(ignore, c.Name) {
				r.Outcome = Ignored
			}
		}
		results = append(results, r)
	}
	return results
}

// Bounds of what is said of an image.
const (
	mostProblems = 100
	mostShown    = 3
	mostBytes    = 300 // of a problem
)

// tidy makes problems fit to be shown, whatever names an image has.
func tidy(problems []string) []string {
	if n := len(problems) - mostProblems; n > 0 {
		problems = append(problems[:mostProblems:mostProblems], fmt.Sprintf("and %d more like these", n))
	}
	for i, p := range problems {
		if len(p) > mostBytes {
			p = p[:mostBytes] + "..."
		}
		problems[i] = printable(p)
	}
	return problems
}

// Failures are the failed checks of a severity.
func Failures(results []Result, severity Severity) []Result {
	var failed []Result
	for _, r := range results {
		if r.Outcome == Failed && r.Severity == severity {
			failed = append(failed, r)
		}
	}
	return failed
}

// Count counts the results with an outcome.
func Count(results []Result, o Outcome) int {
	n := 0
	for _, r := range results {
		if r.Outcome == o {
			n++
		}
	}
	return n
}

// String is what a person reads: all problems and the remedy.
func (r Result) String() string {
	problems := r.Problems
	if n := len(problems) - mostShown; n > 0 {
		problems = append(slices.Clone(problems[:mostShown]), fmt.Sprintf("and %d more like these", n))
	}
	return fmt.Sprintf("%s: %s; %s", r.Check, strings.Join(problems, "; "), r.Remedy)
}

// Unknown are the names out of a list that are no check's.
func Unknown(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(Names(), name) })
}
