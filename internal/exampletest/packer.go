package exampletest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// Variables lists the variable files of a family, by the system's name.
func Variables(t *testing.T, family string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(Root, "example", family, "*.pkrvars.hcl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no variable files of %s: %v", family, err)
	}
	systems := map[string]string{}
	for _, file := range files {
		absolute, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		systems[strings.TrimSuffix(filepath.Base(file), ".pkrvars.hcl")] = absolute
	}
	return systems
}

// withoutMachine is a copy of a family's template whose build starts no machine,
// with a text in it replaced.
func withoutMachine(t *testing.T, family, old, replacement string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(Root, "example", family))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, family+".pkr.hcl")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	source := regexp.MustCompile(`(?ms)^source "maas-qemu" "` + family + `" \{.*?^\}$`)
	if !source.Match(content) || strings.Count(string(content), old) != 1 {
		t.Fatalf("the template of %s has no machine, or not once %q", family, old)
	}
	text := source.ReplaceAllString(string(content), "source \"null\" \""+family+"\" {\n  communicator = \"none\"\n}")
	text = strings.NewReplacer("source.maas-qemu."+family, "source.null."+family, old, replacement).Replace(text)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// kickstarts are those that were evaluated, by system and options.
var kickstarts sync.Map

// kickstart is the template's, for a system.
func kickstart(t *testing.T, system, arch string, options ...string) string {
	t.Helper()
	options = append([]string{"-var-file=" + Variables(t, "el")[system], "-var", "architecture=" + arch}, options...)
	key := strings.Join(options, "\x00")
	if text, known := kickstarts.Load(key); known {
		return text.(string)
	}
	text := Evaluate(t, "el", "local.kickstart", []string{"region.pkr.hcl"}, options...)
	kickstarts.Store(key, text)
	return text
}

// Evaluate says what an expression is in a family's template. Packer's console
// starts no plugins, so the files that the expression does without, such as
// those with data sources, are left out.
func Evaluate(t *testing.T, family, expression string, without []string, options ...string) string {
	t.Helper()
	packer, err := filepath.Abs(filepath.Join(Root, ".cache", "bin", "packer"))
	if err == nil {
		_, err = os.Stat(packer)
	}
	if err != nil {
		fstest.Missing(t, "needs packer, which `make tools` builds: %v", err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(Root, "example", family))); err != nil {
		t.Fatal(err)
	}
	for _, name := range without {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(packer, append(append([]string{"console"}, options...), dir)...)
	cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "PACKER_NO_COLOR=1", "PACKER_CONFIG_DIR="+t.TempDir())
	cmd.Stdin = strings.NewReader(expression + "\n")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || bytes.HasPrefix(bytes.TrimSpace(out), []byte("Error:")) {
		t.Fatalf("%s: %v\n%s%s", expression, err, out, stderr.Bytes())
	}
	return string(out)
}
