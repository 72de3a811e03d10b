//go:build !linux

package disk

// checkUnused knows no locks of QEMU's on this system.
func checkUnused(string) error { return nil }
