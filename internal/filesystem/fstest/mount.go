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
	return dir, unmounter(t, dir), nil
}

// MountNTFS has ntfs-3g mount an image, as Mount does with the kernel.
func MountNTFS(t testing.TB, image string) (dir string, unmount func()) {
	t.Helper()
	RequireRoot(t)
	RequireTool(t, "ntfs-3g")
	dir = t.TempDir()
	Run(t, "ntfs-3g", image, dir)
	return dir, unmounter(t, dir)
}

// unmounter unmounts dir once, at the latest at the test's end.
func unmounter(t testing.TB, dir string) func() {
	t.Helper()
	var once sync.Once
	unmount := func() {
		once.Do(func() {
			if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
				t.Errorf("umount %s: %v: %s", dir, err, out)
			}
		})
	}
	t.Cleanup(unmount)
	return unmount
}
