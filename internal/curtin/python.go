package curtin

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/process"
)

// parseLimit is how long the parser may take. It takes a moment.
const parseLimit = 20 * time.Second

// maxProgram is the largest program that is looked at in a folder of hooks, in
// bytes.
const maxProgram = 1 << 20

// parser reads programs and says what is wrong with them. It runs none.
//
//go:embed parse.py
var parser string

// Python is what a parser says of a Python program.
type Python struct {
	// Error is why it does not compile, with its line; "" if it does.
	Error string `json:"error"`
	// TooNew is what in it the Python of the oldest Ubuntu that deploys, 20.04's
	// 3.8, does not know; "" for nothing.
	TooNew string `json:"too_new"`
	// Version is the parser's own.
	Version string `json:"version"`
}

// IsPython says whether a file in the hooks' folder is a Python program, by its
// name or its first line.
func IsPython(name, text string) bool {
	first, _, _ := strings.Cut(text, "\n")
	return path.Ext(name) == ".py" || strings.HasPrefix(first, "#!") && strings.Contains(first, "python3")
}

// ParsePython has this machine's python3 compile programs, without running them.
func ParsePython(ctx context.Context, programs map[string][]byte) (map[string]Python, error) {
	python, err := exec.LookPath("python3")
	if err != nil {
		return nil, errors.New("there is no python3 here to parse it")
	}
	in, err := json.Marshal(programs)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	// Isolated, and without the modules of this machine's site.
	cmd := exec.Command(python, "-I", "-S", "-c", parser)
	cmd.Stdin, cmd.Stdout = bytes.NewReader(in), &out
	ctx, cancel := context.WithTimeout(ctx, parseLimit)
	defer cancel()
	p, err := process.Start(cmd)
	if err != nil {
		return nil, err
	}
	select {
	case <-p.Exited():
	case <-ctx.Done():
		p.Kill()
		return nil, ctx.Err()
	}
	var parsed map[string]Python
	if err := json.Unmarshal(out.Bytes(), &parsed); err != nil {
		return nil, fmt.Errorf("this machine's python3 does not parse it: %w", p.Err())
	}
	return parsed, nil
}

// checkPython says which Python programs in a folder of hooks do not compile, as
// far as this machine can tell.
func checkPython(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	programs := map[string][]byte{}
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		if info, err := entry.Info(); err != nil || info.Size() > maxProgram {
			return err
		}
		text, err := fs.ReadFile(root.FS(), name)
		if err == nil && IsPython(name, string(text)) {
			programs[filepath.Join(dir, name)] = text
		}
		return err
	})
	if err != nil || len(programs) == 0 {
		return err
	}
	parsed, err := ParsePython(context.Background(), programs)
	if err != nil {
		return nil // the checks of the image say so
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(parsed)) {
		if p := parsed[name]; p.Error != "" {
			errs = append(errs, fmt.Errorf("%s does not compile as Python %s: %s", name, p.Version, p.Error))
		}
	}
	return errors.Join(errs...)
}
