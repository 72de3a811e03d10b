// Package console reads what a machine says on its serial console: as lines
// without a terminal's control sequences, and as signs of how an installer
// fares.
package console

import (
	"strings"
	"unicode/utf8"
)

// lineLimit is where a line without an end ends.
const lineLimit = 2048

// Lines makes lines of what a terminal is sent. A screen that is drawn by moving
// the cursor becomes lines too, so that what is on it can be matched.
type Lines struct {
	line  strings.Builder
	state state
	flush func(string)
	char  []byte

	sets   [2]bool // whether G0 and G1 are the characters that draw lines
	set    int     // which of the two is in use
	chosen int     // which of the two an escape sequence chooses
}

// Which set of characters is in use.
const (
	shiftOut = 0x0e
	shiftIn  = 0x0f
)

// state is where in a control sequence we are.
type state int

const (
	text state = iota
	escape
	control // ESC [
	command // ESC ]: to a bell or ESC \
	commandEnd
	single  // one more character, as in ESC % G
	charset // the same, as in ESC ( B
)

// drawing are the characters that VT100s have in place of small letters, where
// installers draw with them.
var drawing = map[byte]string{
	'a': "▒", 'j': "┘", 'k': "┐", 'l': "┌", 'm': "└", 'n': "┼", 'q': "─", 't': "├", 'u': "┤", 'v': "┴", 'w': "┬", 'x': "│",
}

// NewLines calls flush for each line.
func NewLines(flush func(string)) *Lines { return &Lines{flush: flush} }

// Write takes what came. It never fails.
func (l *Lines) Write(p []byte) (int, error) {
	for _, b := range p {
		l.add(b)
	}
	return len(p), nil
}

// Pending is the line that has not ended, such as a prompt.
func (l *Lines) Pending() string { return strings.TrimRight(l.line.String(), " \t") }

// End ends the line that has not ended.
func (l *Lines) End() {
	if l.line.Len() > 0 {
		l.newline()
	}
}

func (l *Lines) newline() {
	line := strings.TrimRight(l.line.String(), " \t")
	l.line.Reset()
	l.char = l.char[:0]
	if line != "" {
		l.flush(line)
	}
}

func (l *Lines) add(b byte) {
	switch l.state {
	case text:
		l.plain(b)
	case escape:
		l.state = afterEscape(b)
		l.chosen = strings.IndexByte("()", b)
	case single:
		l.state = text
	case charset:
		l.sets[l.chosen] = b == '0'
		l.state = text
	case control:
		if b < 0x40 || b > 0x7e {
			return // its parameters
		}
		l.state = text
		switch b {
		case 'H', 'f', 'J', 'E', 'F', 'A', 'B', 'd', 'S', 'T': // elsewhere on the screen
			l.End()
		case 'C', 'G': // further right
			l.put(' ')
		}
	case command:
		switch b {
		case '\a':
			l.state = text
		case 0x1b:
			l.state = commandEnd
		}
	case commandEnd:
		l.state = text
	}
}

func afterEscape(b byte) state {
	switch b {
	case '[':
		return control
	case ']', 'P', '^', '_':
		return command
	case '(', ')':
		return charset
	case '*', '+', '#', '%', ' ':
		return single
	}
	return text
}

func (l *Lines) plain(b byte) {
	switch {
	case b == 0x1b:
		l.state = escape
	case b == '\n', b == '\r':
		l.End() // a line that is drawn again and again is a line each time
	case b == '\b':
		kept := l.line.String()
		_, size := utf8.DecodeLastRuneInString(kept)
		l.line.Reset()
		l.line.WriteString(kept[:len(kept)-size])
	case b == shiftOut:
		l.set = 1
	case b == shiftIn:
		l.set = 0
	case l.sets[l.set] && drawing[b] != "":
		l.line.WriteString(drawing[b])
	case b == '\t', b >= ' ' && b != 0x7f:
		l.put(b)
	}
}

// put adds a byte; bytes that are no UTF-8 are left out.
func (l *Lines) put(b byte) {
	l.char = append(l.char, b)
	if !utf8.FullRune(l.char) {
		return
	}
	if r, size := utf8.DecodeRune(l.char); r != utf8.RuneError || size > 1 {
		l.line.Write(l.char[:size])
	}
	l.char = l.char[:0]
	if l.line.Len() >= lineLimit {
		l.newline()
	}
}
