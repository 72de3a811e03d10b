package system

import (
	"errors"
	"testing"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "",
		`Debian "12" \ é 漢`:          `Debian "12" \ é 漢`,
		"\x1b[31mred\nline\x7f":      `\x1b[31mred\x0aline\x7f`,
		"\xff\u009b\ufffd\U000e0001": `\xff\u009b` + "\ufffd" + `\U000e0001`,
	} {
		if got := printable(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// A name out of an image is no format.
func TestScanError(t *testing.T) {
	broken := errors.New("broken")
	err := new(scanner).errorf("RAID array 100%d", "read it: %w", broken)
	if !errors.Is(err, broken) || err.Error() != "RAID array 100%d: read it: broken" {
		t.Errorf("error is %q", err)
	}
}
