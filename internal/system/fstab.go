package system

import (
	"cmp"
	"fmt"
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

	"/dev/mapper/":                 "MAPPER",
	"/dev/disk/by-id/dm-name-":     "MAPPER",
	"/dev/disk/by-id/dm-uuid-LVM-": "LVUUID",
	"/dev/disk/by-id/md-uuid-":     "MDUUID",
	"/dev/disk/by-id/md-name-":     "MD",
}

// kernelName matches a disk, or a partition of it, under the names that the
// kernel gives them: /dev/sda2, /dev/vdb, /dev/nvme0n1p2.
var kernelName = regexp.MustCompile(`^/dev/(?:(?:s|v|xv|h)d([a-z])([0-9]*)|(?:nvme([0-9])n1|(?:mmcblk|pmem|loop)([0-9]))(?:p([0-9]+))?)$`)

// kernelTag is the tag for a name of the kernel's, whose letter or number
// counts the disks: "1.2" for /dev/sda2, "2.0" for /dev/vdb.
func kernelTag(spec string) (value string, ok bool) {
	m := kernelName.FindStringSubmatch(spec)
	if m == nil {
		return "", false
	}
	disk, _ := strconv.Atoi(m[3] + m[4])
	if m[1] != "" {
		disk = int(m[1][0] - 'a')
	}
	return fmt.Sprintf("%d.%s", disk+1, cmp.Or(m[2]+m[5], "0")), true
}

// arrayName matches a RAID array, or a partition of it, by its number or name.
var arrayName = regexp.MustCompile(`^/dev/md(?:/(.+)|([0-9]+(?:p[0-9]+)?))$`)

// groupName matches a logical volume in its group's folder.
var groupName = regexp.MustCompile(`^/dev/([^/]+/[^/]+)$`)

// udevEscape is how udev writes unsafe bytes in a link's name.
var udevEscape = regexp.MustCompile(`\\x[0-9a-fA-F]{2}`)

// tag splits a spec into the tag that names a volume and its value: UUID, LABEL,
// PARTUUID, PARTLABEL; or, as these have no tag of their own, NUMBER for a
// partition's, DISK for a disk's and a partition's, MAPPER and LV for a logical
// volume, MD and MDUUID for a RAID array.
func tag(spec string) (key, value string) {
	if id, ok := strings.CutPrefix(spec, "ID="); ok {
		spec = "/dev/disk/by-id/" + id
	}
	for folder, key := range byLink {
		if name, ok := strings.CutPrefix(spec, folder); ok {
			return key, udevEscape.ReplaceAllStringFunc(name, func(code string) string {
				n, _ := strconv.ParseUint(code[2:], 16, 8)
				return string([]byte{byte(n)})
			})
		}
	}
	if value, ok := kernelTag(spec); ok {
		return "DISK", value
	}
	if m := arrayName.FindStringSubmatch(spec); m != nil {
		return "MD", m[1] + m[2]
	}
	if m := groupName.FindStringSubmatch(spec); m != nil {
		return "LV", m[1]
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
	case "DISK":
		return v.disk > 0 && fmt.Sprintf("%d.%d", v.disk, v.Partition.Number) == value
	}
	return v.logical != nil && v.isLogical(key, value) || v.array != nil && v.isArray(key, value)
}

func (v *Volume) isLogical(key, value string) bool {
	switch key {
	case "MAPPER":
		return v.logical.Mapper() == value
	case "LV":
		return v.logical.String() == value
	case "LVUUID":
		return v.logical.UUID == value
	}
	return false
}

func (v *Volume) isArray(key, value string) bool {
	// A partition's number follows the name, with a "p" between two digits.
	part := ""
	if v.Partition.Number > 0 {
		part = strconv.Itoa(v.Partition.Number)
		if last := len(v.array.Name) - 1; last >= 0 && v.array.Name[last] >= '0' && v.array.Name[last] <= '9' {
			part = "p" + part
		}
	}
	switch key {
	case "MD":
		_, name, _ := strings.Cut(value, ":") // after the host's
		return v.array.Name+part == cmp.Or(name, value)
	case "MDUUID":
		return v.array.UUID+part == value
	}
	return false
}
