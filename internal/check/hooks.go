package check

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/curtin"
	"github.com/packer-maas/packer-plugin-maas/internal/facts"
)

// interpreters are what the Ubuntu that deploys is known to have.
var interpreters = []string{"sh", "bash", "dash", "python3", "perl"}

var hookChecks = []Check{
	{
		"hook-runs", Error, tarball | disk, func(s *subject) []string { return s.everyHook(checkHookFile) },
		"make it a regular file with its run bits set; the option curtin_hooks does that",
		"curtin executes it, and the deployment fails if it cannot",
		"curtin, curtin/util.py, run_hook_if_exists",
	}, {
		"hook-interpreter", Error, tarball | disk, func(s *subject) []string { return s.everyHook(checkHookLine) },
		"begin it with a line such as #!/usr/bin/env python3 or #!/bin/sh, saved with LF line endings",
		"curtin executes it in the Ubuntu that deploys, by its first line, and the deployment fails if there is no such interpreter",
		"execve(2); the interpreters are those of Ubuntu's server images",
	}, {
		"hook-syntax", Error, tarball | disk, func(s *subject) []string {
			return s.everyPython(func(p curtin.Python) string {
				return unless(p.Error == "", fmt.Sprintf("does not compile as Python %s: %s", p.Version, p.Error))
			})
		},
		"correct that line: python3 -m py_compile says the same without running the program",
		"Python ends at once where curtin starts it, and the deployment fails",
		"compile() of the python3 of the machine that checks",
	}, {
		"hook-python", Warning, tarball | disk, func(s *subject) []string {
			return s.everyPython(func(p curtin.Python) string {
				return unless(p.TooNew == "", "is not for Python 3.8: "+p.TooNew)
			})
		},
		"write it for Python 3.8, if regions deploy with Ubuntu 20.04",
		"curtin starts it with the Python of the Ubuntu that deploys: 20.04 has 3.8, 22.04 has 3.10, 24.04 has 3.12",
		"ast.parse() of the python3 of the machine that checks, with its feature_version",
	}, {
		"disk-hooks", Error, disk, func(s *subject) []string {
			return one(s.Tree != nil && s.isSystem() && s.hook.Path == "", "the disk has a Linux system and no /curtin/curtin-hooks")
		},
		"have the build put a curtin-hooks there that configures what is needed, or make a tgz",
		"curtin configures the system as it would a tgz then, and leaves an /etc/fstab without a line: /boot and /boot/efi are not mounted any more",
		"curtin, curtin/commands/curthooks.py; tried",
	},
}

// everyHook asks a question about each hook.
func (s *subject) everyHook(find func(*subject, hook) string) []string {
	var found []string
	for _, name := range curtin.Hooks {
		for _, h := range s.hooks(name) {
			if problem := find(s, h); problem != "" {
				found = append(found, "/"+h.Path+" "+problem)
			}
		}
	}
	return found
}

// unless is a problem, or none.
func unless(is bool, problem string) string {
	if is {
		return ""
	}
	return problem
}

// everyPython asks a question about each Python program beside the hooks.
func (s *subject) everyPython(find func(curtin.Python) string) []string {
	trees := []*facts.Tree{s.Tree}
	if s.Disk != nil {
		trees = nil
		for _, v := range s.Disk.Volumes {
			trees = append(trees, v.Files)
		}
	}
	var found []string
	for _, t := range trees {
		if t == nil {
			continue
		}
		for _, at := range slices.Sorted(maps.Keys(t.Python)) {
			if problem := find(t.Python[at]); problem != "" {
				found = append(found, "/"+at+" "+problem)
			}
		}
	}
	return found
}

func checkHookFile(_ *subject, h hook) string {
	bits := h.Volume == nil || !slices.Contains([]string{"vfat", "ntfs", "exfat"}, h.Volume.Type) // others have no run bits
	switch {
	case !h.File.Mode.IsRegular():
		return "is not a regular file"
	case bits && h.File.Mode&0o111 == 0:
		return fmt.Sprintf("has the mode %04o: nobody may run it", h.File.Mode.Perm())
	}
	return ""
}

func checkHookLine(_ *subject, h hook) string {
	if h.Text == "" {
		if h.File.Size == 0 {
			return "is empty"
		}
		return "" // too large to be looked into
	}
	first, _, _ := strings.Cut(h.Text, "\n")
	if strings.HasPrefix(first, "\x7fELF") {
		return ""
	}
	if err := curtin.CheckFirstLine([]byte(first + "\n")); err != nil {
		return err.Error()
	}
	words := strings.Fields(first[2:])
	name := path.Base(words[0])
	if name == "env" {
		words = slices.DeleteFunc(words[1:], func(word string) bool { return strings.HasPrefix(word, "-") })
		if len(words) == 0 {
			return "names no interpreter in its first line"
		}
		name = path.Base(words[0])
	}
	switch {
	case !slices.Contains(interpreters, name):
		return fmt.Sprintf("wants the interpreter %q, which the Ubuntu that deploys need not have", name)
	case name != "python3" && strings.Contains(h.Text, "\r\n"):
		return "has Windows line endings, which a shell takes for a part of each command"
	}
	return ""
}
