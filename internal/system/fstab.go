package system

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// fstabEntry is a line of fstab(5).
type fstabEntry struct {
	spec, file, fsType string
	options            []string
}

// parseFstab reads the lines of an fstab; like mount(8), it passes over lines
// that have no mount point.
func parseFstab(text string) []fstabEntry {
	var entries []fstabEntry
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		e := fstabEntry{spec: unescape(fields[0]), file: unescape(fields[1])}
		if len(fields) > 2 {
			e.fsType = fields[2]
		}
		if len(fields) > 3 {
			e.options = strings.Split(fields[3], ",")
		}
		entries = append(entries, e)
	}
	return entries
}

// fstabEscape is how fstab writes a space, tab, newline or backslash.
var fstabEscape = regexp.MustCompile(`\\[0-7]{3}`)

func unescape(field string) string {
	return fstabEscape.ReplaceAllStringFunc(field, func(code string) string {
		n, err := strconv.ParseUint(code[1:], 8, 8)
		if err != nil {
			return code
		}
		return string([]byte{byte(n)})
	})
}

// mountsVolume says whether the entry mounts a block device into the tree,
// rather than swap, a file of its own, a network or a kernel file system.
func (e fstabEntry) mountsVolume() bool {
	if !strings.HasPrefix(e.file, "/") || path.Clean(e.file) == "/" {
		return false
	}
	if e.has("bind") || e.has("rbind") || e.has("loop") {
		return false
	}
	if key, _, ok := strings.Cut(e.spec, "="); ok && !strings.HasPrefix(e.spec, "/") {
		switch key {
		case "UUID", "LABEL", "PARTUUID", "PARTLABEL", "ID":
			return true
		}
		return false
	}
	return strings.HasPrefix(e.spec, "/dev/")
}

func (e fstabEntry) has(option string) bool { return slices.Contains(e.options, option) }

// option is the value of an option such as subvol=@; of several, the last.
func (e fstabEntry) option(key string) (value string, ok bool) {
	for _, o := range e.options {
		if v, is := strings.CutPrefix(o, key+"="); is {
			value, ok = v, true
		}
	}
	return value, ok
}

// optional says whether a machine boots without the entry's device.
func (e fstabEntry) optional() bool { return e.has("noauto") || e.has("nofail") }

// byLink are udev's folders of links to block devices by a tag.
var byLink = map[string]string{
	"/dev/disk/by-uuid/":      "UUID",
	"/dev/disk/by-label/":     "LABEL",
	"/dev/disk/by-partuuid/":  "PARTUUID",
	"/dev/disk/by-partlabel/": "PARTLABEL",
}

// firstDisk matches a partition of the first disk under the names that the
// kernel gives disks: /dev/sda2, /dev/vda2, /dev/nvme0n1p2.
var firstDisk = regexp.MustCompile(`^/dev/(?:(?:s|v|xv|h)da|(?:nvme0n1|mmcblk0|pmem0|md0|loop0)p)([0-9]+)$`)

// udevEscape is how udev writes unsafe bytes in a link's name.
var udevEscape = regexp.MustCompile(`\\x[0-9a-fA-F]{2}`)

// tag splits a spec into the tag that names a volume and its value:
// UUID, LABEL, PARTUUID, PARTLABEL, or NUMBER for a partition's number.
func tag(spec string) (key, value string) {
	for folder, key := range byLink {
		if name, ok := strings.CutPrefix(spec, folder); ok {
			return key, udevEscape.ReplaceAllStringFunc(name, func(code string) string {
				n, _ := strconv.ParseUint(code[2:], 16, 8)
				return string([]byte{byte(n)})
			})
		}
	}
	if m := firstDisk.FindStringSubmatch(spec); m != nil {
		return "NUMBER", m[1]
	}
	key, value, _ = strings.Cut(spec, "=")
	return key, strings.Trim(value, `"'`)
}

// match returns the volumes that a spec of fstab names.
func match(volumes []*Volume, spec string) []*Volume {
	key, value := tag(spec)
	if value == "" {
		return nil
	}
	var found []*Volume
	for _, v := range volumes {
		if v.is(key, value) {
			found = append(found, v)
		}
	}
	return found
}

func (v *Volume) is(key, value string) bool {
	switch key {
	case "UUID":
		return v.FS != nil && strings.EqualFold(v.FS.Info().UUID, value)
	case "LABEL":
		return v.FS != nil && v.FS.Info().Label == value
	case "PARTUUID":
		return strings.EqualFold(v.Partition.UUID, value)
	case "PARTLABEL":
		return v.Partition.Name == value
	case "NUMBER":
		return strconv.Itoa(v.Partition.Number) == value
	}
	return false
}
