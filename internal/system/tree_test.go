package system_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/system"
	"github.com/packer-maas/packer-plugin-maas/internal/tree"
)

// swapSpace makes a swap space.
func swapSpace(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "swap")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "mkswap", "-q", path)
	return path
}

// openTree opens the system on a disk and its tree.
func openTree(t *testing.T, path string, o system.TreeOptions) (tree.Entries, error) {
	t.Helper()
	s, err := system.Open(openDisk(t, path), system.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s.Tree(context.Background(), o)
}

// collect reads a whole tree.
func collect(t *testing.T, path string, o system.TreeOptions) map[string]*tree.Entry {
	t.Helper()
	entries, err := openTree(t, path, o)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*tree.Entry{}
	for e, err := range entries {
		if err != nil {
			t.Fatal(err)
		}
		if all[e.Path] != nil {
			t.Errorf("%s comes twice", e.Path)
		}
		if parent := all[filepath.Dir(e.Path)]; e.Path != "." && (parent == nil || !parent.Mode.IsDir()) {
			t.Errorf("%s comes before its folder", e.Path)
		}
		all[e.Path] = e
	}
	return all
}

func text(t *testing.T, e *tree.Entry) string {
	t.Helper()
	if e == nil || e.Data == nil {
		return "no file"
	}
	data := make([]byte, e.Size)
	if _, err := e.Data.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return string(data)
}

func TestTreeJoinsVolumes(t *testing.T) {
	disk := threeParts(t, "UUID="+bootUUID+" /boot ext4\nUUID="+espUUID+" /boot/efi vfat\n")
	all := collect(t, disk, system.TreeOptions{})
	for path, want := range map[string]string{
		"boot/vmlinuz": "kernel", "boot/efi/EFI/BOOT/BOOTX64.EFI": "efi", "usr/bin/true": "x", "boot/hidden": "no file",
	} {
		if got := text(t, all[path]); got != want {
			t.Errorf("%s holds %q, want %q", path, got, want)
		}
	}
}

// machine is all that belongs to one machine, and names like it that do not.
var machine = map[string]map[string]string{
	"machine-id": {"etc/machine-id": "0123", "var/lib/dbus/machine-id": "0123", "var/lib/systemd/credential.secret": "x"},
	"cloud-init": {
		"var/lib/cloud/instance": "-> /var/lib/cloud/instances/iid-1", "var/lib/cloud/instances/iid-1/user-data.txt": "x",
		"var/lib/cloud/data/result.json": "x", "var/lib/cloud/sem/config_scripts_per_once.once": "x",
		"var/log/cloud-init.log": "x", "var/log/cloud-init-output.log": "x", "var/log/cloud-init.log.1.gz": "x",
		"etc/netplan/50-cloud-init.yaml": "x", "etc/network/interfaces.d/50-cloud-init": "x",
	},
	"ssh-host-keys": {
		"etc/ssh/ssh_host_rsa_key": "x", "etc/ssh/ssh_host_rsa_key.pub": "x", "etc/ssh/ssh_host_ed25519_key-cert.pub": "x",
	},
	"random-seed": {"var/lib/systemd/random-seed": "x"},
	"dhcp-leases": {
		"var/lib/dhcp/dhclient.leases": "x", "var/lib/dhcp/dhclient.ens3.leases": "x",
		"var/lib/NetworkManager/internal-1-eth0.lease": "x",
	},
	"udev-net-rules": {"etc/udev/rules.d/70-persistent-net.rules": "x"},
}

var notMachine = map[string]string{
	"etc/ssh/sshd_config": "x", "var/lib/cloud/seed/nocloud/meta-data": "x", "var/lib/cloud/scripts/per-boot/a": "x",
	"etc/udev/rules.d/60-other.rules": "x", "var/log/syslog": "x", "etc/netplan/01-own.yaml": "x", "home/u/machine-id": "x",
	"usr/share/template.conf~": "x", "usr/share/#auto#": "x", "usr/share/.#lock": "x",
}

func TestIdentityReset(t *testing.T) {
	content := root("")
	for _, group := range machine {
		maps.Copy(content, group)
	}
	maps.Copy(content, notMachine)
	disk := ext4(t, content)
	if diff := cmp.Diff(slices.Sorted(keys(machine)), slices.Sorted(slices.Values(system.Identities()))); diff != "" {
		t.Errorf("identities that this test does not know (-test +code):\n%s", diff)
	}
	for _, keep := range append([]string{""}, system.Identities()...) {
		t.Run("keep "+keep, func(t *testing.T) {
			var o system.TreeOptions
			if keep != "" {
				o.KeepIdentity = []string{keep}
			}
			all := collect(t, disk, o)
			for name := range notMachine {
				if all[name] == nil {
					t.Errorf("%s is gone", name)
				}
			}
			for group, names := range machine {
				for name := range names {
					e := all[name]
					if gone := e == nil || name == "etc/machine-id" && e.Size == 0; gone == (group == keep) {
						t.Errorf("%s (%s): gone is %v", name, group, gone)
					}
				}
			}
			if e := all["etc/machine-id"]; e == nil {
				t.Error("etc/machine-id must stay, empty: systemd cannot make it where /etc is read only")
			} else if keep != "machine-id" && text(t, e) != "" {
				t.Error("etc/machine-id still has content")
			}
		})
	}
}

func keys(m map[string]map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func TestIdentityResetKeepsLinkToMachineID(t *testing.T) {
	content := root("")
	content["etc/machine-id"] = "0123"
	content["var/lib/dbus/machine-id"] = "-> /etc/machine-id"
	if all := collect(t, ext4(t, content), system.TreeOptions{}); all["var/lib/dbus/machine-id"] == nil {
		t.Error("the link is gone")
	}
}

func TestLayers(t *testing.T) {
	content := root("")
	content["lib"] = "-> usr/lib"
	content["usr/lib/old"] = "old"
	content["etc/motd"] = "old"
	content["etc/link"] = "-> nowhere"
	disk := ext4(t, content)
	run(t, "debugfs", "-w", "-R", "ea_set /etc security.selinux etc_t", disk)
	run(t, "debugfs", "-w", "-R", "ea_set /etc/motd security.selinux motd_t", disk)
	run(t, "debugfs", "-w", "-R", "set_inode_field /etc uid 7", disk)

	hooks := files(t, map[string]string{"curtin-hooks": "#!/bin/sh\n", "finalize": "#!/bin/sh\n", "lib/data.txt": "x"})
	overlay := files(t, map[string]string{
		"etc/motd": "new", "etc/link": "a file", "etc/new.d/a": "1", "lib/added": "2", "opt": "-> /srv", "usr/script": "#!/bin/sh\n",
	})
	for name, mode := range map[string]os.FileMode{"etc": 0o777, "usr/script": 0o4750, "etc/new.d": 0o711} {
		if err := os.Chmod(filepath.Join(overlay, name), mode&0o777|os.ModeSetuid*(mode>>11&1)); err != nil {
			t.Fatal(err)
		}
	}
	all := collect(t, disk, system.TreeOptions{
		Layers: []system.Layer{{Source: hooks, Target: "curtin", Hooks: true}, {Source: overlay, Target: "/"}},
		Epoch:  time.Unix(1e9, 0),
	})
	for path, want := range map[string]string{
		"etc/motd": "new", "etc/link": "a file", "etc/new.d/a": "1", "usr/lib/added": "2", "usr/lib/old": "old",
		"curtin/curtin-hooks": "#!/bin/sh\n", "curtin/lib/data.txt": "x", "usr/script": "#!/bin/sh\n",
	} {
		if got := text(t, all[path]); got != want {
			t.Errorf("%s holds %q, want %q", path, got, want)
		}
	}
	for path, want := range map[string]filesystem.Mode{
		"etc": 0o040755, "etc/new.d": 0o040711, "lib": 0o120777, "curtin/curtin-hooks": 0o100755,
		"curtin/finalize": 0o100755, "curtin/lib/data.txt": 0o100644, "usr/script": 0o104750,
	} {
		if got := all[path].Mode; got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
	for path, want := range map[string]string{"etc/motd": "motd_t", "etc/new.d/a": "etc_t", "etc/new.d": "etc_t", "curtin": ""} {
		got := ""
		for _, x := range all[path].Xattrs {
			got = strings.TrimRight(string(x.Value), "\x00")
		}
		if got != want {
			t.Errorf("%s is labelled %q, want %q", path, got, want)
		}
	}
	if e := all["etc"]; e.UID != 7 {
		t.Errorf("/etc belongs to %d: the layer must not change the image's folders", e.UID)
	}
	if e := all["etc/new.d/a"]; e.UID != 0 || e.GID != 0 || !e.Modified.Equal(time.Unix(1e9, 0)) {
		t.Errorf("/etc/new.d/a belongs to %d:%d and is of %s", e.UID, e.GID, e.Modified)
	}
	if all["opt"].Target != "/srv" {
		t.Errorf("/opt leads to %q", all["opt"].Target)
	}
}

// Symbolic links hide nothing from the reset.
func TestIdentityResetFollowsLinks(t *testing.T) {
	content := root("")
	content["var"] = "-> data/var"
	content["data/var/lib/cloud/instances/iid-1/user-data.txt"] = "x"
	content["data/var/lib/kept"] = "x"
	content["etc/ssh"] = "-> ../data/ssh"
	content["data/ssh/ssh_host_rsa_key"] = "x"
	content["data/ssh/sshd_config"] = "x"
	content["etc/machine-id"] = "-> /data/[id]"
	content["data/[id]"] = "0123"
	all := collect(t, ext4(t, content), system.TreeOptions{})
	for _, name := range []string{"data/var/lib/cloud/instances/iid-1", "data/ssh/ssh_host_rsa_key"} {
		if all[name] != nil {
			t.Errorf("%s is still there", name)
		}
	}
	for name, want := range map[string]string{"data/var/lib/kept": "x", "data/ssh/sshd_config": "x", "data/[id]": ""} {
		if got := text(t, all[name]); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
}

// A layer's folder can be a symbolic link, and so can a hook in it: the image
// must hold what they lead to.
func TestLayersThroughLinks(t *testing.T) {
	elsewhere := files(t, map[string]string{"program": "#!/bin/sh\n"})
	hooks := files(t, map[string]string{"lib": "-> /srv"})
	if err := os.Symlink(filepath.Join(elsewhere, "program"), filepath.Join(hooks, "curtin-hooks")); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(hooks, link); err != nil {
		t.Fatal(err)
	}
	all := collect(t, ext4(t, root("")), system.TreeOptions{Layers: []system.Layer{{Source: link, Target: "curtin", Hooks: true}}})
	if e := all["curtin/curtin-hooks"]; text(t, e) != "#!/bin/sh\n" || e.Mode != 0o100755 {
		t.Errorf("the hook is %+v", e)
	}
	if e := all["curtin/lib"]; e == nil || e.Target != "/srv" {
		t.Errorf("the link beside it is %+v", e)
	}
}

// What is read must be what was seen at first, or the image holds a mixture.
func TestLayersChangeWhilePacked(t *testing.T) {
	disk := ext4(t, root(""))
	for name, change := range map[string]func(path string) error{
		"shorter": func(path string) error { return os.Truncate(path, 3) },
		"longer":  func(path string) error { return os.WriteFile(path, []byte("longer than before"), 0o600) },
		"touched": func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(5, 0)) },
		"gone":    os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			overlay := files(t, map[string]string{"etc/added": "content"})
			all := collect(t, disk, system.TreeOptions{
				Layers: []system.Layer{{Source: overlay, Target: "/"}}, Epoch: time.Unix(1e9, 0),
			})
			path := filepath.Join(overlay, "etc/added")
			if got := text(t, all["etc/added"]); got != "content" {
				t.Fatalf("it holds %q", got)
			}
			if err := change(path); err != nil {
				t.Fatal(err)
			}
			if _, err := all["etc/added"].Data.ReadAt(make([]byte, 7), 0); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestLayersRefuse(t *testing.T) {
	content := root("")
	content["etc/broken"] = "-> nowhere"
	disk := ext4(t, content)
	fifo := files(t, nil)
	run(t, "mkfifo", filepath.Join(fifo, "pipe"))
	tests := map[string]struct {
		source string
		want   string
	}{
		"file over folder":      {files(t, map[string]string{"etc": "x"}), "the image has a folder at /etc"},
		"folder over file":      {files(t, map[string]string{"etc/fstab/x": "x"}), "something else than a folder at /etc/fstab"},
		"folder over dead link": {files(t, map[string]string{"etc/broken/x": "x"}), "a symbolic link at /etc/broken that leads nowhere"},
		"pipe":                  {fifo, "neither a file, a folder nor a symbolic link"},
		"nothing":               {filepath.Join(fifo, "none"), "no such file"},
		"no folder":             {disk, "not a folder"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := openTree(t, disk, system.TreeOptions{Layers: []system.Layer{{Source: tt.source, Target: "/"}}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one that says %q", err, tt.want)
			}
		})
	}
}

func TestTreeHardLinks(t *testing.T) {
	disk := ext4(t, root(""))
	for _, name := range []string{"/a", "/usr/b", "/usr/c"} {
		run(t, "debugfs", "-w", "-R", "ln /usr/bin/true "+name, disk)
	}
	run(t, "debugfs", "-w", "-R", "set_inode_field /a links_count 4", disk)
	all := collect(t, disk, system.TreeOptions{
		Layers: []system.Layer{{Source: files(t, map[string]string{"a": "replaced"}), Target: "/"}},
	})
	got := map[string]string{}
	for _, name := range []string{"a", "usr/b", "usr/bin/true", "usr/c"} {
		got[name] = all[name].HardLink
	}
	want := map[string]string{"a": "", "usr/b": "", "usr/bin/true": "", "usr/c": ""}
	want["usr/bin/true"], want["usr/c"], want["usr/b"] = "usr/b", "usr/b", ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hard links (-want +got):\n%s", diff)
	}
}

// Two volumes have inodes of the same numbers: their names are no links of each
// other.
func TestTreeHardLinksOfVolumes(t *testing.T) {
	linked := func(content map[string]string, name, link string) string {
		dir := files(t, content)
		if err := os.Link(filepath.Join(dir, name), filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
		image := filepath.Join(t.TempDir(), "fs")
		run(t, "mke2fs", "-q", "-t", "ext4", "-d", dir, "-U", "00000000-0000-4000-8000-00000000000"+name[:1], image, "16M")
		return image
	}
	top := root("UUID=00000000-0000-4000-8000-000000000001 /boot ext4 defaults 0 2\n")
	top["2"] = "in the root"
	path := gpt(t, part{image: linked(top, "2", "z")}, part{image: linked(map[string]string{"1": "in boot"}, "1", "1.link")})
	numbers := map[string]uint64{}
	for name, e := range collect(t, path, system.TreeOptions{}) {
		numbers[name] = e.Number
		switch {
		case name == "z" && e.HardLink != "2", name == "boot/1.link" && e.HardLink != "boot/1", name == "boot/1" && e.HardLink != "":
			t.Errorf("%s is a link to %q", name, e.HardLink)
		}
	}
	if numbers["2"] == 0 || numbers["2"] != numbers["boot/1"] {
		t.Errorf("the inodes are %d and %d, not of one number", numbers["2"], numbers["boot/1"])
	}
}

func TestTreeRefusesLoops(t *testing.T) {
	disk := ext4(t, root(""))
	run(t, "debugfs", "-w", "-R", "ln /etc /usr/bin/loop", disk)
	run(t, "debugfs", "-w", "-R", "ln /usr /etc/loop", disk)
	entries, err := openTree(t, disk, system.TreeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, next := range entries {
		err = next
	}
	if err == nil || !strings.Contains(err.Error(), "stands in the tree twice") {
		t.Errorf("error is %v", err)
	}
}

func TestTreeEndsWithItsContext(t *testing.T) {
	s, err := system.Open(openDisk(t, ext4(t, root(""))), system.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	entries, err := s.Tree(ctx, system.TreeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err = range entries {
		cancel()
		n++
	}
	if !errors.Is(err, context.Canceled) || n > 3 {
		t.Errorf("%d entries, then %v", n, err)
	}
}

// A path that tar cannot extract is an error here, not in a deployment.
func TestTreeRefusesLongPaths(t *testing.T) {
	for length, want := range map[int]string{4093: "", 4094: "longer than the 4093 bytes"} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			disk := ext4(t, root(""))
			name := strings.Repeat("d", 255)
			deep := "usr" + strings.Repeat("/"+name, 15)
			last := strings.Repeat("f", length-len(deep)-1)
			script := "cd usr\n" + strings.Repeat("mkdir "+name+"\ncd "+name+"\n", 15) + "mkdir " + last + "\n"
			path := filepath.Join(t.TempDir(), "script")
			if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, "debugfs", "-w", "-f", path, disk)
			entries, err := openTree(t, disk, system.TreeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			found := ""
			for e, err := range entries {
				if err != nil {
					found = err.Error()
					break
				}
				if e.Path == deep+"/"+last && want != "" {
					t.Error("the path is in the tree")
				}
			}
			if want == "" && found != "" || !strings.Contains(found, want) || len(found) > 500 {
				t.Errorf("error is %q, want one that says %q", found, want)
			}
		})
	}
}

// What an image says about itself must not reach a terminal as it is.
func TestMessagesArePrintable(t *testing.T) {
	for fstab, wrong := range map[string]bool{`LABEL=\033[2J /a\012b ext4 nofail`: false, `LABEL=\033[2J /a\012b ext4`: true} {
		content := root(fstab + "\n")
		content["etc/os-release"] = "PRETTY_NAME=\"\x1b[31m" + strings.Repeat("x", 1000) + "\"\n"
		s, err := system.Open(openDisk(t, ext4(t, content, "-L", "\x1b[2K")), system.Options{})
		if (err != nil) != wrong {
			t.Fatalf("%q: error %v", fstab, err)
		}
		said := fmt.Sprint(err)
		if s != nil {
			said = fmt.Sprint(s.Name, s.Notes, s.Mounts)
		}
		if strings.Contains(said, "\x1b") || strings.Contains(said, "a\nb") || len(said) > 1000 {
			t.Errorf("it says %q", said)
		}
	}
}
