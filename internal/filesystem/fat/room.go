package fat

import "fmt"

// insert writes entries to where a folder has room for them in a row.
func (e *Editor) insert(in folder, raw []byte) error {
	for {
		slots, after, err := e.room(in, len(raw)/entrySize)
		if err != nil {
			return err
		}
		if slots == nil {
			if err := e.extend(in); err != nil {
				return err
			}
			continue
		}
		for i, at := range slots {
			if err := e.writeAt(raw[i*entrySize:(i+1)*entrySize], at); err != nil {
				return err
			}
		}
		if after >= 0 { // all that follows the end may be anything
			return e.writeAt(make([]byte, entrySize), after)
		}
		return nil
	}
}

// room finds n free entries in a row, and, if they are the last of the folder,
// the one after them, which has to mark its end; -1 for none. It returns no
// slots if there are none.
func (e *Editor) room(in folder, n int) (slots []int64, after int64, err error) {
	runs := []run{{0, e.root, e.rootSize}}
	if in.number != rootNumber || e.bits == 32 {
		if runs, err = e.chain(in.first, -1); err != nil {
			return nil, 0, err
		}
	}
	ended := false
	for _, r := range runs {
		b := make([]byte, r.length)
		if err := e.readAt(b, r.volume); err != nil {
			return nil, 0, err
		}
		for i := 0; i+entrySize <= len(b); i += entrySize {
			at := r.volume + int64(i)
			if len(slots) == n {
				return slots, at, nil
			}
			ended = ended || b[i] == 0
			if !ended && b[i] != 0xe5 {
				slots = slots[:0]
				continue
			}
			if slots = append(slots, at); len(slots) == n && !ended {
				return slots, -1, nil
			}
		}
	}
	if len(slots) < n {
		slots = nil
	}
	return slots, -1, nil
}

// extend makes a folder longer by a cluster of zeros.
func (e *Editor) extend(in folder) error {
	if in.number == rootNumber && e.bits != 32 {
		return fmt.Errorf("the root folder is full: on this file system it has %d entries, of which a long name takes several", e.rootSize/entrySize)
	}
	last := in.first
	for n := int64(1); ; n++ {
		next, ok, err := e.next(last)
		if err != nil {
			return err
		}
		if !ok {
			if (n+1)*e.cluster > maxDir {
				return fmt.Errorf("the folder is full: it has %d entries", maxDir/entrySize)
			}
			break
		}
		last = next
	}
	clusters, err := e.allocate(1)
	if err != nil {
		return err
	}
	e.set(last, clusters[0])
	return e.writeAt(make([]byte, e.cluster), e.place(clusters[0]))
}
