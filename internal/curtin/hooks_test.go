package curtin_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/curtin"
)

func TestCheckHooks(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string // part of the error; "" for none
	}{
		{"python", map[string]string{"curtin-hooks": "#!/usr/bin/env python3\nprint()\n"}, ""},
		{"both", map[string]string{"curtin-hooks": "#!/bin/sh\n", "finalize": "#! /bin/sh -e\n"}, ""},
		{"finalize alone", map[string]string{"finalize": "#!/bin/sh", "finalize.py": "x"}, ""},
		{"program", map[string]string{"curtin-hooks": "\x7fELF\x02\x01"}, ""},
		{"CRLF below the first line", map[string]string{"curtin-hooks": "#!/bin/sh\necho\r\n"}, ""},
		{"no hook", map[string]string{"readme": "x"}, "neither of the hooks"},
		{"empty", map[string]string{"curtin-hooks": ""}, `curtin-hooks: has no "#!" line`},
		{"no shebang", map[string]string{"curtin-hooks": "import os\n"}, `has no "#!" line`},
		{"CRLF", map[string]string{"finalize": "#!/bin/sh\r\necho\r\n"}, "Windows line endings"},
		{"carriage return at the end", map[string]string{"finalize": "#!/bin/sh\r"}, "carriage return"},
		{"line ends of old Macs", map[string]string{"finalize": "#!/bin/sh\recho\r"}, "carriage return"},
		{"byte order mark", map[string]string{"finalize": "\xef\xbb\xbf#!/bin/sh\n"}, "byte order mark"},
		{"relative", map[string]string{"finalize": "#!python3\n"}, "full path"},
		{"python that does not compile", map[string]string{"curtin-hooks": "#!/usr/bin/env python3\nif x\n"}, "curtin-hooks does not compile as Python 3."},
		{"its module", map[string]string{"finalize": "#!/bin/sh\npython3 \"${0%/*}/maas/main.py\"\n", "maas/main.py": "\tx\n"}, "main.py does not compile"},
		{"both wrong", map[string]string{"curtin-hooks": "x", "finalize": "#!/bin/sh\r\n"}, "Windows line endings"},
		{"folder", map[string]string{"curtin-hooks/x": "x"}, "only regular files"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range tt.files {
				at := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			err := curtin.CheckHooks(dir)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("error: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error is %v, want one that says %q", err, tt.want)
			}
		})
	}
}

func TestCheckHooksFolder(t *testing.T) {
	if err := curtin.CheckHooks(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no error for a folder that does not exist")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := curtin.CheckHooks(file); err == nil || !strings.Contains(err.Error(), "not a folder") {
		t.Errorf("error for a file is %v", err)
	}
}
