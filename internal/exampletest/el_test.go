package exampletest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// elRelease is the kickstart's language for a system, as pykickstart calls it.
func elRelease(t *testing.T, system, file string) string {
	t.Helper()
	if system == "fedora" {
		return "F43"
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(name) == "release" {
			return "RHEL" + strings.TrimSpace(value)
		}
	}
	t.Fatalf("%s has no release", file)
	return ""
}

// TestKickstarts has the kickstart of each system, with all that changes it,
// read by the parser of its own release. Warnings are failures.
func TestKickstarts(t *testing.T) {
	validator := PythonTool(t, "ksvalidator")
	cases := map[string][]string{
		"plain":     nil,
		"provision": {"-var", "provision=true"},
		"mirror":    {"-var", "ks_mirror=http://mirror.example/el", "-var", "ks_proxy=http://proxy.example:3128"},
		"arm64":     {"-var", "architecture=arm64", "-var", "filesystem=xfs", "-var", `packages=["@development","vim-enhanced","-tar"]`},
	}
	for system, file := range Variables(t, "el") {
		for name, options := range cases {
			t.Run(system+"/"+name, func(t *testing.T) {
				t.Parallel()
				text := kickstart(t, system, "amd64", options...)
				dir := t.TempDir()
				path := filepath.Join(dir, "ks.cfg")
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command(validator, "-v", elRelease(t, system, file), path)
				cmd.Env = append(os.Environ(), "TMPDIR="+dir) // it leaves a copy there
				out, err := cmd.CombinedOutput()
				said := strings.TrimSpace(strings.Replace(string(out), "Checking kickstart file "+path, "", 1))
				if err != nil || said != "" {
					t.Errorf("%v\n%s\n%s", err, said, text)
				}
				checkKickstart(t, name, text)
			})
		}
	}
}

// checkKickstart looks for what a parser does not know.
func checkKickstart(t *testing.T, name, text string) {
	t.Helper()
	for what, is := range map[string]bool{
		"a locked root":                  strings.Contains(text, "\npasswd --lock root\n"),
		"a build account":                strings.Contains(text, "\nuser --name=packer ") == (name == "provision"),
		"cloud-init in the build's boot": strings.Contains(text, "\ntouch /etc/cloud/cloud-init.disabled\n") == (name == "provision"),
		"a proxy":                        strings.Contains(text, `--proxy="http://proxy.example:3128"`) == (name == "mirror" && strings.Contains(text, "url --url")),
		"a proxy for what is no URL":     !strings.Contains(text, `--baseurl="file:///run/install/repo/addons/HighAvailability" --proxy`),
		"one source of packages":         strings.Contains(text, "\ncdrom\n") != strings.Contains(text, "\nurl --url="),
		"an address not filled in":       !strings.Contains(text, "$basearch"),
		"the packages of one machine":    strings.Contains(text, "shim-aa64\n") == (name == "arm64") && strings.Contains(text, "grub2-pc\n") != (name == "arm64"),
		"the user's own packages":        strings.Contains(text, "\n-tar\n%end") == (name == "arm64"),
		"an initial RAM disk for all":    strings.Contains(text, "--no-hostonly"),
		"exactly one package kernel":     strings.Count(text, "\nkernel\n") == 1,
		"a mirror in place of another":   name != "mirror" || !strings.Contains(text, "url --url") || strings.Contains(text, `url --url="http://mirror.example/el/`),
	} {
		if !is {
			t.Errorf("not as it should be: %s\n%s", what, text)
		}
	}
	if strings.Contains(text, "%{") && !strings.Contains(text, "%{VERSION}") {
		t.Error(fmt.Errorf("a template was not filled in:\n%s", text))
	}
}

// TestKickstartOfOnesOwn is passed on as it is.
func TestKickstartOfOnesOwn(t *testing.T) {
	own := filepath.Join(t.TempDir(), "own.ks")
	if err := os.WriteFile(own, []byte("poweroff\n# $basearch ${not} filled in\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := Evaluate(t, "el", "local.kickstart", []string{"region.pkr.hcl"},
		"-var-file="+Variables(t, "el")["rhel9"], "-var", "kickstart="+own)
	if strings.TrimSpace(got) != "poweroff\n# $basearch ${not} filled in" {
		t.Errorf("it is %q", got)
	}
}
