package system

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
)

// maxConfig is the most that is read of a configuration file, in bytes.
const maxConfig = 1 << 20

// Options say which volumes make up the system; all are optional.
type Options struct {
	// Root names the volume that holds it, where the disk's content does not
	// tell: a partition's number, UUID=, LABEL=, PARTUUID=, PARTLABEL=, a logical
	// volume's name such as vg/root, or a path in /dev.
	Root string
	// MoreDisks are the system's disks beside the first.
	MoreDisks []disk.Volume
	// SkipMounts are mount points of its fstab whose volumes stay out.
	SkipMounts []string
}

// System is an operating system on a disk.
type System struct {
	// Name is what the system calls itself, such as "Debian GNU/Linux 12
	// (bookworm)".
	Name string
	// Release is the system's os-release(5); empty if it has none.
	Release map[string]string
	// Mounts are the volumes it consists of, the root first.
	Mounts []Mount
	// Notes are things a person should know that do not hinder the work.
	Notes []string

	names namespace
}

// Mount is a volume at its place in the tree.
type Mount struct {
	Path   string // "/", "/boot/efi"
	Volume *Volume
}

// String is the mount's line in a list of what was found.
func (m Mount) String() string { return fmt.Sprintf("%s from %s", short(printable(m.Path)), m.Volume) }

// sharesVolume says whether one of the others is of the same file system.
func sharesVolume(m Mount, others []Mount) bool {
	return slices.ContainsFunc(others, func(o Mount) bool { return o.Volume.all() == m.Volume.all() })
}

// Used is how much the system's volumes hold, in bytes: an estimate, for
// showing progress.
func (s *System) Used() int64 {
	var used int64
	for i, m := range s.Mounts {
		if !sharesVolume(m, s.Mounts[:i]) {
			used += m.Volume.FS.Info().Used
		}
	}
	return used
}

// Open finds the one system on its disks, of which d is the first, and joins
// its volumes.
func Open(d disk.Volume, o Options) (*System, error) {
	volumes, warnings, err := scan(append([]disk.Volume{d}, o.MoreDisks...))
	if err != nil {
		return nil, err
	}
	return assemble(volumes, warnings, o)
}

// assemble makes a system of what a scan found.
func assemble(volumes []*Volume, warnings []string, o Options) (*System, error) {
	root, err := findRoot(volumes, o.Root)
	if err != nil {
		return nil, withWarnings(err, warnings)
	}
	s := &System{Notes: warnings, names: namespace{".": root}, Mounts: []Mount{{"/", root}}}
	if err := s.join(volumes, o.SkipMounts); err != nil {
		return nil, withWarnings(err, warnings)
	}
	for i, m := range s.Mounts {
		if sharesVolume(m, s.Mounts[:i]) {
			continue
		}
		for _, w := range m.Volume.FS.Info().Warnings {
			s.Notes = append(s.Notes, m.Volume.Name()+": "+w)
		}
	}
	s.noteLeftOut(volumes, o.SkipMounts)
	for i, note := range s.Notes {
		s.Notes[i] = printable(note)
	}
	s.Release = s.readRelease()
	s.Name = short(printable(s.Release["PRETTY_NAME"]))
	if s.Name == "" {
		s.Name = "a Linux system without os-release"
	}
	return s, nil
}

// noteLeftOut says which volumes are not in the tree, and why.
func (s *System) noteLeftOut(volumes []*Volume, skipped []string) {
	for _, v := range volumes {
		if v.Type == "" && v.Err == nil || v.Type == "swap" || v.partOf != "" || slices.ContainsFunc(s.Mounts, func(m Mount) bool { return m.Volume.all() == v }) {
			continue
		}
		reason := "its fstab does not mount it"
		if len(skipped) > 0 {
			reason = "its fstab does not mount it, or skip_mounts leaves that out"
		}
		s.Notes = append(s.Notes, "left out, for "+reason+": "+v.String())
	}
}

// findRoot picks the volume that holds a system's root directory.
func findRoot(volumes []*Volume, want string) (*Volume, error) {
	candidates := volumes
	if want != "" {
		if candidates = named(volumes, want); len(candidates) == 0 {
			return nil, seen(volumes, "root = %q names no volume of this disk", want)
		}
	}
	var roots []*Volume
	for _, v := range candidates {
		if v.FS == nil {
			continue
		}
		held, err := v.roots()
		if err != nil {
			v.Err = err
		}
		roots = append(roots, held...)
	}
	switch {
	case len(roots) == 1:
		return roots[0], nil
	case len(roots) == 0 && want != "":
		return nil, seen(volumes, "root = %q holds no operating system that can be read", want)
	case len(roots) == 0:
		return nil, seen(volumes, "no operating system found on this disk")
	}
	return nil, seen(volumes, "%d operating systems found on this disk (%s); name one with the option root",
		len(roots), volumeNames(roots))
}

// roots are the root directories on a volume: its own or, if that is none,
// those of its subvolumes.
func (v *Volume) roots() ([]*Volume, error) {
	is, err := holdsRoot(v)
	switch {
	case err != nil:
		return nil, err
	case is:
		return []*Volume{v}, nil
	}
	return v.rootSubvolumes()
}

