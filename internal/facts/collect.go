package facts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/tree"
)

const (
	// maxText is the most that is read of a text file, in bytes.
	maxText = 1 << 20
	// maxTexts is the most that is kept of all of them.
	maxTexts = 64 << 20
	// maxNames is how many names are remembered; systems have a tenth of it.
	maxNames = 2 << 20
	// headSize is how much of a program, kernel or boot loader is read.
	headSize = 1 << 10
)

// Collector looks at the entries of a tree on their way into an image. Its zero
// value is ready.
type Collector struct {
	tree      *Tree
	databases map[string]database
	texts     int64 // bytes of text files that are kept
}

// database is a file of a package database, to be read when all of them passed.
type database struct {
	data io.ReaderAt
	size int64
}

// Watch is the same stream of entries, seen by the collector as they pass. Few
// files are read for it, right before whoever takes the entries reads them.
func (c *Collector) Watch(ctx context.Context, entries tree.Entries) tree.Entries {
	c.tree, c.databases = newTree(), map[string]database{}
	return func(yield func(*tree.Entry, error) bool) {
		for e, err := range entries {
			if err == nil {
				err = c.see(ctx, e)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// Tree is what was seen. It reads the package database, so the disk must still
// be open. What of that goes wrong is a note of the tree.
func (c *Collector) Tree(ctx context.Context) *Tree {
	t := c.tree
	t.Release = parseRelease(t.Text("etc/os-release"))
	if len(t.Release) == 0 {
		t.Release = parseRelease(t.Text("usr/lib/os-release"))
	}
	var err error
	if t.Packages, err = readPackages(ctx, c.databases); err != nil {
		t.Notes = append(t.Notes, "the list of packages is not known: "+err.Error())
	}
	t.parsePython(ctx)
	return t
}

// see takes an entry.
func (c *Collector) see(ctx context.Context, e *tree.Entry) error {
	t := c.tree
	if named[path.Base(e.Path)] {
		t.anywhere[path.Base(e.Path)] = e.Path
	}
	for _, x := range e.Xattrs {
		switch x.Name {
		case "security.selinux":
			t.Labels++
		case "security.capability":
			t.Capable[e.Path] = true
		}
	}
	if !keep(e) {
		return nil
	}
	if len(t.files) > maxNames {
		t.noteOnce(fmt.Sprintf("there are more than %d files; the others were not looked into", maxNames))
		return nil
	}
	t.put(e.Path, File{Mode: e.Mode, UID: e.UID, GID: e.GID, Size: e.Size, Target: e.Target, HardLink: e.HardLink})
	t.noteModule(e.Path)
	if e.Data == nil || e.HardLink != "" {
		return nil
	}
	if err := c.read(ctx, e); err != nil {
		return fmt.Errorf("look into %q: %w", e.Path, err)
	}
	return nil
}

// read reads what is of interest in a file.
func (c *Collector) read(ctx context.Context, e *tree.Entry) error {
	t := c.tree
	switch interestIn(e.Path) {
	case text:
		if e.Size > maxText {
			t.Notes = append(t.Notes, fmt.Sprintf("/%s has %d bytes; it was not looked into", e.Path, e.Size))
			return nil
		}
		if c.texts += e.Size; c.texts > maxTexts {
			t.noteOnce(fmt.Sprintf("there are more than %d MiB of settings; the others were not looked into", maxTexts>>20))
			return nil
		}
		content, err := readHead(e.Data, e.Size)
		if err != nil {
			return err
		}
		t.text[e.Path] = string(content)
		if strings.HasSuffix(e.Path, "/modules.builtin") {
			t.builtin[path.Base(path.Dir(e.Path))] = builtinModules(string(content))
			delete(t.text, e.Path)
		}
	case head:
		content, err := readHead(e.Data, min(e.Size, headSize))
		if err != nil {
			return err
		}
		if machine := machineOf(content); machine != "" {
			t.machines[e.Path] = machine
		}
	case ramdisk:
		if isRescue(afterDash(e.Path)) || strings.Contains(e.Path, "kdump") {
			return nil
		}
		drivers, err := ramdiskDrivers(ctx, io.NewSectionReader(e.Data, 0, e.Size))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			t.Notes = append(t.Notes, fmt.Sprintf("/%s: which drivers are in it is not known: %v", e.Path, err))
			return nil
		}
		t.initramfs[e.Path] = drivers
	case installed:
		if f, ok := e.Data.(*tarFile); ok {
			if err := f.hold(); err != nil {
				t.Notes = append(t.Notes, fmt.Sprintf("/%s: %v", e.Path, err))
				return nil
			}
		}
		c.databases[e.Path] = database{e.Data, e.Size}
	case nothing:
	}
	return nil
}

// noteOnce adds a note that may come again.
func (t *Tree) noteOnce(note string) {
	if !slices.Contains(t.Notes, note) {
		t.Notes = append(t.Notes, note)
	}
}

// readHead reads the first n bytes of a file.
func readHead(data filesystem.File, n int64) ([]byte, error) {
	b := make([]byte, n)
	got, err := data.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b[:got], nil
}

// noteModule remembers that a kernel has a module.
func (t *Tree) noteModule(at string) {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(at, "usr/"), "lib/modules/")
	if !ok {
		return
	}
	version, file, ok := strings.Cut(rest, "/")
	module := moduleName(file)
	if !ok || module == "" {
		return
	}
	if t.modules[version] == nil {
		t.modules[version] = map[string]bool{}
	}
	t.modules[version][module] = true
}

// moduleName is the module that a file holds, "" for none: "mpt3sas" of
// "kernel/drivers/scsi/mpt3sas/mpt3sas.ko.xz". Modules are the same with "-"
// and "_".
func moduleName(file string) string {
	name, rest, ok := strings.Cut(path.Base(file), ".ko")
	if !ok || rest != "" && rest[0] != '.' {
		return ""
	}
	return strings.ReplaceAll(name, "-", "_")
}

// builtinModules are the modules of a list of those that are in the kernel.
func builtinModules(list string) map[string]bool {
	modules := map[string]bool{}
	for line := range strings.Lines(list) {
		if m := moduleName(strings.TrimSpace(line)); m != "" {
			modules[m] = true
		}
	}
	return modules
}

// afterDash is a kernel's version out of a file's name.
func afterDash(at string) string {
	_, version, _ := strings.Cut(path.Base(at), "-")
	return strings.TrimSuffix(version, ".img")
}

// isRescue says whether a version is that of the kernel that Red Hat's systems
// keep for emergencies, with an initial RAM disk for the machine of the build.
func isRescue(version string) bool { return strings.Contains(version, "rescue") }
