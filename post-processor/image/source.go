package image

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// qemuBuilder is the id of artifacts of the QEMU builder.
const qemuBuilder = "transcend.qemu"

// ownFolder are the builders that delete their output folder, with all that
// is in it, when Packer deletes their artifact.
var ownFolder = []string{qemuBuilder, "mitchellh.virtualbox", "mitchellh.vmware", "MSOpenTech.hyperv", "packer.parallels"}

// disksource are the disk images to pack.
type disksource struct {
	path   string
	more   []string // further disks of the same system
	format string   // "" to look at the content
	folder []string // folders that go with the builder's artifact
}

// source picks the disk images: the options', the QEMU builder's, or the one
// disk image among another builder's files.
func (c *Config) source(artifact packersdk.Artifact) (disksource, error) {
	s := disksource{path: c.Input, more: c.MoreInputs, format: c.InputFormat}
	if artifact == nil {
		if s.path == "" {
			return s, errors.New("there is no artifact to pack; name a disk image with the option input")
		}
		return s, nil
	}
	for _, file := range artifact.Files() {
		if !slices.Contains(ownFolder, artifact.BuilderId()) {
			break
		}
		if dir := filepath.Dir(file); !slices.Contains(s.folder, dir) {
			s.folder = append(s.folder, dir)
		}
	}
	if s.path != "" {
		return s, nil
	}
	if artifact.BuilderId() == qemuBuilder {
		if disks := qemuDisks(artifact); len(disks) > 0 {
			s.path = disks[0]
			if len(s.more) == 0 {
				s.more = disks[1:]
			}
			if s.format == "" {
				s.format, _ = artifact.State("diskType").(string)
			}
			return s, nil
		}
	}
	var err error
	s.path, err = onlyDisk(artifact)
	return s, err
}

// qemuDisks are the disks that the QEMU builder names. Its artifact lists further
// files beside them, such as EFI variables.
func qemuDisks(artifact packersdk.Artifact) []string {
	var disks []string
	// A list loses its element type on its way between processes.
	switch paths := artifact.State("diskPaths").(type) {
	case []any:
		for _, p := range paths {
			if path, ok := p.(string); ok && path != "" {
				disks = append(disks, path)
			}
		}
	case []string:
		disks = paths
	}
	if len(disks) > 0 {
		return disks
	}
	name, _ := artifact.State("diskName").(string)
	for _, file := range artifact.Files() {
		if name != "" && filepath.Base(file) == name {
			return []string{file}
		}
	}
	return nil
}

// diskEndings are the file name endings of disk images.
var diskEndings = []string{".qcow2", ".qcow", ".raw", ".img", ".vhdx", ".vhd", ".vmdk", ".vdi"}

// onlyDisk is the one file of an artifact, or the one that is called like a
// disk image.
func onlyDisk(artifact packersdk.Artifact) (string, error) {
	files := slices.DeleteFunc(slices.Clone(artifact.Files()), func(file string) bool {
		info, err := os.Stat(file)
		return err != nil || !info.Mode().IsRegular()
	})
	if len(files) == 1 {
		return files[0], nil
	}
	disks := slices.DeleteFunc(slices.Clone(files), func(file string) bool {
		return !slices.Contains(diskEndings, strings.ToLower(filepath.Ext(file)))
	})
	switch {
	case len(disks) == 1:
		return disks[0], nil
	case len(files) == 0:
		return "", fmt.Errorf("the artifact of %s has no files; name a disk image with the option input", artifact.BuilderId())
	case len(disks) == 0:
		disks = files
	}
	return "", fmt.Errorf("the artifact of %s has several files that could be the disk (%s); name one with the option input",
		artifact.BuilderId(), strings.Join(disks, ", "))
}

// deletedWith is the builder's folder that file lies in, if it does: Packer
// deletes it with the builder's artifact.
func (s disksource) deletedWith(file string) string {
	for _, dir := range s.folder {
		if within(dir, file) {
			return dir
		}
	}
	return ""
}
