package machine

import "strings"

// Quote makes a path a value among QEMU's comma-separated ones.
func Quote(path string) string { return strings.ReplaceAll(path, ",", ",,") }
