package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// built is a builder's artifact with files made in a folder of its own.
func built(t *testing.T, builder string, state map[string]any, names ...string) (*packersdk.MockArtifact, string) {
	t.Helper()
	dir := t.TempDir()
	a := &packersdk.MockArtifact{BuilderIdValue: builder, StateValues: state, FilesValue: []string{}}
	for _, name := range names {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		a.FilesValue = append(a.FilesValue, file)
	}
	return a, dir
}

func TestSource(t *testing.T) {
	tests := []struct {
		name         string
		builder      string
		state        map[string]any
		files        []string
		config       Config
		want, format string // the disk's name and format
		more         string // the others' names
		err          string // part of the error
	}{
		{
			name: "qemu", builder: qemuBuilder, files: []string{"efivars.fd", "packer-b", "packer-a", "packer-a-1"},
			state: map[string]any{"diskPaths": []any{"DIR/packer-a", "DIR/packer-a-1"}, "diskName": "packer-b", "diskType": "qcow2"},
			want:  "packer-a", format: "qcow2", more: "packer-a-1",
		},
		{
			name: "qemu, further disk by option", builder: qemuBuilder, files: []string{"vm", "vm-1"}, config: Config{MoreInputs: []string{"/x"}},
			state: map[string]any{"diskPaths": []string{"DIR/vm", "DIR/vm-1"}}, want: "DIR/vm", more: "/x",
		},
		{
			name: "qemu without paths", builder: qemuBuilder, files: []string{"efivars.fd", "vm"},
			state: map[string]any{"diskName": "vm", "diskType": "raw"}, want: "vm", format: "raw",
		},
		{
			name: "qemu, format by option", builder: qemuBuilder, files: []string{"vm"}, config: Config{InputFormat: "vhdx"},
			state: map[string]any{"diskName": "vm", "diskType": "raw"}, want: "vm", format: "vhdx",
		},
		{name: "one file", builder: "x.file", files: []string{"anything"}, want: "anything"},
		{name: "one disk", builder: "x.vbox", files: []string{"a.ovf", "a.VMDK", "a.mf"}, want: "a.VMDK"},
		{name: "two disks", builder: "x.vbox", files: []string{"a.vmdk", "b.vmdk", "c.txt"}, err: "a.vmdk, "},
		{name: "none of several", builder: "x.y", files: []string{"a", "b"}, err: "several files that could be the disk"},
		{name: "no file", builder: "x.null", err: "option input"},
		{name: "option", builder: "x.null", files: []string{"a", "b"}, config: Config{Input: "/some/disk"}, want: "/some/disk"},
		{name: "options", builder: qemuBuilder, files: []string{"a"}, config: Config{Input: "/1", MoreInputs: []string{"/2", "/3"}}, want: "/1", more: "/2 /3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, dir := built(t, tt.builder, tt.state, tt.files...)
			if paths, ok := tt.state["diskPaths"].([]any); ok {
				for i := range paths {
					paths[i] = strings.Replace(paths[i].(string), "DIR", dir, 1)
				}
			}
			got, err := tt.config.source(a)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error is %v, want one that says %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if strings.TrimPrefix(got.path, dir+"/") != tt.want || got.format != tt.format || strings.ReplaceAll(strings.Join(got.more, " "), dir+"/", "") != tt.more {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestSourceKnowsWhatPackerDeletes(t *testing.T) {
	for builder, deleted := range map[string]bool{qemuBuilder: true, "x.file": false} {
		a, dir := built(t, builder, nil, "disk.raw")
		s, err := new(Config).source(a)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.deletedWith(filepath.Join(dir, "deep", "out.tar.gz")) != ""; got != deleted {
			t.Errorf("%s: deleted is %v", builder, got)
		}
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(dir, link); err != nil {
			t.Fatal(err)
		}
		if got := s.deletedWith(filepath.Join(link, "out.tar.gz")) != ""; got != deleted {
			t.Errorf("%s: through a link, deleted is %v", builder, got)
		}
		if s.deletedWith(dir+".tar.gz") != "" {
			t.Errorf("%s: a file beside the folder counts as inside it", builder)
		}
	}
}
