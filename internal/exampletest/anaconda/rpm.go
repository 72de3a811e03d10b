package anaconda

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// form is how rpm keeps its database.
type form string

const (
	berkeley form = "Packages"
	sqlite   form = "rpmdb.sqlite"
)

// rpm is a package: name, version and release.
type rpm struct{ name, version, release string }

// core are packages that the installer brings with @core and what that needs.
var core = []string{
	"bash", "dracut", "filesystem", "NetworkManager", "openssh-server", "release", "rpm", "selinux-policy-targeted",
	"shadow-utils", "sudo", "systemd", "yum",
}

// lacking are packages of the family that openEuler does not have.
var lacking = []string{"shim-x64", "shim-aa64", "device-mapper-multipath", "cloud-utils-growpart", "iscsi-initiator-utils"}

// chosen are the names of the packages that a kickstart installs.
func (i *Install) chosen() []string {
	_, section, _ := strings.Cut(i.Kickstart, "\n%packages")
	_, section, _ = strings.Cut(section, "\n")
	section, _, _ = strings.Cut(section, "\n%end")
	names := slices.Clone(core)
	for line := range strings.Lines(section) {
		name := strings.TrimSpace(line)
		if name != "" && name[0] != '-' && name[0] != '@' && (i.Name != "openeuler" || !slices.Contains(lacking, name)) {
			names = append(names, name)
		}
	}
	if i.UEK != "" {
		names = append(names, "kernel-uek")
	}
	return names
}

// rpms are the packages as rpm has them.
func (i *Install) rpms() []rpm {
	var list []rpm
	for _, name := range i.recorded {
		p := rpm{name, "1.2", "3." + i.Dist}
		switch name {
		case "kernel":
			p.version, p.release, _ = strings.Cut(i.Kernel, "-")
		case "kernel-uek":
			p.version, p.release, _ = strings.Cut(i.UEK, "-")
		}
		if slices.Contains(list, p) { // installed again, in a later version
			p.release = "1" + p.release
		}
		list = append(list, p)
	}
	return list
}

// Packages are what `rpm -qa` prints of them.
func (i *Install) Packages() []string {
	var names []string
	for _, p := range i.rpms() {
		names = append(names, fmt.Sprintf("%s-%s-%s.%s", p.name, p.version, p.release, i.machine()))
	}
	slices.Sort(names)
	return names
}

// databases are those that were made, by their form and packages.
var databases = struct {
	sync.Mutex
	made map[string][]byte
}{made: map[string][]byte{}}

// database is the database of the packages, by rpm itself, in the system's form.
func (i *Install) database(t testing.TB) []byte {
	t.Helper()
	key := string(i.rpm) + strings.Join(i.Packages(), " ")
	databases.Lock()
	defer databases.Unlock()
	if databases.made[key] == nil {
		databases.made[key] = makeDatabase(t, i.rpm, i.machine(), i.rpms())
	}
	return databases.made[key]
}

func makeDatabase(t testing.TB, form form, machine string, list []rpm) []byte {
	t.Helper()
	fstest.RequireTool(t, "rpm", "rpmbuild", "sqlite3", "db_load")
	dir := t.TempDir()
	for n := 0; len(list) > 0; n++ {
		list = build(t, filepath.Join(dir, fmt.Sprint(n)), machine, list)
	}
	fstest.Run(t, "sh", "-c", `exec rpm --root "$0/root" --dbpath /db --define "_db_backend sqlite" --install --justdb --nodeps --ignorearch --ignoreos "$0"/*/RPMS/*/*.rpm`, dir)
	file := filepath.Join(dir, string(form))
	if form == berkeley {
		dump := fstest.Run(t, "sqlite3", dir+"/root/db/rpmdb.sqlite", "SELECT hex(blob) FROM Packages")
		load(t, file, strings.Fields(strings.ToLower(dump)))
	} else {
		fstest.Run(t, "sqlite3", dir+"/root/db/rpmdb.sqlite", "VACUUM INTO '"+file+"'")
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// build builds packages, and returns those with names that it has built already.
func build(t testing.TB, dir, machine string, list []rpm) (rest []rpm) {
	t.Helper()
	var spec strings.Builder
	spec.WriteString("Name: all\nVersion: 1\nRelease: 1\nSummary: A system\nLicense: MPL-2.0\n%description\nx\n")
	built := map[string]bool{}
	for _, p := range list {
		if built[p.name] {
			rest = append(rest, p)
			continue
		}
		built[p.name] = true
		fmt.Fprintf(&spec, "%%package -n %[1]s\nVersion: %[2]s\nRelease: %[3]s\nSummary: The package %[1]s\n%%description -n %[1]s\nx\n%%files -n %[1]s\n", p.name, p.version, p.release)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "all.spec")
	if err := os.WriteFile(file, []byte(spec.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	fstest.Run(t, "rpmbuild", "--quiet", "-bb", "--target", machine+"-linux", "--define", "_topdir "+dir, "--define", "_binary_payload w0.gzdio",
		"--define", "debug_package %{nil}", "--define", "_build_id_links none", file)
	return rest
}

// load has Berkeley DB's own tool write headers as rpm 4.11 to 4.14 keep them.
func load(t testing.TB, file string, headers []string) {
	t.Helper()
	var dump strings.Builder
	dump.WriteString("VERSION=3\nformat=bytevalue\ntype=hash\nh_nelem=50\ndb_pagesize=4096\nHEADER=END\n 00000000\n " + hex.EncodeToString([]byte{byte(len(headers)), 0, 0, 0}) + "\n")
	for n, header := range headers {
		dump.WriteString(" " + hex.EncodeToString([]byte{byte(n + 1), 0, 0, 0}) + "\n " + header + "\n")
	}
	dump.WriteString("DATA=END\n")
	cmd := exec.Command("db_load", file)
	cmd.Stdin = strings.NewReader(dump.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("db_load: %v\n%s", err, out)
	}
}
