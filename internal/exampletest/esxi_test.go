package exampletest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// answers are the commands of ESXi's scripted installation that the kickstart
// uses, and their options. Source: "Installation and Upgrade Script Commands"
// in VMware ESXi Installation and Setup, 6.7 to 8.0.
var answers = map[string][]string{
	"vmaccepteula": nil,
	"rootpw":       {"--iscrypted"},
	"serialnum":    {"--esx"},
	"install":      {"--firstdisk", "--overwritevmfs", "--novmfsondisk", "--forceunsupportedinstall"},
	"keyboard":     nil,
	"network":      {"--bootproto", "--device"},
	"%post":        {"--interpreter"},
	"%firstboot":   {"--interpreter"},
}

const esxiISO = "vmware_esxi_iso_path=esxi.iso"

// esxi evaluates an expression in the template, for a version.
func esxi(t *testing.T, version, expression string, variables ...string) string {
	t.Helper()
	options := []string{"-var-file=" + Variables(t, "esxi")[version]}
	for _, variable := range append([]string{esxiISO}, variables...) {
		options = append(options, "-var", variable)
	}
	return strings.TrimSpace(Evaluate(t, "esxi", expression, nil, options...))
}

// TestESXiKickstart reads the installer's answers of each version, and the
// script that its first boot runs.
func TestESXiKickstart(t *testing.T) {
	for version := range Variables(t, "esxi") {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			text := esxi(t, version, "local.kickstart")
			commands, first, found := strings.Cut(text, "\n%firstboot --interpreter=busybox\n")
			if !found || !strings.Contains(commands, "\n%post --interpreter=busybox\n") {
				t.Fatalf("sections are missing:\n%s", text)
			}
			checkAnswers(t, commands)
			if !regexp.MustCompile(`\nrootpw [0-9a-f-]{23}-Mx\.s\n`).MatchString(commands) {
				t.Errorf("no generated password:\n%s", commands)
			}
			if strings.Contains(text, "serialnum") || version == "esxi6.7" == strings.Contains(text, "--forceunsupportedinstall") {
				t.Errorf("not this version's:\n%s", text)
			}
			script := filepath.Join(t.TempDir(), "first")
			if err := os.WriteFile(script, []byte(first), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("sh", "-n", script).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if got := settings(t, text); got["ssh"] != true || got["shell"] != false {
				t.Errorf("settings are %v", got)
			}
		})
	}
}

func checkAnswers(t *testing.T, commands string) {
	t.Helper()
	for line := range strings.Lines(commands) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") || words[0] == "halt" {
			continue
		}
		options, known := answers[words[0]]
		if !known {
			t.Errorf("%s is no command of the installer", words[0])
		}
		for _, word := range words[1:] {
			if name, _, _ := strings.Cut(word, "="); strings.HasPrefix(name, "--") && !slices.Contains(options, name) {
				t.Errorf("%s has no option %s", words[0], name)
			}
		}
	}
}

// settings are those that the first boot hands to the scripts.
func settings(t *testing.T, kickstart string) map[string]any {
	t.Helper()
	_, text, _ := strings.Cut(kickstart, "<<'SETTINGS'\n")
	text, _, _ = strings.Cut(text, "\nSETTINGS\n")
	var found map[string]any
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		t.Fatalf("%v\n%s", err, kickstart)
	}
	return found
}

// TestESXiChoices reads what variables change. Packer hides what is secret.
func TestESXiChoices(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte("-----BEGIN\nx$'\"<>\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := esxi(t, "esxi8", "local.kickstart", "root_password=$6$salt$hash", "license_key=A-B", "shell=true", "ssh=false",
		"vcenter_server=it's $HOME", "vcenter_password=secret", "vcenter_ca="+ca)
	for _, line := range []string{"\nrootpw --iscrypted <sensitive>\n", "\nserialnum --esx=<sensitive>\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	got := settings(t, text)
	vcenter, _ := got["vcenter"].(map[string]any)
	if got["shell"] != true || got["ssh"] != false || vcenter["server"] != "it's $HOME" || vcenter["password"] != "<sensitive>" || vcenter["ca"] != "-----BEGIN\nx$'\"<>\n" {
		t.Errorf("settings are %v", got)
	}
	if text := esxi(t, "esxi8", "local.kickstart", "root_password=VMware1!"); !strings.Contains(text, "\nrootpw <sensitive>\n") {
		t.Errorf("not the password that was given:\n%s", text)
	}
}

// TestESXiKeys holds what is typed to as little as there is: a key that does
// nothing until the boot loader is there, and one line.
func TestESXiKeys(t *testing.T) {
	for firmware, want := range map[string]string{
		"bios": strings.Repeat("<tab><wait1s>", 3),
		"uefi": strings.Repeat("<up><wait1s>", 3) + "O<wait1s>",
	} {
		want += " ks=usb:/KS.CFG com1_Port=0x3f8 tty2Port=com1 cpuUniformityHardCheckPanic=FALSE<enter>"
		if got := esxi(t, "esxi6.7", `join("", local.boot_command["`+firmware+`"])`, "boot_wait=3"); got != want {
			t.Errorf("%s: typed is\n%s, want\n%s", firmware, got, want)
		}
	}
}

// TestESXiPython holds the scripts to the Python that runs them: 3.5 is ESXi
// 6.7's, 3.8 the one of the oldest Ubuntu that deploys.
func TestESXiPython(t *testing.T) {
	vermin := PythonTool(t, "vermin")
	curtin := filepath.Join(Root, "example", "esxi", "curtin")
	for _, tt := range []struct{ oldest, path string }{
		{"3.5", filepath.Join(curtin, "maas")},
		{"3.8", filepath.Join(curtin, "curtin-hooks")},
	} {
		out, err := exec.Command(vermin, "--no-tips", "--violations", "--eval-annotations", "-t="+tt.oldest+"-", tt.path).CombinedOutput()
		if err != nil {
			t.Errorf("%s: needs more than Python %s: %v\n%s", tt.path, tt.oldest, err, out)
		}
	}
}
