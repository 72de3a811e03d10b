package fstest

import (
	"fmt"
	"os/exec"
	"sync"
	"testing"
)

// TryMount is Mount for an image that the kernel may refuse.
func TryMount(t testing.TB, image, options string) (dir string, unmount func(), err error) {
	t.Helper()
	RequireRoot(t)
	dir = t.TempDir()
	loop := "loop"
	if options != "" {
		loop += "," + options
	}
	if out, err := exec.Command("mount", "-o", loop, image, dir).CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("mount %s: %w: %s", options, err, out)
	}
	var once sync.Once
	unmount = func() {
		once.Do(func() {
			if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
				t.Errorf("umount %s: %v: %s", dir, err, out)
			}
		})
	}
	t.Cleanup(unmount)
	return dir, unmount, nil
}
