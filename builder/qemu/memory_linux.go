package qemu

import "golang.org/x/sys/unix"

// hostMemory is how much memory this machine has, in bytes.
func hostMemory() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return uint64(info.Totalram) * uint64(info.Unit) //nolint:unconvert // their size depends on the architecture
}
