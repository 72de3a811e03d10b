// Package systemtest boots real systems with the builder maas-qemu: what takes
// minutes without KVM, and is therefore run by `make test-system` only. It holds
// no code of the plugin.
package systemtest