// holdsRoot tells a root directory by what every Linux has at its top.
func holdsRoot(v *Volume) (bool, error) {
	top, err := v.root()
	if err != nil {
		return false, err
	}
	etc, err := top.child("etc")
	if err != nil || !etc.Mode.IsDir() {
		return false, ignoreMissing(err)
	}
	if _, err := top.child("usr"); err != nil {
		return false, ignoreMissing(err)
	}
	// One of these stands in any /etc, also where /usr is a volume apart.
	for _, name := range []string{"os-release", "fstab", "passwd"} {
		if _, err := etc.child(name); err == nil {
			return true, nil
		} else if ignoreMissing(err) != nil {
			return false, err
		}
	}
	return false, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// seen is an error that lists the disk's volumes, so that a person can see
// what went wrong.
func seen(volumes []*Volume, format string, args ...any) error {
	var b strings.Builder
	fmt.Fprintf(&b, format, args...)
	b.WriteString("; seen on it:")
	for _, v := range volumes {
		b.WriteString("\n  " + v.String())
	}
	if len(volumes) == 0 {
		b.WriteString(" a partition table without partitions")
	}
	return errors.New(b.String())
}

// withWarnings adds what is odd about the partition table to an error: a volume
// may be missing because of it.
func withWarnings(err error, warnings []string) error {
	for _, warning := range warnings {
		err = fmt.Errorf("%w\n  but: %s", err, printable(warning))
	}
	return err
}

func volumeNames(volumes []*Volume) string {
	var names []string
	for _, v := range volumes {
		names = append(names, v.Name())
	}
	return strings.Join(names, ", ")
}

// join mounts what the system's fstab mounts, outer volumes first.
func (s *System) join(volumes []*Volume, skip []string) error {
	text, err := s.names.readFile("etc/fstab")
	if ignoreMissing(err) != nil {
		return fmt.Errorf("read the system's fstab: %w", err)
	}
	entries := slices.DeleteFunc(parseFstab(string(text)), func(e fstabEntry) bool { return !e.mountsVolume() })
	slices.SortStableFunc(entries, func(a, b fstabEntry) int {
		return len(split(a.file)) - len(split(b.file))
	})
	if err := checkSkip(skip, entries); err != nil {
		return err
	}
	for _, e := range entries {
		if e.at(skip) {
			continue
		}
		if err := s.mount(volumes, e); err != nil {
			return fmt.Errorf("fstab mounts %s at %s: %w", short(printable(e.spec)), short(printable(e.file)), err)
		}
	}
	return nil
}

// at says whether the entry's mount point is among the paths.
func (e fstabEntry) at(paths []string) bool {
	return slices.ContainsFunc(paths, func(p string) bool { return path.Clean(p) == path.Clean(e.file) })
}

// checkSkip refuses a mount point that is to be left out and that fstab does
// not have: what was misspelt would go into the image unseen.
func checkSkip(skip []string, entries []fstabEntry) error {
	for _, p := range skip {
		if !slices.ContainsFunc(entries, func(e fstabEntry) bool { return e.at([]string{p}) }) {
			var known []string
			for _, e := range entries {
				known = append(known, short(printable(e.file)))
			}
			return fmt.Errorf("skip_mounts: the system's fstab mounts no volume at %q; it mounts %s", p,
				cmp.Or(strings.Join(known, ", "), "none beside the root"))
		}
	}
	return nil
}

func (s *System) mount(volumes []*Volume, e fstabEntry) error {
	found := match(volumes, e.spec)
	switch {
	case len(found) == 0 && e.optional():
		s.Notes = append(s.Notes, fmt.Sprintf("%s stays empty: %s is not on this disk, and fstab says that it need not be", e.file, e.spec))
		return nil
	case len(found) == 0:
		return seen(volumes, "no volume of this disk is that; if the image can do without, add %q to skip_mounts", e.file)
	case len(found) > 1:
		return fmt.Errorf("%s are all that", volumeNames(found))
	}
	v := found[0]
	if v.Type == "swap" {
		return nil
	}
	if v.FS == nil {
		return seen(volumes, "%s cannot be read; if the image can do without it, add %q to skip_mounts", v.Name(), e.file)
	}
	v, err := v.chosen(e)
	if err != nil {
		return fmt.Errorf("%w; if the image can do without it, add %q to skip_mounts", err, e.file)
	}
	if i := slices.IndexFunc(s.Mounts, func(m Mount) bool { return m.Volume == v }); i >= 0 {
		return fmt.Errorf("%s is already mounted at %s; if the image can do without this one, add %q to skip_mounts",
			v.Name(), s.Mounts[i].Path, e.file)
	}
	dir, at, err := s.names.lookup(e.file)
	if err != nil {
		return fmt.Errorf("find the mount point: %w", err)
	}
	if !dir.Mode.IsDir() {
		return fmt.Errorf("/%s is not a folder", printable(at))
	}
	if _, taken := s.names[at]; taken {
		return errors.New("another volume is mounted there")
	}
	s.names[at] = v
	s.Mounts = append(s.Mounts, Mount{"/" + at, v})
	return nil
}

// readRelease reads os-release(5); a system without one is no error.
func (s *System) readRelease() map[string]string {
	text, err := s.names.readFile("etc/os-release")
	if err != nil {
		if text, err = s.names.readFile("usr/lib/os-release"); err != nil {
			return nil
		}
	}
	release := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(key, "#") {
			release[key] = unquote(value)
		}
	}
	return release
}

// unquote undoes the shell quoting that os-release(5) allows.
func unquote(value string) string {
	if len(value) >= 2 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
		quote := value[0]
		value = value[1 : len(value)-1]
		if quote == '\'' {
			return value
		}
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' && i+1 < len(value) {
			i++
		}
		b.WriteByte(value[i])
	}
	return b.String()
}
