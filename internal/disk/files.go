package disk

import (
	"io"
	"path/filepath"
	"regexp"

	"github.com/packer-maas/packer-plugin-maas/internal/disk/native"
)

// filesOf are the files that an image is read from: itself first, then those
// that it refers to.
func filesOf(path, format string, chain []native.Layer) []string {
	if format == formatVMDK {
		return vmdkFiles(path)
	}
	files := []string{path}
	for i, layer := range chain {
		if i > 0 {
			files = append(files, layer.Path)
		}
	}
	return files
}

// vmdkDescriptor is how much of a VMDK image its descriptor is looked for in:
// it is the file, or follows the header (Virtual Disk Format 5.0, VMware).
const vmdkDescriptor = 64 << 10

// vmdkNames finds the files that a descriptor names: extents, and a parent.
var vmdkNames = regexp.MustCompile(`(?m)^\s*(?:(?:RW|RDONLY|NOACCESS)\s+\d+\s+\w+\s+|parentFileNameHint\s*=\s*)"([^"\n]+)"`)

// vmdkFiles are a VMDK image and all that it and they refer to.
func vmdkFiles(path string) []string {
	files, known := []string{path}, map[string]bool{path: true}
	for i := 0; i < len(files) && i < 8*maxChain; i++ {
		file, _, err := openFile(files[i])
		if err != nil {
			continue
		}
		head, err := io.ReadAll(io.NewSectionReader(file, 0, vmdkDescriptor))
		_ = file.Close()
		if is, _ := imageFormat(files[i], ""); err != nil || is != formatVMDK {
			continue
		}
		for _, match := range vmdkNames.FindAllSubmatch(head, -1) {
			name := string(match[1])
			if !filepath.IsAbs(name) {
				name = filepath.Join(filepath.Dir(files[i]), name)
			}
			if !known[name] {
				known[name] = true
				files = append(files, name)
			}
		}
	}
	return files
}
