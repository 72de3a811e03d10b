package systemtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// disks names the folder of the disks that `make test-system` makes.
const disks = "MAAS_TEST_DISKS"

// system is the disk that a test starts from. It is never written to.
func system(t *testing.T, name string) string {
	t.Helper()
	folder := os.Getenv(disks)
	if folder == "" {
		t.Skip("takes minutes: run by make test-system")
	}
	fstest.RequireTool(t, "qemu-img", "debugfs", "xorriso", "ssh-keygen")
	path, err := filepath.Abs(filepath.Join(folder, name+".qcow2"))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// files are those of a disk's root file system, read by debugfs, with nothing of
// the plugin.
type files struct {
	t      *testing.T
	volume string
}

// rootOffset is where scripts/debian-disk.sh puts the root file system.
const rootOffset = "?offset=69206016"

func open(t *testing.T, disk string) files {
	t.Helper()
	raw := filepath.Join(t.TempDir(), "disk.raw")
	fstest.Run(t, "qemu-img", "convert", "-O", "raw", disk, raw)
	return files{t, raw + rootOffset}
}

// command has debugfs do something; what does not exist is in what it says.
func (f files) command(command string) string {
	f.t.Helper()
	return fstest.Run(f.t, "debugfs", "-R", command, f.volume)
}

func (f files) exists(path string) bool {
	f.t.Helper()
	return !strings.Contains(f.command("stat "+path), "File not found")
}

// copy copies the one file of a folder whose name begins with prefix.
func (f files) copy(folder, prefix, target string) {
	f.t.Helper()
	var found []string
	for line := range strings.Lines(f.command("ls -p " + folder)) {
		if fields := strings.Split(line, "/"); len(fields) > 5 && strings.HasPrefix(fields[5], prefix) {
			found = append(found, fields[5])
		}
	}
	if len(found) != 1 {
		f.t.Fatalf("%s/%s*: %q", folder, prefix, found)
	}
	f.command("dump " + folder + "/" + found[0] + " " + target)
}

// iso makes an ISO with the kernel of a system and its initial RAM disk, where
// the installers of Enterprise Linux have theirs.
func (f files) iso() string {
	f.t.Helper()
	tree := f.t.TempDir()
	f.boot(filepath.Join(tree, "images", "pxeboot"))
	return makeISO(f.t, tree, "Installer 1")
}

// boot copies the kernel of a system and its initial RAM disk to a new folder.
func (f files) boot(folder string) {
	f.t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		f.t.Fatal(err)
	}
	f.copy("/boot", "vmlinuz-", filepath.Join(folder, "vmlinuz"))
	f.copy("/boot", "initrd.img-", filepath.Join(folder, "initrd.img"))
}

// drivers copies drivers of the system's kernel, and says where they are.
func (f files) drivers(names ...string) []string {
	f.t.Helper()
	var version string
	for line := range strings.Lines(f.command("ls -p /usr/lib/modules")) {
		if fields := strings.Split(line, "/"); len(fields) > 5 && !strings.HasPrefix(fields[5], ".") {
			version = fields[5]
		}
	}
	dir := f.t.TempDir()
	var paths []string
	for _, name := range names {
		path := filepath.Join(dir, filepath.Base(name)+".ko")
		f.command("dump /usr/lib/modules/" + version + "/kernel/" + name + ".ko " + path)
		paths = append(paths, path)
	}
	return paths
}

// makeISO makes an ISO of a folder; options are mkisofs's.
func makeISO(t *testing.T, tree, label string, options ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "installer.iso")
	fstest.Run(t, "xorriso", append(append([]string{"-as", "mkisofs", "-quiet", "-R", "-J", "-V", label, "-o", path}, options...), tree)...)
	return path
}

// key makes an ssh key, and says where its private half is.
func key(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	fstest.Run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "of the build", "-f", path)
	return path
}
