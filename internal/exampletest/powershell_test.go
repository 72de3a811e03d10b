package exampletest

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// cmdlets are those of Windows PowerShell 5.1 that the scripts use, with the
// parameters they give. Source: Microsoft, Windows PowerShell's reference. The
// common parameters are ErrorAction and Confirm.
const cmdlets = `
Add-Content -Path -Value -Encoding
ConvertFrom-Json
ConvertTo-SecureString -String -AsPlainText -Force
Copy-Item -Path -Destination -Recurse -Force
Disable-LocalUser -SID
Dismount-DiskImage -ImagePath
ForEach-Object
Get-AppxPackage -AllUsers
Get-AuthenticodeSignature -FilePath -LiteralPath
Get-ChildItem -Path -LiteralPath -Directory -Filter -Recurse
Get-CimInstance -Namespace -ClassName
Get-Command
Get-Content -Path -Encoding -Raw -Tail
Get-FileHash -Path -Algorithm
Get-ItemProperty -Path
Get-LocalUser
Get-Partition -DiskNumber -DriveLetter
Get-PSDrive -PSProvider
Get-Volume
Invoke-CimMethod -InputObject -MethodName
Invoke-WebRequest -Uri -OutFile -Proxy -UseBasicParsing -UserAgent
Mount-DiskImage -ImagePath -PassThru
New-Object -ComObject
Out-Null
Remove-AppxPackage -AllUsers
Remove-Item -Path -Recurse -Force
Remove-ItemProperty -Path -Name
Remove-LocalUser
Remove-Partition
Restart-Computer -Force
Select-Object -First -Last
Select-String -Path -Pattern
Set-Content -Path -Value
Set-ItemProperty -Path -Name -Value
Set-LocalUser -SID -Password
Set-Service -Name -StartupType
Sort-Object -Property
Start-Process -FilePath -ArgumentList -NoNewWindow -PassThru -RedirectStandardError -RedirectStandardOutput -Wait
Start-Sleep -Seconds -Milliseconds
Stop-Computer -Force
Stop-Service -Name -Force
Test-Path -LiteralPath
Where-Object
`

// psCommand is a call of a command.
type psCommand struct {
	Name                string
	Line                int
	Parameters, Strings []string
}

// script is what powershell.py says of one.
type script struct {
	Errors    []int
	Functions map[string][]string
	Commands  []psCommand

	Caught, Assigned, Strings, Keys, Settings, Flow []string
}

// calls says how often a script calls a command, and where first.
func (s script) calls(name string) (n, first int) {
	for i, c := range s.Commands {
		if c.Name == name {
			if n++; n == 1 {
				first = i
			}
		}
	}
	return n, first
}

// scripts reads those of the Windows template, by their names.
func scripts(t *testing.T) map[string]script {
	t.Helper()
	python := PythonTool(t, "python3")
	dir := filepath.Join(Root, "example", "windows", "scripts")
	files, err := filepath.Glob(filepath.Join(dir, "*.ps1"))
	steps, err2 := filepath.Glob(filepath.Join(dir, "steps", "*.ps1"))
	if err != nil || err2 != nil || len(files) == 0 || len(steps) == 0 {
		t.Fatalf("no scripts: %v, %v", err, err2)
	}
	out, err := exec.Command(python, append([]string{"-B", filepath.Join("windows", "powershell.py")}, append(files, steps...)...)...).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var read map[string]script
	if err := json.Unmarshal(out, &read); err != nil {
		t.Fatal(err)
	}
	named := map[string]script{}
	for path, s := range read {
		named[strings.TrimSuffix(filepath.Base(path), ".ps1")] = s
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// What has no mark of its encoding is read in the system's own.
		if i := strings.IndexFunc(string(text), func(r rune) bool { return r > '~' || r < ' ' && r != '\n' }); i >= 0 {
			t.Errorf("%s is not ASCII at byte %d", path, i)
		}
	}
	return named
}

// TestPowerShell reads the scripts with PowerShell's grammar, and looks every
// command and parameter up. A command that can fail without an error, which is
// any program, is called by Invoke-Program alone.
func TestPowerShell(t *testing.T) {
	all := scripts(t)
	known := map[string][]string{"&": {"-Settings", "-Media"}, ".": nil}
	for line := range strings.Lines(cmdlets) {
		if words := strings.Fields(line); len(words) > 0 {
			known[words[0]] = append(words[1:], "-ErrorAction", "-Confirm")
		}
	}
	maps.Copy(known, all["common"].Functions)
	for name, s := range all {
		if len(s.Errors) > 0 {
			t.Errorf("%s: no PowerShell at lines %v", name, s.Errors)
		}
		for _, c := range s.Commands {
			parameters, there := known[c.Name]
			if !there {
				t.Errorf("%s:%d: there is no %s", name, c.Line, c.Name)
			}
			for _, parameter := range c.Parameters {
				if !slices.Contains(parameters, parameter) {
					t.Errorf("%s:%d: %s has no %s", name, c.Line, c.Name, parameter)
				}
			}
		}
		for _, key := range s.Keys {
			if !strings.Contains(strings.ReplaceAll(cmdlets, "\n", " ")+"-ErrorAction ", "-"+key+" ") {
				t.Errorf("%s: no command has a parameter %s", name, key)
			}
		}
		// An exit would be taken for an end by neither side, and what & runs fails
		// without an error, if it is no script.
		if n, _ := s.calls("&"); slices.Contains(s.Flow, "exit") || n > 0 && name != "build" {
			t.Errorf("%s ends, or runs something, without a word", name)
		}
	}
	if main := all["build"]; !slices.Contains(main.Caught, "Stop-Build") || !slices.Contains(main.Assigned, "$ErrorActionPreference = 'Stop'") {
		t.Errorf("errors do not end the build: %+v", main)
	}
}

// TestPowerShellSettings has the template give all that the scripts read, and
// nothing else.
func TestPowerShellSettings(t *testing.T) {
	var given map[string]any
	if err := json.Unmarshal([]byte(windows(t, "windows2022", "jsonencode(local.settings)")), &given); err != nil {
		t.Fatal(err)
	}
	read := map[string]bool{}
	for name, s := range scripts(t) {
		for _, setting := range s.Settings {
			read[setting] = true
			if _, there := given[setting]; !there {
				t.Errorf("%s reads %s, which is not given", name, setting)
			}
		}
	}
	for setting := range given {
		if !read[setting] {
			t.Errorf("%s is given, but not read", setting)
		}
	}
}
