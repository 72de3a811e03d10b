package region

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
)

// Version is a region's version, such as 3.5.1 or 3.6.0~rc2. The zero Version
// means that it is not known.
type Version struct {
	Major, Minor, Point int
	// Qualifier is alpha, beta or rc before a release, else empty.
	Qualifier string
	// Number is the qualifier's: 2 in rc2.
	Number int
}

// MAAS writes 3.5.0~beta1; its Python packages and tags write 3.5.0b1 and
// 3.5.0-beta1. What follows a finished version, as in 3.5.1-16317-g.abc, is a
// build's own mark.
var versionPattern = regexp.MustCompile(`^v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:[~.-]?(alpha|beta|rc|a|b)(\d{0,4}))?([-+~].*)?$`)

// ParseVersion reads a version. MAAS says "None" while no controller has told
// its own; that is an error as any other text is.
func ParseVersion(text string) (Version, error) {
	m := versionPattern.FindStringSubmatch(text)
	if m == nil {
		return Version{}, fmt.Errorf("%q is no version of MAAS; one looks like 3.5, 3.5.1 or 3.6.0~rc1", text)
	}
	number := func(s string) int { n, _ := strconv.Atoi(s); return n } // digits, or empty for 0
	v := Version{Major: number(m[1]), Minor: number(m[2]), Point: number(m[3]), Qualifier: m[4], Number: number(m[5])}
	switch v.Qualifier {
	case "a":
		v.Qualifier = "alpha"
	case "b":
		v.Qualifier = "beta"
	}
	return v, nil
}

// Known says whether the version is known.
func (v Version) Known() bool { return v != Version{} }

// String is the version as MAAS writes it.
func (v Version) String() string {
	if !v.Known() {
		return "unknown"
	}
	s := fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Point)
	if v.Qualifier != "" {
		s += "~" + v.Prerelease()
	}
	return s
}

// Prerelease is beta1, rc2 ... before a release, else empty.
func (v Version) Prerelease() string {
	if v.Qualifier == "" {
		return ""
	}
	return v.Qualifier + strconv.Itoa(v.Number)
}

// Compare is -1, 0 or +1 as v is older, the same or newer. An alpha comes
// before a beta, that before a release candidate, that before the release.
func (v Version) Compare(w Version) int {
	rank := map[string]int{"alpha": -3, "beta": -2, "rc": -1, "": 0}
	return cmp.Or(
		cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Point, w.Point),
		cmp.Compare(rank[v.Qualifier], rank[w.Qualifier]), cmp.Compare(v.Number, w.Number),
	)
}

// Family says whether the version belongs to the series major.minor or a later
// one. Betas of 3.5 belong to 3.5: they store images as 3.5 does.
func (v Version) Family(major, minor int) bool {
	return cmp.Or(cmp.Compare(v.Major, major), cmp.Compare(v.Minor, minor)) >= 0
}

// before says whether the version is known and older than the series.
func (v Version) before(major, minor int) bool { return v.Known() && !v.Family(major, minor) }

// twoArchitectures says whether the region can deploy a custom name that it
// has for two architectures (Launchpad bug 2138312).
func (v Version) twoArchitectures() bool {
	switch {
	case v.Family(3, 8):
		return true
	case v.Family(3, 7):
		return v.Compare(Version{Major: 3, Minor: 7, Point: 1}) >= 0
	default:
		return v.Compare(Version{Major: 3, Minor: 6, Point: 3}) >= 0
	}
}
