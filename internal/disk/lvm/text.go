package lvm

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
)

// maxDepth is how deep sections can be in each other; LVM itself has four.
const maxDepth = 8

// section is a part of LVM's text: `name { ... }`.
type section struct {
	name     string
	values   map[string]any // a string, an int64, or a []any of these
	sections []*section     // in their order
	byName   map[string]*section
}

// child returns the section of the given name; empty if there is none.
func (s *section) child(name string) *section {
	if c := s.byName[name]; c != nil {
		return c
	}
	return &section{name: name}
}

// text returns a string, number an integer, list an array.
func (s *section) text(key string) string    { t, _ := s.values[key].(string); return t }
func (s *section) list(key string) []any     { l, _ := s.values[key].([]any); return l }
func (s *section) has(key, flag string) bool { return slices.Contains(s.list(key), any(flag)) }

// number returns an integer between 0 and limit.
func (s *section) number(key string, limit int64) (int64, error) {
	n, ok := s.values[key].(int64)
	if !ok || n < 0 || n > limit {
		return 0, fmt.Errorf("%s: %s is %v, not a number up to %d", s.name, key, s.values[key], limit)
	}
	return n, nil
}

// parser reads LVM's text, the format of lvm.conf(5).
type parser struct {
	rest []byte
	line int
}

// parse reads a whole text as the section without a name.
func parse(text []byte) (*section, error) {
	p := &parser{rest: text, line: 1}
	s, err := p.section("", 0)
	if err != nil {
		return nil, fmt.Errorf("text, line %d: %w", p.line, err)
	}
	return s, nil
}

// section reads up to the end of a section, or of the text at depth 0.
func (p *parser) section(name string, depth int) (*section, error) {
	s := &section{name: name, values: map[string]any{}, byName: map[string]*section{}}
	if depth > maxDepth {
		return nil, fmt.Errorf("sections over %d deep", maxDepth)
	}
	for {
		p.space()
		if len(p.rest) == 0 || p.rest[0] == '}' {
			if (len(p.rest) == 0) != (depth == 0) {
				return nil, fmt.Errorf("a section ends in the wrong place")
			}
			p.take('}')
			return s, nil
		}
		key := p.word()
		if key == "" {
			return nil, fmt.Errorf("%q is not a name", p.rest[0])
		}
		if _, ok := s.values[key]; ok || s.byName[key] != nil {
			return nil, fmt.Errorf("%s is there twice", key)
		}
		p.space()
		var err error
		switch {
		case p.take('{'):
			var child *section
			if child, err = p.section(key, depth+1); err == nil {
				s.sections = append(s.sections, child)
				s.byName[key] = child
			}
		case p.take('='):
			s.values[key], err = p.value(true)
		default:
			err = fmt.Errorf("%s has no value", key)
		}
		if err != nil {
			return nil, err
		}
	}
}

// space passes over what means nothing.
func (p *parser) space() {
	for len(p.rest) > 0 {
		switch c := p.rest[0]; c {
		case '#':
			_, p.rest, _ = bytes.Cut(p.rest, []byte("\n"))
			p.line++
		case ' ', '\t', '\r', '\n':
			if c == '\n' {
				p.line++
			}
			p.rest = p.rest[1:]
		default:
			return
		}
	}
}

// take passes over a byte, if it is next.
func (p *parser) take(c byte) bool {
	if len(p.rest) == 0 || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// word reads a name: letters, digits, and what LVM allows beside them.
func (p *parser) word() string {
	n := bytes.IndexFunc(p.rest, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' && c != '-' && c != '+' && c != '.'
	})
	if n < 0 {
		n = len(p.rest)
	}
	word := string(p.rest[:n])
	p.rest = p.rest[n:]
	return word
}

// value reads a string, a number or, where allowed, an array of these.
func (p *parser) value(arrays bool) (any, error) {
	p.space()
	switch {
	case p.take('"'):
		return p.quoted()
	case arrays && p.take('['):
		return p.array()
	}
	word := p.word()
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is no value", word)
	}
	return n, nil
}

func (p *parser) array() ([]any, error) {
	list := []any{}
	for {
		if p.space(); p.take(']') {
			return list, nil
		}
		item, err := p.value(false)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
		p.space()
		if !p.take(',') && (len(p.rest) == 0 || p.rest[0] != ']') {
			return nil, fmt.Errorf("an array does not go on")
		}
	}
}

// quoted reads what is left of a string; a backslash keeps what follows it.
func (p *parser) quoted() (string, error) {
	var b []byte
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return string(b), nil
		case c == '\n':
			return "", fmt.Errorf("a string does not end")
		case c == '\\' && i+1 < len(p.rest):
			i++
			b = append(b, p.rest[i])
		default:
			b = append(b, c)
		}
	}
	return "", fmt.Errorf("a string does not end")
}
