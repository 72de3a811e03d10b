// Package curtin knows what curtin, MAAS's installer, expects inside an image.
package curtin

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Folder is where curtin looks for hooks, relative to the image's root.
const Folder = "curtin"

// Hooks are the programs that curtin starts by these names in its folder:
// the first replaces its own configuration of the system, the second runs at
// the end of the deployment.
// Source: curtin's documentation, "Curthooks / New OS support".
var Hooks = []string{"curtin-hooks", "finalize"}

// IsHook says whether a file in the hooks' folder is one that curtin starts.
func IsHook(name string) bool {
	return name == Hooks[0] || name == Hooks[1]
}

// CheckHooks says what is wrong with a folder of hooks on this machine:
// curtin starts them by their first line, in the Ubuntu that deploys, and a
// line ending of another world makes that fail half an hour into a
// deployment.
func CheckHooks(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	var errs []error
	found := 0
	for _, name := range Hooks {
		hook := filepath.Join(dir, name)
		if _, err := os.Lstat(hook); errors.Is(err, os.ErrNotExist) {
			continue
		}
		found++
		if err := checkHook(hook); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", hook, err))
		}
	}
	errs = append(errs, checkPython(dir))
	if found == 0 {
		return fmt.Errorf("%s has neither of the hooks that curtin starts, %s", dir, strings.Join(Hooks, " and "))
	}
	return errors.Join(errs...)
}

func checkHook(hook string) error {
	info, err := os.Stat(hook)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("curtin starts only regular files")
	}
	file, err := os.Open(hook)
	if err != nil {
		return err
	}
	defer file.Close()
	first, err := bufio.NewReader(io.LimitReader(file, 4096)).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return CheckFirstLine(first)
}

// CheckFirstLine says why the kernel would not start a program by its first line.
func CheckFirstLine(line []byte) error {
	switch {
	case bytes.HasPrefix(line, []byte("\x7fELF")):
		return nil
	case bytes.HasPrefix(line, []byte("\xef\xbb\xbf")):
		return errors.New("begins with a byte order mark, which hides its first line from the kernel; save it as plain UTF-8")
	case !bytes.HasPrefix(line, []byte("#!")):
		return errors.New(`has no "#!" line that names its interpreter, such as "#!/usr/bin/env python3"`)
	case bytes.ContainsRune(line, '\r'):
		return errors.New("has Windows line endings (CRLF) or a carriage return in its first line; curtin would look for an interpreter whose name ends in a carriage return; convert it with dos2unix")
	case !strings.HasPrefix(strings.TrimSpace(string(line[2:])), "/"):
		return fmt.Errorf("its first line %q does not name an interpreter by a full path", strings.TrimSpace(string(line)))
	}
	return nil
}
