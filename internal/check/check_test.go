package check_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/check"
	"github.com/packer-maas/packer-plugin-maas/internal/facts"
)

// Good images have no findings, and each check passes one of them.
func TestGoodImagesPass(t *testing.T) {
	passed := map[string]bool{}
	withPython := debian()
	python("curtin/curtin-hooks", "if (kernel := print):\n    kernel(f'{builtin_curthooks!r}')\n")(&withPython)
	for name, i := range map[string]img{"debian": debian(), "python": withPython, "rocky": rocky(), "disguised": disguised(), "whole": whole(t), "windows": windows(t)} {
		fits := 0
		for _, r := range i.run(t) {
			if r.Outcome == check.Failed {
				t.Errorf("%s: %s", name, r)
			}
			if r.Outcome == check.Passed {
				fits++
				passed[r.Check] = true
			}
		}
		if fits < 5 {
			t.Errorf("%s: only %d checks were asked", name, fits)
		}
	}
	for _, name := range check.Names() {
		if !passed[name] {
			t.Errorf("%s: no image passes it", name)
		}
	}
}

// What looks like a finding and is none, is none.
func TestUnsuspicious(t *testing.T) {
	for name, change := range unsuspicious {
		i := rocky()
		change(&i)
		for _, r := range append(check.Failures(i.run(t), check.Error), check.Failures(i.run(t), check.Warning)...) {
			t.Errorf("%s: %s", name, r)
		}
	}
}

// bad is an image that fails one check, and no other but those named also.
type bad struct {
	base   func(testing.TB) img
	change func(*img)
	want   string
	also   []string
}

// Every check fails on an image made for it, for the reason it should.
func TestEveryCheckFails(t *testing.T) {
	for _, name := range check.Names() {
		if len(badImages[name]) == 0 {
			t.Errorf("%s: no image fails it", name)
		}
	}
	for name, images := range badImages {
		for _, b := range images {
			t.Run(name, func(t *testing.T) {
				i := b.base(t)
				b.change(&i)
				found := false
				for _, r := range i.run(t) {
					switch {
					case r.Outcome != check.Failed:
					case r.Check == name:
						found = true
						if text := r.String(); !strings.Contains(text, b.want) || r.Remedy == "" {
							t.Errorf("it says %q, and should say %q", text, b.want)
						}
					case !slices.Contains(b.also, r.Check):
						t.Errorf("fails, too: %s", r)
					}
				}
				if !found {
					t.Error("it passes")
				}
			})
		}
	}
}

// A check that is ignored still says what it found.
func TestIgnore(t *testing.T) {
	i := debian()
	delete(i.files, "usr/sbin/sshd")
	results := i.run(t, "ssh-server", "kernel")
	if n := check.Count(results, check.Ignored); n != 1 || len(check.Failures(results, check.Warning)) != 0 {
		t.Errorf("%d ignored", n)
	}
	if got := check.Unknown([]string{"kernel", "kernle"}); !slices.Equal(got, []string{"kernle"}) {
		t.Errorf("unknown are %q", got)
	}
}

// Whatever is missing, no check minds.
func TestLittleKnown(t *testing.T) {
	empty := collect(t, nil)
	odd := collect(t, map[string]file{
		"etc": {target: "etc"}, "usr": {}, "boot/vmlinuz-": {}, "curtin/curtin-hooks": {text: "#!/usr/bin/env -S\n", mode: 0o755},
		"Windows": {mode: folder}, "boot/vmlinuz-x": {target: "/boot/vmlinuz-x"},
	})
	for _, tree := range []*facts.Tree{nil, empty, odd} {
		for _, files := range []*facts.Tree{nil, empty, odd} {
			for _, disk := range []*facts.Disk{nil, {}, {Volumes: []facts.Volume{{Files: files, Unread: "x", Type: "ntfs"}, {Kind: "0xef", Partition: true}}}} {
				if results := check.Run(&facts.Facts{Tree: tree, Disk: disk}, check.Target{}, nil); len(results) != len(check.Names()) {
					t.Errorf("%d results", len(results))
				}
			}
		}
	}
}

// Of an image that is damaged, nothing is said to be missing.
func TestDamaged(t *testing.T) {
	for _, f := range []*facts.Facts{{Damage: "x", Tree: collect(t, nil)}, {Damage: "x", Disk: &facts.Disk{}}} {
		if failed := check.Failures(check.Run(f, check.Target{}, nil), check.Error); len(failed) != 1 || failed[0].Check != "whole" {
			t.Errorf("found are %v", failed)
		}
	}
}

// Names out of an image do nothing to a terminal, and do not fill it.
func TestProblemsAreTidy(t *testing.T) {
	i := rocky()
	for n := range 200 {
		i.files[fmt.Sprintf("boot/efi/%03d\x1b[31m%s", n, strings.Repeat("x", 400))] = file{uid: 1}
	}
	for _, r := range check.Failures(i.run(t), check.Error) {
		if r.Check != "efi-files" || len(r.Problems) != 101 || r.Problems[100] != "and 100 more like these" {
			t.Errorf("%s: %d problems, the last is %q", r.Check, len(r.Problems), r.Problems[len(r.Problems)-1])
		}
		if text := r.String(); strings.ContainsRune(text, '\x1b') || len(text) > 1500 {
			t.Errorf("it says %q", text)
		}
	}
}

// The table says all that a person needs, once.
func TestTable(t *testing.T) {
	table := check.Table()
	for _, name := range check.Names() {
		if strings.Count(table, "| `"+name+"` |") != 1 {
			t.Errorf("%s is not in the table once", name)
		}
	}
	if strings.Contains(table, "|  |") {
		t.Error("a check has an empty column")
	}
}
