// Command checkdocs writes the table of checks for the documentation into the
// file that it is given.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/packer-maas/packer-plugin-maas/internal/check"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "checkdocs:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want the file to write, got %q", args)
	}
	if err := os.MkdirAll(filepath.Dir(args[0]), 0o755); err != nil {
		return err
	}
	return os.WriteFile(args[0], []byte(check.Table()), 0o644)
}
