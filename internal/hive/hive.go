// Package hive reads keys and values out of a file of Windows' registry, without
// Windows.
//
// The structures are found by regparser, which is made for forensics: it goes on
// where something is damaged, and takes counts and references as they are, also in
// circles. So all that it may read is counted here.
package hive

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"www.velocidex.com/golang/regparser"
)

const (
	// headerSize is what comes before the first cell.
	headerSize = 4 << 10
	// maxReads is how often a hive is read from in all. The largest folders of keys,
	// such as the services, take some ten thousand.
	maxReads = 1 << 20
	// maxValue is the largest value that is read, in bytes.
	maxValue = 4 << 10
)

// ErrUnfinished is the error of a hive with changes that Windows has only noted
// in the hive's log: what it says need not be true any more.
var ErrUnfinished = errors.New("its last changes are in its log alone: Windows was not shut down")

// Hive is a file of the registry.
type Hive struct {
	data     *counted
	registry *regparser.Registry
}

// Open opens a hive.
func Open(r io.ReaderAt, size int64) (h *Hive, err error) {
	h = &Hive{data: &counted{of: r, size: size, blocks: map[int64][]byte{}}}
	defer h.guard(&err)
	if size < headerSize {
		return nil, fmt.Errorf("%d bytes are no hive", size)
	}
	if h.registry, err = regparser.NewRegistry(h.data); err != nil {
		return nil, errors.New("it does not begin as a hive does")
	}
	if base := h.registry.BaseBlock; base.Sequence1() != base.Sequence2() {
		return nil, ErrUnfinished
	}
	return h, nil
}

// Values are the texts and numbers of a key, by their names in lower case, and
// whether there is such a key. Numbers are in decimal; other values are left out.
func (h *Hive) Values(key string) (values map[string]string, found bool, err error) {
	defer h.guard(&err)
	node := h.registry.OpenKey(key)
	if node == nil {
		return nil, false, nil
	}
	values = map[string]string{}
	for _, v := range node.Values() {
		if text, ok := valueOf(v); ok {
			values[strings.ToLower(v.ValueName())] = text
		}
	}
	return values, true, nil
}

// Keys are the names of the keys in a key.
func (h *Hive) Keys(key string) (names []string, err error) {
	defer h.guard(&err)
	node := h.registry.OpenKey(key)
	if node == nil {
		return nil, nil
	}
	for _, child := range node.Subkeys() {
		names = append(names, child.Name())
	}
	return names, nil
}

func valueOf(v *regparser.CM_KEY_VALUE) (string, bool) {
	if v.DataSize() > maxValue {
		return "", false
	}
	data := v.ValueData()
	switch {
	case data.Error != nil:
		return "", false
	case data.Type == regparser.REG_SZ, data.Type == regparser.REG_EXPAND_SZ:
		text, _, _ := strings.Cut(data.String, "\x00")
		return text, true
	case data.Type == regparser.REG_DWORD, data.Type == regparser.REG_QWORD:
		return strconv.FormatUint(data.Uint64, 10), true
	}
	return "", false
}

// guard ends what was begun with the first thing that went wrong: reading the
// file, or its structures, on which regparser may panic.
func (h *Hive) guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("a structure is damaged: %v", r)
	}
	if h.data.failed != nil {
		*err = h.data.failed
	}
	if *err != nil {
		*err = fmt.Errorf("registry: %w", *err)
	}
}
