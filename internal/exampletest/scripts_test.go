package exampletest

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestScripts runs the tests of the Python scripts that go into images, one
// file test_*.py for each, in a folder for each family.
func TestScripts(t *testing.T) {
	python := PythonTool(t, "python3")
	files, err := filepath.Glob("*/test_*.py")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests found: %v", err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			if out, err := exec.Command(python, "-B", file).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
