package system

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// printable is text out of an image as it can go to a terminal: one line, with
// control characters and what is not UTF-8 written as \x1b or \u009b.
func printable(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case strconv.IsPrint(r) && (r != utf8.RuneError || size > 1):
			b.WriteString(text[:size])
		case r < utf8.RuneSelf || r == utf8.RuneError:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		text = text[size:]
	}
	return b.String()
}

// short cuts a printable text to what fits in a message.
func short(text string) string {
	const limit = 200
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "..."
}
