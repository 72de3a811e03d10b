package facts

import (
	"context"
	"path"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem"
	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/ntfs"
)

// windowsFolders are those of Windows that are looked into, in lower case.
var windowsFolders = []string{
	"curtin", "curtin/maas", "program files", "program files/cloudbase solutions", "program files/cloudbase solutions/cloudbase-init",
	"program files/cloudbase solutions/cloudbase-init/conf", "windows", "windows/panther", "windows/panther/unattend",
	"windows/setup", "windows/setup/scripts", "windows/setup/state", "windows/system32", "windows/system32/sysprep",
}

// readNTFS looks at the files of a volume that only Windows needs.
func (v *Volume) readNTFS(ctx context.Context, volume disk.Volume) error {
	fs, err := ntfs.Open(volume)
	if err != nil {
		return err
	}
	state, err := fs.State()
	if err != nil {
		return err
	}
	if !state.Clean() {
		v.State = state.String()
	}
	v.Files, v.Registry = newTree(), Registry{}
	if err := v.windowsFolder(ctx, fs, ".", ntfs.Root); err != nil {
		v.Files, v.Registry = nil, nil
		return err
	}
	return nil
}

func (v *Volume) windowsFolder(ctx context.Context, fs *ntfs.FS, dir string, number int64) error {
	t := v.Files
	if err := ctx.Err(); err != nil {
		return err
	}
	names, err := fs.Names(number)
	if err != nil {
		return err
	}
	for _, one := range names[:min(len(names), maxVolumeFiles)] {
		at := path.Join(dir, one.Name)
		if one.Folder {
			t.put(at, File{Mode: filesystem.ModeDir | 0o755})
			if err := v.windowsSubfolder(ctx, fs, at, one.Number); err != nil {
				return err
			}
			continue
		}
		t.put(at, File{Mode: filesystem.ModeRegular | 0o777, Size: one.Size})
		if interestIn(at) == text {
			content, err := fs.ReadFile(one.Number, maxText)
			if err != nil {
				t.Notes = append(t.Notes, "\\"+strings.ReplaceAll(at, "/", `\`)+": "+err.Error())
				continue
			}
			t.text[at] = plainText(content)
		}
	}
	return nil
}

func (v *Volume) windowsSubfolder(ctx context.Context, fs *ntfs.FS, at string, number int64) error {
	switch lower := strings.ToLower(at); {
	case lower == hives:
		return v.readRegistry(ctx, fs, number)
	case matches(windowsFolders, lower):
		return v.windowsFolder(ctx, fs, at, number)
	}
	return nil
}

func matches(patterns []string, at string) bool {
	for _, p := range patterns {
		if ok, _ := path.Match(p, at); ok {
			return true
		}
	}
	return false
}

// plainText makes ASCII of UTF-16, which some of Windows's tools write.
func plainText(content []byte) string {
	text := string(content)
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		if rest, ok := strings.CutPrefix(text, mark); ok {
			return strings.ReplaceAll(rest, "\x00", "")
		}
	}
	return strings.TrimPrefix(text, "\xef\xbb\xbf")
}
