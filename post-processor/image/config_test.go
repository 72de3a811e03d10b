package image

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// settings are options on top of working ones.
func settings(t *testing.T, more map[string]any) map[string]any {
	t.Helper()
	all := map[string]any{"output": filepath.Join(t.TempDir(), "out.tar.gz"), "packer_build_name": "debian", "checks": "off"}
	maps.Copy(all, more)
	return all
}

func TestConfigRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	hooks := filepath.Join(dir, "hooks")
	if err := os.Mkdir(hooks, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{file: "x", filepath.Join(hooks, "curtin-hooks"): "#!/bin/sh\r\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "sum.sha256"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "dead")); err != nil {
		t.Fatal(err)
	}
	odd := filepath.Join(dir, "odd")
	if err := errors.Join(os.Mkdir(odd, 0o755), unix.Mkfifo(filepath.Join(odd, "pipe"), 0o600),
		os.WriteFile(filepath.Join(odd, "finalize"), []byte("#!/bin/sh\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		options map[string]any
		want    string
	}{
		"filetype":             {map[string]any{"filetype": "zip"}, `filetype = "zip" is not one that this plugin makes; it makes ddbz2, ddgz`},
		"kept in a disk":       {map[string]any{"filetype": "ddgz", "keep_identity": []string{"cloud-init"}}, "keep_identity and skip_mounts cannot be used with filetype = \"ddgz\""},
		"skipped in a disk":    {map[string]any{"filetype": "ddraw", "overlay": dir, "skip_mounts": []string{"/x"}}, "keep_identity and skip_mounts cannot"},
		"root of a disk":       {map[string]any{"filetype": "ddraw", "root": "2"}, "root does nothing"},
		"hooks in a disk":      {map[string]any{"filetype": "ddgz", "curtin_hooks": hooks, "root": "2"}, "Windows line endings"},
		"shrink a tree":        {map[string]any{"shrink": true}, "shrink cannot be used with filetype = \"tgz\""},
		"input format":         {map[string]any{"input_format": "iso"}, `input_format = "iso" is none of`},
		"missing input":        {map[string]any{"input": filepath.Join(dir, "none")}, "input: stat"},
		"input is a folder":    {map[string]any{"input": dir}, "input: " + dir + " is a folder"},
		"hooks with CRLF":      {map[string]any{"curtin_hooks": hooks}, "Windows line endings"},
		"hooks not a folder":   {map[string]any{"curtin_hooks": file}, "is not a folder"},
		"missing overlay":      {map[string]any{"overlay": filepath.Join(dir, "none")}, "overlay: stat"},
		"pipe in the overlay":  {map[string]any{"overlay": odd}, "pipe: neither a file"},
		"pipe in the hooks":    {map[string]any{"curtin_hooks": odd}, "pipe: neither a file"},
		"overlay not folder":   {map[string]any{"overlay": file}, "is not a folder"},
		"level":                {map[string]any{"compression_level": 10}, "compression_level = 10"},
		"negative level":       {map[string]any{"compression_level": -1}, "compression_level = -1"},
		"identity":             {map[string]any{"keep_identity": []string{"hostname"}}, `keep_identity: "hostname" is none of machine-id`},
		"no such disk":         {map[string]any{"more_inputs": []string{file, dir + "/none"}}, "more_inputs: stat " + dir + "/none"},
		"disks as one":         {map[string]any{"more_inputs": []string{file}, "filetype": "ddgz"}, "more_inputs cannot be used with filetype"},
		"disks of an image":    {map[string]any{"more_inputs": []string{file}, "image": file}, "image and input are both set"},
		"output exists":        {map[string]any{"output": file}, "packer build -force"},
		"output is a folder":   {map[string]any{"output": dir}, "is a folder"},
		"output below a file":  {map[string]any{"output": filepath.Join(file, "x")}, "is not a folder"},
		"checksum a folder":    {map[string]any{"output": filepath.Join(dir, "sum")}, "sum.sha256 is a folder"},
		"output leads nowhere": {map[string]any{"output": filepath.Join(dir, "dead")}, "packer build -force"},
		"folder leads nowhere": {map[string]any{"output": filepath.Join(dir, "dead", "x")}, "leads nowhere"},
		"name too long":        {map[string]any{"output": filepath.Join(dir, strings.Repeat("n", 250))}, "too long"},
		"output is deleted":    {map[string]any{"output": "output-debian/x.tar.gz"}, "inside the builder's folder output-debian"},
		"unknown option":       {map[string]any{"ouput": "x"}, "ouput"},
		"wrong type":           {map[string]any{"skip_mounts": map[string]any{"a": "b"}}, "skip_mounts"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := new(PostProcessor).Configure(settings(t, tt.options))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one that says %q", err, tt.want)
			}
		})
	}
}

