package pack

import (
	"fmt"
	"os"
)

// unchanged looks at files, and returns what says later whether they are still
// as they were: what is not QEMU knows nothing of its locks.
func unchanged(paths []string) func() error {
	before := map[string]os.FileInfo{}
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil { // opening one that is not there tells why
			before[path] = info
		}
	}
	return func() error {
		for _, path := range paths {
			was := before[path]
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
}
