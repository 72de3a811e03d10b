package exampletest

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestWindowsPython holds the hooks to the Python of the oldest Ubuntu that
// deploys, 18.04's.
func TestWindowsPython(t *testing.T) {
	vermin := PythonTool(t, "vermin")
	curtin := filepath.Join(Root, "example", "windows", "curtin")
	for _, name := range []string{"curtin-hooks", "finalize", "maas"} {
		out, err := exec.Command(vermin, "--no-tips", "--violations", "--eval-annotations", "-t=3.6-", filepath.Join(curtin, name)).CombinedOutput()
		if err != nil {
			t.Errorf("%s: needs more than Python 3.6: %v\n%s", name, err, out)
		}
	}
}
