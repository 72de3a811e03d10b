package system

import "testing"

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
