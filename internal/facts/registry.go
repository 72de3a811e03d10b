package facts

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/ntfs"
	"github.com/packer-maas/packer-plugin-maas/internal/hive"
)

// Registry is what is known of Windows' registry: values by hive, key and name,
// all in lower case, numbers in decimal. The set of settings that Windows starts
// with is `system\currentcontrolset`. Of keys whose keys alone are of interest,
// it has their names, with a backslash behind them.
type Registry map[string]string

// Get is a value; "" of none.
func (r Registry) Get(hive, key, name string) string {
	return r[strings.ToLower(hive+`\`+key+`\`+name)]
}

// Keys are the names of the keys in a key, in lower case.
func (r Registry) Keys(hive, key string) []string {
	prefix := strings.ToLower(hive + `\` + key + `\`)
	var names []string
	for at := range r {
		if name, is := strings.CutSuffix(at, `\`); is && strings.HasPrefix(name, prefix) {
			names = append(names, name[len(prefix):])
		}
	}
	slices.Sort(names)
	return names
}

// hives are the files of the registry that are looked into.
const hives = "windows/system32/config"

// current stands for the set of settings in use, whose number the hive tells.
const current = `CurrentControlSet`

// registryKeys are the keys whose values are read, by hive.
var registryKeys = map[string][]string{
	"software": {
		`Microsoft\Windows NT\CurrentVersion\Winlogon`, `Microsoft\Windows\CurrentVersion\Setup\State`,
		`Microsoft\Windows\CurrentVersion\WSMAN\Service`, `Policies\Microsoft\Windows NT\Terminal Services`,
	},
	"system": {
		current + `\Control\Terminal Server`, current + `\Control\Terminal Server\WinStations\RDP-Tcp`,
		current + `\Control\Session Manager\Power`, current + `\Control\Power`, current + `\Services\cloudbase-init`,
		current + `\Services\SharedAccess\Parameters\FirewallPolicy\DomainProfile`,
		current + `\Services\SharedAccess\Parameters\FirewallPolicy\StandardProfile`,
		current + `\Services\SharedAccess\Parameters\FirewallPolicy\PublicProfile`,
	},
	"sam": nil,
}

// registryLists are the keys of whose keys the names are read, by hive.
var registryLists = map[string]string{"sam": `SAM\Domains\Account\Users\Names`}

// readRegistry reads what is of interest in the hives of a volume. What cannot be
// read is not known, and noted.
func (v *Volume) readRegistry(ctx context.Context, fs *ntfs.FS, folder int64) error {
	names, err := fs.Names(folder)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(registryKeys)) {
		at := slices.IndexFunc(names, func(one ntfs.Name) bool { return strings.EqualFold(one.Name, name) && !one.Folder })
		if err := ctx.Err(); err != nil {
			return err
		}
		if at < 0 {
			continue
		}
		if err := v.readHive(fs, name, names[at].Number); err != nil {
			v.Files.Notes = append(v.Files.Notes, fmt.Sprintf("%s was not looked into: %v", path.Join(hives, name), err))
		}
	}
	return nil
}

func (v *Volume) readHive(fs *ntfs.FS, name string, number int64) error {
	data, size, err := fs.Open(number)
	if err != nil {
		return err
	}
	h, err := hive.Open(data, size)
	if err != nil {
		return err
	}
	if list := registryLists[name]; list != "" {
		keys, err := h.Keys(list)
		if err != nil {
			return err
		}
		for _, key := range keys {
			v.Registry[strings.ToLower(name+`\`+list+`\`+key+`\`)] = ""
		}
	}
	set := "ControlSet001"
	if name == "system" {
		if values, _, err := h.Values("Select"); err != nil {
			return err
		} else if number := values["current"]; len(number) == 1 {
			set = "ControlSet00" + number
		}
	}
	for _, key := range registryKeys[name] {
		values, _, err := h.Values(strings.Replace(key, current, set, 1))
		if err != nil {
			return err
		}
		for value, text := range values {
			v.Registry[strings.ToLower(name+`\`+key+`\`)+value] = text
		}
	}
	return nil
}
