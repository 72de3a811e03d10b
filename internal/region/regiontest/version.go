package regiontest

import (
	"fmt"
	"regexp"
	"strconv"
)

// version is a MAAS version as far as behaviour depends on it.
type version struct{ major, minor, patch int }

// versionForm is what MAAS tells: X.Y.Z or X.Y.Z~beta1 (src/provisioningserver/
// utils/version.py). A test may leave out Z.
var versionForm = regexp.MustCompile(`^(\d+)\.(\d+)(?:\.(\d+))?(?:~(?:alpha|beta|rc)\d+)?$`)

func parseVersion(s string) (version, error) {
	m := versionForm.FindStringSubmatch(s)
	if m == nil {
		return version{}, fmt.Errorf("MAAS version %q: not X.Y.Z or X.Y.Z~beta1", s)
	}
	var n [3]int
	for i := range n {
		// A missing patch is 0; the form allows nothing but digits.
		n[i], _ = strconv.Atoi(m[i+1])
	}
	v := version{n[0], n[1], n[2]}
	if !v.atLeast(3, 2, 0) || v.atLeast(4, 0, 0) {
		return version{}, fmt.Errorf("MAAS version %q: none of 3.2 to 3.8", s)
	}
	return v, nil
}

func (v version) atLeast(major, minor, patch int) bool {
	if v.major != major {
		return v.major > major
	}
	if v.minor != minor {
		return v.minor > minor
	}
	return v.patch >= patch
}

// storage is where a version keeps uploaded bytes.
type storage int

const (
	// largeObjects of the database, shared by hash: 3.2 to 3.4.
	largeObjects storage = iota
	// allocated files of the full size on each region's disk, written at the
	// offset that the database knows: 3.5 to 3.7.
	allocated
	// appended files: 3.8.
	appended
)

func (v version) storage() storage {
	switch {
	case v.atLeast(3, 8, 0):
		return appended
	case v.atLeast(3, 5, 0):
		return allocated
	}
	return largeObjects
}

// sharedName tells whether two architectures may have one custom name
// (Launchpad bug 2138312).
func (v version) sharedName() bool {
	return v.atLeast(3, 7, 1) || v.major == 3 && v.minor == 6 && v.patch >= 3
}
