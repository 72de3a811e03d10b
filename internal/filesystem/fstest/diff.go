package fstest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// Options say what Diff does not compare. The zero value compares everything,
// but allows a reader to know of more holes than the kernel does.
type Options struct {
	IgnoreSockets  bool
	IgnoreSegments bool
	// ExactSegments wants the kernel's holes and no others.
	ExactSegments bool
	// IgnoreLinks leaves out the number of links, but not which names are
	// links to one file: for trees that are a part of what was linked.
	IgnoreLinks bool
	// IgnoreXattrs are prefixes of names, such as "trusted.".
	IgnoreXattrs []string
	// WholeSeconds leaves out the parts of seconds.
	WholeSeconds bool
	// IgnoreTimes leaves out all times of modification.
	IgnoreTimes bool
	// IgnorePaths are left out with all that is in them.
	IgnorePaths []string
}

// Check fails the test if got is not what is wanted.
func Check(t testing.TB, got, want Manifest, o Options) {
	t.Helper()
	differences := Diff(got, want, o)
	for i, d := range differences {
		if i == 40 {
			t.Errorf("and %d more differences", len(differences)-i)
			break
		}
		t.Error(d)
	}
}

// Diff lists the differences between what was got and what is wanted, the
// kernel's. There are none if it is empty.
func Diff(got, want Manifest, o Options) []string {
	var list []string
	for _, path := range want.paths() {
		if o.ignored(path, want[path]) {
			continue
		}
		r, ok := got[path]
		if !ok {
			list = append(list, fmt.Sprintf("%q: missing", path))
			continue
		}
		for _, d := range o.compare(r, want[path]) {
			list = append(list, fmt.Sprintf("%q: %s", path, d))
		}
	}
	for _, path := range got.paths() {
		if _, ok := want[path]; !ok && !o.ignored(path, got[path]) {
			list = append(list, fmt.Sprintf("%q: should not be there", path))
		}
	}
	return list
}

func (o Options) ignored(path string, r *Record) bool {
	if o.IgnoreSockets && r.Mode.Type() == filesystem.ModeSocket {
		return true
	}
	return slices.ContainsFunc(o.IgnorePaths, func(p string) bool {
		return path == p || strings.HasPrefix(path, p+"/")
	})
}

func (o Options) compare(got, want *Record) []string {
	var list []string
	check := func(what string, got, want any) {
		if got != want {
			list = append(list, fmt.Sprintf("%s is %v, not %v", what, got, want))
		}
	}
	check("mode", fmt.Sprintf("%#o", got.Mode), fmt.Sprintf("%#o", want.Mode))
	check("owner", got.UID, want.UID)
	check("group", got.GID, want.GID)
	check("size", got.Size, want.Size)
	check("major", got.Major, want.Major)
	check("minor", got.Minor, want.Minor)
	check("target", fmt.Sprintf("%q", got.Target), fmt.Sprintf("%q", want.Target))
	check("data", got.Digest, want.Digest)
	check("names", fmt.Sprintf("%q", got.Names), fmt.Sprintf("%q", want.Names))
	if !o.IgnoreLinks {
		check("links", got.Links, want.Links)
	}
	if !o.IgnoreTimes {
		check("modified", o.time(got.Modified), o.time(want.Modified))
	}
	if !o.IgnoreSegments {
		list = append(list, o.compareSegments(got, want)...)
	}
	return append(list, o.compareXattrs(got.Xattrs, want.Xattrs)...)
}

// time prints a time so that it can be compared.
func (o Options) time(t time.Time) string {
	if o.WholeSeconds {
		return fmt.Sprintf("%d", t.Unix())
	}
	return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond())
}

// segmentRounding is the largest unit in which the kernel may see data.
const segmentRounding = 64 << 10

func (o Options) compareSegments(got, want *Record) []string {
	if slices.Equal(got.Segments, want.Segments) {
		return nil
	}
	if o.ExactSegments {
		return []string{fmt.Sprintf("segments are %v, not %v", abridge(got.Segments), abridge(want.Segments))}
	}
	for _, s := range got.Segments {
		inside := slices.ContainsFunc(want.Segments, func(w filesystem.Segment) bool {
			from := w.Offset / segmentRounding * segmentRounding
			to := (w.Offset + w.Length + segmentRounding - 1) / segmentRounding * segmentRounding
			return s.Offset >= from && s.Offset+s.Length <= to
		})
		if !inside {
			return []string{fmt.Sprintf("segment %v is not in %v", s, abridge(want.Segments))}
		}
	}
	return nil
}

// abridge keeps messages short.
func abridge(segments []filesystem.Segment) string {
	if len(segments) > 8 {
		return fmt.Sprintf("%v and %d more", segments[:8], len(segments)-8)
	}
	return fmt.Sprint(segments)
}

func (o Options) compareXattrs(got, want map[string]string) []string {
	var list []string
	ignored := func(name string) bool {
		return slices.ContainsFunc(o.IgnoreXattrs, func(p string) bool { return strings.HasPrefix(name, p) })
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		value, ok := got[name]
		switch {
		case ignored(name):
		case !ok:
			list = append(list, fmt.Sprintf("attribute %q is missing", name))
		case value != want[name]:
			list = append(list, fmt.Sprintf("attribute %q is %q, not %q", name, clipped(value), clipped(want[name])))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok && !ignored(name) {
			list = append(list, fmt.Sprintf("attribute %q should not be there", name))
		}
	}
	return list
}

// clipped keeps messages short.
func clipped(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}
