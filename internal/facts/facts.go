// Package facts gathers what can be known of an image without running it: the
// names in its tree, the content of the few files that tell how the system
// boots and what deploys it, its packages, its kernels and their drivers, and,
// of a whole disk, its partitions. It judges nothing; package check does.
package facts

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// Facts is all that is known of an image.
type Facts struct {
	// Tree is the Linux system in it; nil if none was found that can be read.
	Tree *Tree
	// Disk is the disk, of a whole-disk image; nil of a tree.
	Disk *Disk
	// Damage says why the image could not be read to its end; "" if it was.
	Damage string
	// Members are how many files a tar of a disk holds; 0 if it is none.
	Members int
}

// Kernel is a kernel in /boot.
type Kernel struct {
	Path      string // "boot/vmlinuz-6.1.0-13-amd64"
	Version   string // "6.1.0-13-amd64"
	Initramfs string // path of its initial RAM disk, "" for none
}

// otherEndings are of files that are called like a kernel, and are none that is
// started: for debuggers, of before an update.
var otherEndings = []string{".gz", ".old", ".bak", ".sig", ".signed"}

// Kernels are those in /boot, without rescue kernels, by their version.
func (t *Tree) Kernels() []Kernel {
	var kernels []Kernel
	for _, pattern := range []string{"boot/vmlinuz-*", "boot/vmlinux-*", "boot/Image-*"} {
		for _, at := range t.Glob(pattern) {
			version := afterDash(at)
			// Some systems keep it with its modules, and a link in /boot.
			_, file, ok := t.Lookup(at)
			if version == "" || isRescue(version) || !ok || !file.Mode.IsRegular() || slices.Contains(otherEndings, path.Ext(at)) {
				continue
			}
			kernels = append(kernels, Kernel{at, version, t.initramfsOf(version)})
		}
	}
	slices.SortFunc(kernels, func(a, b Kernel) int { return strings.Compare(a.Version, b.Version) })
	return kernels
}

// initramfsOf finds the initial RAM disk of a kernel by the names that Debian,
// Red Hat and SUSE give it.
func (t *Tree) initramfsOf(version string) string {
	for _, name := range []string{"initrd.img-" + version, "initramfs-" + version + ".img", "initrd-" + version} {
		if at, f, ok := t.Lookup("boot/" + name); ok && f.Mode.IsRegular() {
			return at
		}
	}
	return ""
}

// HasDriver says whether a kernel can load a driver or has it built in.
func (t *Tree) HasDriver(version, module string) bool {
	return t.modules[version][module] || t.builtin[version][module]
}

// HasModules says whether any driver of a kernel is in the tree.
func (t *Tree) HasModules(version string) bool { return len(t.modules[version]) > 0 }

// InitramfsHas says whether an initial RAM disk, or the kernel it is for, has a
// driver; unknown if the RAM disk could not be read.
func (t *Tree) InitramfsHas(k Kernel, module string) (has, known bool) {
	drivers, known := t.initramfs[k.Initramfs]
	return drivers[module] || t.builtin[k.Version][module], known
}

// Machines are the processor architectures of the programs, kernels and boot
// loaders that were looked at, by path, in MAAS's words: "amd64", "arm64".
func (t *Tree) Machines() map[string]string { return maps.Clone(t.machines) }

// Notes are what could not be looked at, and why.
func (f *Facts) Notes() []string {
	var notes []string
	if f.Disk != nil {
		notes = append(notes, f.Disk.Notes...)
		for _, v := range f.Disk.Volumes {
			if v.Files != nil {
				notes = append(notes, v.Files.Notes...)
			}
		}
	}
	if f.Tree != nil {
		notes = append(notes, f.Tree.Notes...)
	}
	// The system's own volume is looked at twice.
	slices.Sort(notes)
	return slices.Compact(notes)
}
