//go:build !cgo

package pack_test

// cgo says whether libnbd is in this build.
const cgo = false
