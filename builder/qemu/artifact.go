package qemu

import (
	"io/fs"
	"os"
	"path/filepath"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// artifact is what the QEMU builder's is, whose own cannot be made outside it.
type artifact struct {
	folder string
	files  []string
	state  map[string]any
}

var _ packersdk.Artifact = (*artifact)(nil)

func newArtifact(b *build, generated any) (*artifact, error) {
	q := &b.config.QEMU
	a := &artifact{folder: q.OutputDir, state: map[string]any{
		"generated_data": generated,
		"diskName":       q.VMName,
		"diskPaths":      b.disks,
		"diskType":       q.Format,
		"diskSize":       q.DiskSize,
		"domainType":     q.Accelerator,
	}}
	err := filepath.WalkDir(q.OutputDir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			a.files = append(a.files, path)
		}
		return err
	})
	return a, err
}

func (*artifact) BuilderId() string { return BuilderID }

// Files are the disks and, with UEFI, the variables that belong to them.
func (a *artifact) Files() []string { return a.files }

// Id is the QEMU builder's.
func (*artifact) Id() string { return "VM" } //nolint:revive,staticcheck // the interface's name

func (a *artifact) String() string { return "Disk of a virtual machine in the folder " + a.folder }

func (a *artifact) State(name string) any { return a.state[name] }

// Destroy removes the disks.
func (a *artifact) Destroy() error { return os.RemoveAll(a.folder) }