func TestConfigTellsAllMistakesAtOnce(t *testing.T) {
	err := new(PostProcessor).Configure(settings(t, map[string]any{"filetype": "zip", "compression_level": 11}))
	if err == nil || !strings.Contains(err.Error(), "filetype") || !strings.Contains(err.Error(), "compression_level") {
		t.Errorf("error is %v", err)
	}
}

func TestConfigDefaults(t *testing.T) {
	var p PostProcessor
	if err := p.Configure(map[string]any{"packer_build_name": "debian"}); err != nil {
		t.Fatal(err)
	}
	if c := p.config; c.Filetype != "tgz" || c.Output != "debian.tar.gz" || c.CompressionLevel != 6 {
		t.Errorf("defaults are %q, %q, %d", c.Filetype, c.Output, c.CompressionLevel)
	}
}

func TestConfigDefaultOutput(t *testing.T) {
	for filetype, want := range map[string]string{
		"tgz": ".tar.gz", "tbz": ".tar.bz2", "txz": ".tar.xz", "ddgz": ".dd.gz", "ddbz2": ".dd.bz2", "ddxz": ".dd.xz",
		"ddraw": ".dd.raw", "ddtar": ".dd.tar", "ddtgz": ".dd.tar.gz", "ddtbz": ".dd.tar.bz2", "ddtxz": ".dd.tar.xz",
	} {
		var p PostProcessor
		if err := p.Configure(map[string]any{"packer_build_name": "debian", "filetype": filetype}); err != nil {
			t.Error(err)
		}
		if p.config.Output != "debian"+want {
			t.Errorf("%s: output is %s", filetype, p.config.Output)
		}
	}
}

// While it validates a template, Packer has a placeholder for what it does not
// know yet; and it configures again before the work.
func TestConfigLetsUnknownValuesPass(t *testing.T) {
	var p PostProcessor
	err := p.Configure(settings(t, map[string]any{
		"filetype": unknown, "input": "dir/" + unknown, "input_format": unknown, "output": unknown + ".tar.gz",
		"curtin_hooks": unknown, "overlay": unknown, "keep_identity": []string{unknown}, "more_inputs": []string{unknown},
	}))
	if err != nil {
		t.Error(err)
	}
	if err := p.Configure(settings(t, map[string]any{"root": "2"})); err != nil {
		t.Fatal(err)
	}
	if p.config.Filetype != "tgz" || len(p.config.KeepIdentity) != 0 {
		t.Errorf("something of the first time is left: %+v", p.config)
	}
}

// All images are verified unless the user says otherwise.
func TestConfigVerify(t *testing.T) {
	for _, tt := range []struct {
		options map[string]any
		want    bool
	}{
		{map[string]any{"filetype": "ddgz"}, true},
		{map[string]any{"filetype": "ddgz", "verify": false}, false},
		{map[string]any{}, true},
		{map[string]any{"verify": true}, true},
		{map[string]any{"filetype": "txz", "verify": false}, false},
	} {
		var p PostProcessor
		if err := p.Configure(settings(t, tt.options)); err != nil {
			t.Fatal(err)
		}
		if got := p.config.verifies(); got != tt.want {
			t.Errorf("%v: verifies is %v", tt.options, got)
		}
	}
}

func TestConfigForceReplacesOutput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out.tar.gz")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := new(PostProcessor).Configure(map[string]any{"output": file, "packer_force": true}); err != nil {
		t.Error(err)
	}
}

// Free space is left out unless the user says otherwise.
func TestConfigZeroFreeSpace(t *testing.T) {
	for _, tt := range []struct {
		options map[string]any
		keep    bool
	}{
		{map[string]any{"filetype": "ddgz"}, false},
		{map[string]any{"filetype": "ddgz", "zero_free_space": true}, false},
		{map[string]any{"filetype": "ddgz", "zero_free_space": false}, true},
	} {
		var p PostProcessor
		if err := p.Configure(settings(t, tt.options)); err != nil {
			t.Fatal(err)
		}
		if got := p.config.job(disksource{}).KeepFreeSpace; got != tt.keep {
			t.Errorf("%v: keeps free space: %v", tt.options, got)
		}
	}
}
