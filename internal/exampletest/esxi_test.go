package exampletest

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestESXiPython holds the scripts to the Python that runs them: 3.5 is ESXi
// 6.7's, 3.8 the one of the oldest Ubuntu that deploys.
func TestESXiPython(t *testing.T) {
	vermin := PythonTool(t, "vermin")
	curtin := filepath.Join(Root, "example", "esxi", "curtin")
	for _, tt := range []struct{ oldest, path string }{
		{"3.5", filepath.Join(curtin, "maas")},
		{"3.8", filepath.Join(curtin, "curtin-hooks")},
	} {
		out, err := exec.Command(vermin, "--no-tips", "--violations", "--eval-annotations", "-t="+tt.oldest+"-", tt.path).CombinedOutput()
		if err != nil {
			t.Errorf("%s: needs more than Python %s: %v\n%s", tt.path, tt.oldest, err, out)
		}
	}
}
