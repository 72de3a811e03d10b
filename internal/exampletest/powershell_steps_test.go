package exampletest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/console"
)

// TestPowerShellLeavesNothing holds the last step to what the image must not
// have, in the order in which it is possible.
func TestPowerShellLeavesNothing(t *testing.T) {
	last := scripts(t)["90-generalize"]
	for _, value := range []string{"AutoAdminLogon", "DefaultPassword", "DefaultUserName", "AutoLogonCount"} {
		if !slices.Contains(last.Strings, value) {
			t.Errorf("Winlogon's %s stays", value)
		}
	}
	found, _ := readUnattend(windows(t, "windows10", "local.answers"))
	for _, account := range found[oobe+"UserAccounts/LocalAccounts/LocalAccount/Name"] {
		if n, _ := last.calls("Remove-LocalUser"); n != 1 || !slices.Contains(last.Strings, account) {
			t.Errorf("the account %s stays", account)
		}
	}
	at := 0
	for _, name := range []string{"Set-LocalUser", "Disable-LocalUser", "Start-Process", "Remove-AppxPackage", "Write-Console", "Stop-Computer"} {
		n, first := last.calls(name)
		if name == "Write-Console" { // that it is done
			first = at + slices.IndexFunc(last.Commands[at:], func(c psCommand) bool { return slices.Contains(c.Strings, "maas: done") })
		}
		if n == 0 || first <= at {
			t.Errorf("%s is called %d times, first as command %d, after %d", name, n, first, at)
		}
		at = first
	}
	if at != len(last.Commands)-1 {
		t.Errorf("there is more after the end: %+v", last.Commands[at:])
	}
}

// TestPowerShellSays has the builder end the build for what the scripts say
// when they fail, and for nothing else that they say.
func TestPowerShellSays(t *testing.T) {
	template, err := os.ReadFile(filepath.Join(Root, "example", "windows", "windows.pkr.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(`(?m)^  failure_patterns = \["(.*?)", `).FindSubmatch(template)
	if pattern == nil {
		t.Fatal("the template has no failure_patterns")
	}
	reader, err := console.NewReader(nil, []string{string(pattern[1])}, nil)
	if err != nil {
		t.Fatal(err)
	}
	said, failures := 0, 0
	for name, s := range scripts(t) {
		for _, c := range s.Commands {
			if c.Name != "Write-Console" || len(c.Strings) == 0 {
				continue
			}
			said++
			line := regexp.MustCompile(`\$(\([^()]*(\([^()]*\))*[^()]*\)|\{\w+\}|\w+)`).ReplaceAllString(c.Strings[0], "something failed")
			failed := reader.Line(line).Kind
			isFailure := strings.HasPrefix(line, "maas: failed: ")
			if isFailure {
				failures++
			}
			if want := map[bool]console.Kind{true: console.Failure, false: console.Nothing}[isFailure]; failed != want {
				t.Errorf("%s:%d: %q is of kind %d, want %d", name, c.Line, line, failed, want)
			}
		}
	}
	if said < 10 || failures != 1 {
		t.Errorf("%d lines are said, %d of them failures", said, failures)
	}
	answers := windows(t, "windows2022", "local.answers")
	if line := "maas: failed: start: no volume has"; !strings.Contains(answers, "echo "+line) || reader.Line(line).Kind != console.Failure {
		t.Errorf("a volume that is not there is no failure:\n%s", answers)
	}
}

// TestPowerShellSteps holds the steps to their order: nobody can log in once
// the last begins, and hooks come late enough that a build cut short has none.
func TestPowerShellSteps(t *testing.T) {
	all := scripts(t)
	var steps []string
	for name, s := range all {
		if name == "build" || name == "common" {
			continue
		}
		steps = append(steps, name[strings.Index(name, "-")+1:])
		for _, c := range s.Commands {
			if ends := c.Name == "Stop-Computer" || c.Name == "Restart-Computer"; ends && !strings.HasSuffix(name, "-generalize") {
				t.Errorf("%s:%d: %s is not this step's to call", name, c.Line, c.Name)
			}
		}
	}
	slices.SortFunc(steps, func(a, b string) int { return strings.Compare(number(all, a), number(all, b)) })
	want := []string{"prepare", "drivers", "virtio", "updates", "cloudbase-init", "custom", "curtin", "cleanup", "generalize"}
	if !slices.Equal(steps, want) {
		t.Errorf("the steps are %v, want %v", steps, want)
	}
}

// number is a step's, with which its file's name begins.
func number(all map[string]script, step string) string {
	for name := range all {
		if strings.HasSuffix(name, "-"+step) && len(name) == len(step)+3 {
			return name[:2]
		}
	}
	return ""
}
