package pack

import (
	"fmt"
	"os"
)

// sources are the files that disks are read from, and how they were before. What
// is not QEMU knows nothing of its locks.
type sources struct {
	paths  []string
	before map[string]os.FileInfo
}

// add looks at files.
func (s *sources) add(paths []string) {
	if s.before == nil {
		s.before = map[string]os.FileInfo{}
	}
	s.paths = append(s.paths, paths...)
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil { // opening one that is not there tells why
			s.before[path] = info
		}
	}
}

// unchanged says whether the files are still as they were.
func (s *sources) unchanged() error {
	for _, path := range s.paths {
		was := s.before[path]
		now, err := os.Stat(path)
		if err != nil || was == nil || !was.Mode().IsRegular() || !os.SameFile(was, now) {
			continue // if another file took its name, the one that is open was read
		}
		if was.Size() != now.Size() || !was.ModTime().Equal(now.ModTime()) {
			return fmt.Errorf("%s was written to while it was read: pack it again when that has ended", path)
		}
	}
	return nil
}
