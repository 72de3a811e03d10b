package anaconda

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// Install is an installation of a system.
type Install struct {
	System

	ARM64     bool   // by UEFI, as the template does; amd64 by BIOS
	Kickstart string // that it follows, packages and %post
	// Choose and Change make it another, for better or worse: which packages rpm
	// knows of, and what is in the root folder in the end.
	Choose func(packages []string) []string
	Change func(root string) error

	packages []string          // that the kickstart has
	recorded []string          // that rpm knows of
	ramdisks map[string]string // by what they are for
}

// fill makes the system in a folder, where its volumes are mounted.
func (i *Install) fill(t testing.TB, root string) {
	t.Helper()
	i.packages = i.chosen()
	if i.recorded = slices.Clone(i.packages); i.Choose != nil {
		i.recorded = i.Choose(i.recorded)
	}
	i.makeRamdisks(t)
	write(t, root, i.files())
	write(t, root, i.installer())
	write(t, root, tree{filepath.Join(i.rpmDir, string(i.rpm)): string(i.database(t))})
	if i.rpmDir != varRPM {
		write(t, root, tree{varRPM: "-> ../../" + i.rpmDir})
	}
	fstest.Run(t, "setcap", "cap_setuid=ep", filepath.Join(root, "usr/bin/newuidmap"))
	label(t, root)
	i.post(t, root)
	if i.Change != nil {
		if err := i.Change(root); err != nil {
			t.Fatal(err)
		}
	}
}

// label gives all below a folder a label of SELinux, where the volume has room
// for it.
func label(t testing.TB, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			err = unix.Lsetxattr(path, "security.selinux", []byte("system_u:object_r:etc_t:s0\x00"), 0)
		}
		if errors.Is(err, unix.ENOTSUP) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// applets are the programs of the system that %post needs, by busybox.
var applets = []string{"sh", "rm", "sed", "cat", "chmod", "wc", "echo", "cp", "mkdir", "ln", "true"}

// stubs are those that busybox does not have. They fail where the real ones do.
var stubs = tree{
	"rpm":        "[ \"$1 $2 $4\" = '-q --queryformat kernel' ] && cat /stubs/kernel\n",
	"yum":        "[ \"$*\" = 'clean all' ]\n",
	"dracut":     "[ \"$1 $2\" = '--force --no-hostonly' ] && [ -d \"/usr/lib/modules/$4\" ] && cp /stubs/generic \"$3\"\n",
	"passwd":     "case \"$1\" in --delete) new=;; --lock) new='!!';; *) exit 2;; esac\nsed -i \"s|^$2:[^:]*:|$2:$new:|\" /etc/shadow\n",
	"restorecon": "shift\necho \"$@\" >/stubs/restored\n",
	"systemctl": `[ "$1" = enable ] || exit 1
shift
for unit; do
  [ -e "/usr/lib/systemd/system/$unit" ] || { echo "Failed to enable unit: Unit file $unit does not exist." >&2; exit 1; }
  mkdir -p /etc/systemd/system/cloud-init.target.wants
  ln -s "/usr/lib/systemd/system/$unit" "/etc/systemd/system/cloud-init.target.wants/$unit"
done
`,
}

// post runs the kickstart's %post in the system.
func (i *Install) post(t testing.TB, root string) {
	t.Helper()
	fstest.RequireTool(t, "busybox", "chroot")
	_, script, _ := strings.Cut(i.Kickstart, "\n%post --erroronfail\n")
	script, _, found := strings.Cut(script, "\n%end")
	if !found {
		t.Fatalf("no %%post:\n%s", i.Kickstart)
	}
	files := tree{"stubs/post": script, "stubs/generic": i.ramdisks[generic], "stubs/kernel": i.Kernel + "." + i.machine() + "\n"}
	for _, name := range applets {
		files["stubs/"+name] = "-> busybox"
	}
	for name, text := range stubs {
		files["stubs/"+name] = "#!/stubs/sh\n" + text
	}
	write(t, root, files)
	where, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	fstest.Run(t, "cp", "-L", where, root+"/stubs/busybox")
	fstest.Run(t, "cp", "-a", "/dev/null", root+"/dev/null")
	cmd := exec.Command("chroot", root, "/stubs/sh", "/stubs/post")
	cmd.Env = []string{"PATH=/stubs"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%%post of %s: %v\n%s", i.Name, err, out)
	}
	restored, err := os.ReadFile(root + "/stubs/restored")
	if err != nil {
		t.Fatal(err)
	}
	for dir := range strings.FieldsSeq(string(restored)) {
		label(t, filepath.Join(root, dir))
	}
	fstest.Run(t, "rm", "-r", root+"/stubs", root+"/dev/null")
}
