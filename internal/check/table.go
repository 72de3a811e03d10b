package check

import (
	"fmt"
	"strings"
)

// Table is all checks for a person to read, in Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| check | severity | of | what to do | why | known from |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, c := range all {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", c.Name, c.Severity, c.Scope, cell(c.Remedy), cell(c.Reason), cell(c.Source))
	}
	return b.String()
}

// cell is text as it may stand in a cell.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;", "_", `\_`).Replace(text)
}

// String is the scope in words.
func (s scope) String() string {
	var words []string
	for _, one := range []struct {
		scope scope
		word  string
	}{{linux, "Linux"}, {tarball | unpacked, "root tarballs"}, {disk, "whole disks"}, {windows, "Windows"}} {
		if s&one.scope != 0 {
			words = append(words, one.word)
		}
	}
	return strings.Join(words, ", ")
}
