// Package exampletest tests what example/ ships: templates, variable files,
// installers' answers, and the scripts that go into images. It holds no code of
// the plugin.
package exampletest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// Root is the project's folder as seen from this package's.
const Root = "../.."

// PythonTool is a program of tools/python/requirements.txt, or python3 itself;
// without it the test is skipped. `make tools` installs them.
func PythonTool(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(Root, ".cache", "python", "bin", name))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		fstest.Missing(t, "needs %s, which `make tools` installs: %v", name, err)
	}
	return path
}
