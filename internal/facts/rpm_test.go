package facts_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/facts"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// rpmSpec are packages called like those of Enterprise Linux, which are on no
// registry.
const rpmSpec = `Name: kernel
Version: 5.14.0
Release: 570.el9_6
Summary: The Linux kernel
License: GPL-2.0
%description
x
%files
%package -n shim-x64
Epoch: 4
Summary: Loader
%description -n shim-x64
x
%files -n shim-x64
`

// The packages of an image are those that rpm lists, wherever its database is:
// in /var/lib/rpm up to Enterprise Linux 9 and, by a link from there, in
// /usr/lib/sysimage/rpm later.
func TestReadImageOfRPMs(t *testing.T) {
	fstest.RequireTool(t, "rpm", "rpmbuild")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.spec"), []byte(rpmSpec), 0o600); err != nil {
		t.Fatal(err)
	}
	fstest.Run(t, "rpmbuild", "--quiet", "-bb", "--define", "_topdir "+dir, filepath.Join(dir, "x.spec"))
	for _, place := range []string{"var/lib/rpm", "usr/lib/sysimage/rpm"} {
		root := filepath.Join(t.TempDir(), "root")
		if err := os.MkdirAll(filepath.Join(root, "var/lib"), 0o755); err != nil {
			t.Fatal(err)
		}
		if place != "var/lib/rpm" {
			if err := os.Symlink("../../"+place, filepath.Join(root, "var/lib/rpm")); err != nil {
				t.Fatal(err)
			}
		}
		rpm := []string{"rpm", "--root", root, "--dbpath", "/" + place, "--define", "_db_backend sqlite"}
		fstest.Run(t, "sh", "-c", `dir=$1; shift; "$@" --install --justdb --nodeps "$dir"/RPMS/*/*.rpm`, "x", dir, rpm[0], rpm[1], rpm[2], rpm[3], rpm[4], rpm[5], rpm[6])
		want := strings.Fields(fstest.Run(t, rpm[0], append(slices.Clone(rpm[1:]), "-qa")...))
		image := filepath.Join(dir, "image.tar.gz")
		fstest.Run(t, "tar", "-C", root, "-czf", image, ".")
		f, err := facts.ReadImage(t.Context(), image, "tgz")
		if err != nil || f.Damage != "" {
			t.Fatalf("%+v, error %v", f, err)
		}
		slices.Sort(want)
		if got := f.Tree.Packages.Lines(); !slices.Equal(got, want) || len(got) != 2 || f.Tree.Packages.Format != "rpm" {
			t.Errorf("%s: packages are %q, rpm says %q; notes %q", place, got, want, f.Tree.Notes)
		}
		if got := f.Tree.Packages.Versions("shim-x64"); !slices.Equal(got, []string{"4:5.14.0-570.el9_6"}) {
			t.Errorf("versions are %q", got)
		}
	}
}
