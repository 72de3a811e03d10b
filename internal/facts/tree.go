package facts

import (
	"path"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/curtin"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
)

// maxLinks is how many symbolic links the kernel follows in one path.
const maxLinks = 40

// File is a name in the tree.
type File struct {
	Mode     filesystem.Mode
	UID, GID uint32
	Size     int64
	Target   string // of a symbolic link
	HardLink string // the name that the same file has earlier in the tree
}

// Tree is what is known of a Linux system's files.
type Tree struct {
	// Release is os-release(5).
	Release map[string]string
	// Packages are those that are installed.
	Packages Packages
	// Labels and Capabilities count the files with a SELinux label and with
	// file capabilities; Capable are the latter.
	Labels  int
	Capable map[string]bool
	// Refused are names that tar does not extract, the first of them: with ".."
	// in them, or longer than Linux takes.
	Refused []string
	// Python are the programs in curtin's folder, as a parser finds them.
	Python map[string]curtin.Python
	// Notes are what could not be looked at, and why.
	Notes []string

	files     map[string]File
	names     map[string][]string // of a folder
	text      map[string]string
	machines  map[string]string
	modules   map[string]map[string]bool // by the kernel's version
	builtin   map[string]map[string]bool
	initramfs map[string]map[string]bool // drivers, by its path
	anywhere  map[string]string          // a path, by the last part of it
}

func newTree() *Tree {
	return &Tree{
		Release: map[string]string{}, Capable: map[string]bool{},
		files: map[string]File{".": {Mode: filesystem.ModeDir | 0o755}}, names: map[string][]string{},
		text: map[string]string{}, machines: map[string]string{}, modules: map[string]map[string]bool{},
		builtin: map[string]map[string]bool{}, initramfs: map[string]map[string]bool{}, anywhere: map[string]string{},
	}
}

// put adds a name, and the folders above it that a tar need not have.
func (t *Tree) put(at string, f File) {
	if _, known := t.files[at]; !known && at != "." {
		dir := path.Dir(at)
		if _, known := t.files[dir]; !known {
			t.put(dir, File{Mode: filesystem.ModeDir | 0o755})
		}
		t.names[dir] = append(t.names[dir], path.Base(at))
	}
	t.files[at] = f
}

// Lookup finds what a path names, following symbolic links inside the tree,
// and the path without them.
func (t *Tree) Lookup(name string) (string, File, bool) {
	at, rest, links := ".", split(name), 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		if part == ".." {
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		f, ok := t.files[next]
		if !ok {
			return "", File{}, false
		}
		if f.Mode.Type() != filesystem.ModeSymlink {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", File{}, false
		}
		if strings.HasPrefix(f.Target, "/") {
			at = "."
		}
		rest = append(split(f.Target), rest...)
	}
	return at, t.files[at], true
}

// split gives a path's components.
func split(name string) []string {
	return slices.DeleteFunc(strings.Split(name, "/"), func(part string) bool { return part == "" || part == "." })
}

// Stat is a name itself, a symbolic link too.
func (t *Tree) Stat(name string) (File, bool) {
	dir, _, ok := t.Lookup(path.Dir(name))
	if !ok {
		return File{}, false
	}
	f, ok := t.files[path.Join(dir, path.Base(name))]
	return f, ok
}

// Exists says whether a path leads to something.
func (t *Tree) Exists(name string) bool {
	_, _, ok := t.Lookup(name)
	return ok
}

// IsFolder says whether a path leads to a folder.
func (t *Tree) IsFolder(name string) bool {
	_, f, ok := t.Lookup(name)
	return ok && f.Mode.IsDir()
}

// Text is the content of one of the files that are read; "" of all others.
func (t *Tree) Text(name string) string {
	at, f, ok := t.Lookup(name)
	if ok && f.HardLink != "" {
		at = f.HardLink
	}
	return t.text[at]
}

// Command is the path of a program that a shell in the system would find.
func (t *Tree) Command(name string) (string, bool) {
	for _, dir := range []string{"usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin"} {
		at, f, ok := t.Lookup(dir + "/" + name)
		if ok && f.Mode.IsRegular() && f.Mode&0o111 != 0 {
			return at, true
		}
	}
	return "", false
}

// Anywhere is a path that ends in a name out of those that are looked for
// wherever they are.
func (t *Tree) Anywhere(name string) string { return t.anywhere[name] }

// Names are the names in a folder.
func (t *Tree) Names(dir string) []string {
	at, _, ok := t.Lookup(dir)
	if !ok {
		return nil
	}
	return slices.Sorted(slices.Values(t.names[at]))
}

// Glob finds the paths that match a pattern of path.Match, sorted.
func (t *Tree) Glob(pattern string) []string {
	found := []string{"."}
	for _, part := range split(pattern) {
		var next []string
		for _, dir := range found {
			at, _, ok := t.Lookup(dir)
			if !ok {
				continue
			}
			if !strings.ContainsAny(part, `*?[\`) {
				if _, ok := t.files[path.Join(at, part)]; ok {
					next = append(next, path.Join(at, part))
				}
				continue
			}
			for _, name := range t.names[at] {
				if ok, _ := path.Match(part, name); ok {
					next = append(next, path.Join(at, name))
				}
			}
		}
		found = next
	}
	slices.Sort(found)
	return found
}

// Texts are the contents of all files that match patterns, by path.
func (t *Tree) Texts(patterns ...string) []Text {
	var texts []Text
	for _, pattern := range patterns {
		for _, at := range t.Glob(pattern) {
			if text := t.Text(at); text != "" {
				texts = append(texts, Text{at, text})
			}
		}
	}
	return texts
}

// Text is a file with its content.
type Text struct{ Path, Content string }

// Files calls a function for each name in the tree below a folder, in path order.
func (t *Tree) Files(below string, visit func(at string, f File)) {
	at, _, ok := t.Lookup(below)
	if !ok {
		return
	}
	t.walk(at, visit)
}

func (t *Tree) walk(dir string, visit func(at string, f File)) {
	for _, name := range slices.Sorted(slices.Values(t.names[dir])) {
		at := path.Join(dir, name)
		f := t.files[at]
		visit(at, f)
		if f.Mode.IsDir() {
			t.walk(at, visit)
		}
	}
}
