package systemtest

import (
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/packertest"
)

// What a real system says when it fails is understood.
func TestFailures(t *testing.T) {
	debian := system(t, "debian12")
	packer, iso := packertest.New(t), open(t, debian).iso()
	for name, test := range map[string]struct{ arguments, want string }{
		"panic":        {"root=LABEL=root ro init=/bin/false", "the kernel panicked: "},
		"no root":      {"root=LABEL=nothing ro rootdelay=3", "the initial RAM disk gave up, and is in a shell: "},
		"no ramdisk":   {"root=/dev/nothing ro noinitrd rdinit=/nothing", "the kernel found no root file system: "},
		"emergency":    {"root=LABEL=root ro systemd.unit=emergency.target", "the system is in an emergency shell: "},
		"cloud-config": {"root=LABEL=root ro", "cloud-init did not understand its user data: "},
	} {
		t.Run(name, func(t *testing.T) {
			said, err := packer.Run("build", "-var", "disk="+debian, "-var", "iso="+iso, "-var", "folder="+t.TempDir(),
				"-var", "arguments="+test.arguments, "testdata/failure.pkr.hcl")
			if err == nil || !strings.Contains(said, ": "+test.want) {
				t.Errorf("it did not say %q:\n%s", test.want, said)
			}
		})
	}
}
