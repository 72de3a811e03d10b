// Package disktest holds every way of reading a disk to the same bytes: those
// that qemu-img finds in the image.
package disktest

import (
	"os"
	"os/exec"
	"testing"
)

// Require skips a test where a program is missing, and fails it where
// MAAS_TEST_REQUIRE_ALL=1 says that nothing may go untested.
func Require(t testing.TB, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			Missing(t, program+" is not installed")
		}
	}
}

// Missing skips a test, or fails it as Require does, for a reason.
func Missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("MAAS_TEST_REQUIRE_ALL") == "1" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// Run runs a program in the folder dir and returns what it prints.
func Run(t testing.TB, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
	return string(out)
}
