package region

import (
	"slices"
	"testing"
)

func TestParseVersion(t *testing.T) {
	for _, c := range []struct {
		text string
		want Version
		ok   bool
	}{
		{"3.5.1", Version{Major: 3, Minor: 5, Point: 1}, true},
		{"3.5", Version{Major: 3, Minor: 5}, true},
		{"3.4.0~beta2", Version{3, 4, 0, "beta", 2}, true},
		{"3.6.0~rc1", Version{3, 6, 0, "rc", 1}, true},
		{"3.6.0-rc1", Version{3, 6, 0, "rc", 1}, true},
		{"3.8.0b6", Version{3, 8, 0, "beta", 6}, true},
		{"3.8.0a1", Version{3, 8, 0, "alpha", 1}, true},
		{"3.5.1-16317-g.1234567", Version{Major: 3, Minor: 5, Point: 1}, true},
		{"v3.5.1", Version{Major: 3, Minor: 5, Point: 1}, true},
		{"None", Version{}, false},
		{"", Version{}, false},
		{"3", Version{}, false},
		{"3.x", Version{}, false},
		{"3.5.1.2", Version{}, false},
		{"99999999999999999999.1", Version{}, false},
	} {
		got, err := ParseVersion(c.text)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("ParseVersion(%q) = %+v, %v", c.text, got, err)
		}
	}
}

func TestVersionOrder(t *testing.T) {
	order := []string{"2.9.2", "3.2.9", "3.4.0~alpha1", "3.4.0~beta2", "3.4.0~beta10", "3.4.0~rc1", "3.4.0", "3.4.1", "3.10.0"}
	for i, low := range order {
		for j, high := range order {
			a, b := parsed(t, low), parsed(t, high)
			want := 0
			switch {
			case i < j:
				want = -1
			case i > j:
				want = 1
			}
			if got := a.Compare(b); got != want {
				t.Errorf("%s compared with %s is %d", low, high, got)
			}
		}
	}
	if v := parsed(t, "3.5.0~beta1"); !v.Family(3, 5) || v.Compare(parsed(t, "3.5.0")) >= 0 || v.String() != "3.5.0~beta1" {
		t.Errorf("%s is not of the series 3.5, or not older than its release", v)
	}
}

func parsed(t *testing.T, text string) Version {
	t.Helper()
	if text == "" {
		return Version{}
	}
	v, err := ParseVersion(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTwoArchitectures(t *testing.T) {
	for text, want := range map[string]bool{
		"3.5.9": false, "3.6.2": false, "3.6.3": true, "3.7.0": false, "3.7.1": true, "3.8.0~beta1": true,
	} {
		if got := parsed(t, text).twoArchitectures(); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestCompareSets(t *testing.T) {
	order := []string{"20261122.11", "20261123", "20261123.1", "20261123.9", "20261123.10"}
	if !slices.IsSortedFunc(order, compareSets) {
		t.Errorf("%v is not in order", order)
	}
}

func TestReceived(t *testing.T) {
	const size = 30<<30 + 12345
	for _, c := range []struct {
		version     string
		controllers int
	}{{"3.2.9", 1}, {"3.4.4", 3}, {"3.5.1", 1}, {"3.6.0", 3}, {"3.8.0", 7}} {
		v := parsed(t, c.version)
		for _, have := range []int64{0, 1, 2, 4 << 20, 4<<20 + 1, 10_000_000_019, size/2 + 1, size - 1} {
			f := File{Size: size}
			switch {
			case have == 0:
			case v.Family(3, 5):
				f.Progress = 100 * float64(have) / (float64(size) * float64(c.controllers))
			default:
				f.Progress = float64(size) / float64(have)
			}
			if got := received(f, v, c.controllers); got != have {
				t.Errorf("MAAS %s, %d controllers: %d bytes are read as %d", c.version, c.controllers, have, got)
			}
		}
		if got := received(File{Size: size, Complete: true}, v, c.controllers); got != size {
			t.Errorf("MAAS %s: a complete file is read as %d", c.version, got)
		}
	}
}
