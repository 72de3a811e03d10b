package check

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/packer-maas/packer-plugin-maas/internal/curtin"
	"github.com/packer-maas/packer-plugin-maas/internal/facts"
)

// subject is what checks are asked about.
type subject struct {
	*facts.Facts
	Target
	// hook is the image's own curtin-hooks; its Path is "" if there is none.
	hook hook
}

// hook is a program that curtin starts.
type hook struct {
	Path   string
	File   facts.File
	Text   string
	Volume *facts.Volume // of a whole disk
}

func newSubject(f *facts.Facts, t Target) *subject {
	s := &subject{Facts: f, Target: t}
	if hooks := s.hooks(curtin.Hooks[0]); len(hooks) > 0 {
		s.hook = hooks[len(hooks)-1] // curtin takes the last volume that fits
	}
	return s
}

// hooks finds a hook by its name, on a disk on any volume that curtin would
// take.
func (s *subject) hooks(name string) []hook {
	at := curtin.Folder + "/" + name
	if s.Disk == nil {
		if f, ok := stat(s.Tree, at); ok {
			return []hook{{Path: at, File: f, Text: s.Tree.Text(at)}}
		}
		return nil
	}
	var found []hook
	for i, v := range s.Disk.Volumes {
		if f, ok := stat(v.Files, at); ok {
			found = append(found, hook{at, f, v.Files.Text(at), &s.Disk.Volumes[i]})
		}
	}
	return found
}

func stat(t *facts.Tree, at string) (facts.File, bool) {
	if t == nil {
		return facts.File{}, false
	}
	_, f, ok := t.Lookup(at)
	return f, ok
}

// fits says whether the image is of a kind.
func (s *subject) fits(of scope) bool {
	if s.Damage != "" {
		return of == tarball|disk // what was not read is not missing
	}
	return of&tarball != 0 && s.Disk == nil && s.Tree != nil ||
		of&unpacked != 0 && s.Disk == nil && s.Tree != nil && s.isSystem() ||
		of&disk != 0 && s.Disk != nil ||
		of&linux != 0 && s.Tree != nil && s.isSystem() ||
		of&windows != 0 && s.isWindows()
}

// isSystem says whether the tree is a Linux at all; a check of its own says so
// if it is not.
func (s *subject) isSystem() bool { return s.Tree.IsFolder("etc") && s.Tree.IsFolder("usr") }

func (s *subject) isWindows() bool { return s.Disk != nil && s.windowsVolume() != nil }

// builtin says whether curtin configures the system by itself: there are no
// hooks of the image's own, or they call curtin's.
func (s *subject) builtin() bool {
	return s.hook.Path == "" || strings.Contains(s.hook.Text, "builtin_curthooks")
}

// disguised says whether the hook shows curtin another system than there is, so
// that what curtin makes of it is not known.
func (s *subject) disguised() bool { return s.builtin() && s.hookDoes("os-release") }

// hookDoes says whether the image's hook speaks of one of the words: then a
// check cannot know better.
func (s *subject) hookDoes(words ...string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(s.hook.Text, word) })
}

// family is the kind of system as curtin tells it: "debian", "redhat", "suse";
// "" of any other.
func (s *subject) family() string {
	ids := append([]string{s.Tree.Release["ID"]}, strings.Fields(s.Tree.Release["ID_LIKE"])...)
	for _, id := range ids {
		if family := families[id]; family != "" {
			return family
		}
	}
	return ""
}

// families are the systems that curtin knows, by their ID in os-release.
var families = map[string]string{
	"debian": "debian", "ubuntu": "debian",
	"almalinux": "redhat", "centos": "redhat", "fedora": "redhat", "ol": "redhat", "redhat": "redhat", "rhel": "redhat",
	"rocky": "redhat", "mariner": "redhat", "azurelinux": "redhat",
	"opensuse": "suse", "sles": "suse", "suse": "suse",
	"arch": "arch", "gentoo": "gentoo", "freebsd": "freebsd",
}

// has says whether a program is in the system's usual folders.
func (s *subject) has(command string) bool {
	_, ok := s.Tree.Command(command)
	return ok
}

// masked says whether a unit of systemd is masked.
func (s *subject) masked(unit string) bool {
	f, ok := s.Tree.Stat("etc/systemd/system/" + unit)
	return ok && (f.Target == "/dev/null" || f.Mode.IsRegular() && f.Size == 0)
}

// enabled says whether something starts a unit of systemd.
func (s *subject) enabled(units ...string) bool {
	for _, unit := range units {
		if s.masked(unit) {
			continue
		}
		for _, dir := range []string{"etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"} {
			if len(s.Tree.Glob(dir+"/*.wants/"+unit)) > 0 {
				return true
			}
		}
	}
	return false
}

// lines are the lines of a configuration that are not comments, trimmed.
func lines(text string) []string {
	var found []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			found = append(found, line)
		}
	}
	return found
}

// matching are the lines of files that a pattern matches, with their files.
func (s *subject) matching(pattern *regexp.Regexp, files ...string) []string {
	var found []string
	for _, text := range s.Tree.Texts(files...) {
		for _, line := range lines(text.Content) {
			if pattern.MatchString(line) {
				found = append(found, "/"+text.Path+" says "+quoted(line))
			}
		}
	}
	return found
}

// firstMatches are the first lines of files that a pattern matches, what matches
// of each.
func (s *subject) firstMatches(pattern *regexp.Regexp, files ...string) []string {
	var found []string
	for _, text := range s.Tree.Texts(files...) {
		if m := pattern.FindString(text.Content); m != "" {
			found = append(found, "/"+text.Path+" has "+quoted(strings.Trim(m, " \t\"'=")))
		}
	}
	return found
}

// quoted is a line as it may be shown.
func quoted(line string) string {
	if len(line) > 100 {
		line = line[:100] + "..."
	}
	return `"` + printable(line) + `"`
}

// printable is text that does nothing to a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

// one makes a list of problems out of a condition.
func one(is bool, problem string) []string {
	if !is {
		return nil
	}
	return []string{problem}
}

// existing are those out of a list of patterns that are in the tree, but for
// empty files.
func (s *subject) existing(patterns ...string) []string {
	var found []string
	for _, p := range patterns {
		for _, at := range s.Tree.Glob(p) {
			if f, _ := s.Tree.Stat(at); !f.Mode.IsRegular() || f.Size > 0 {
				found = append(found, "/"+at)
			}
		}
	}
	return found
}
