package insert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ntfsPrograms are all of Debian's package ntfs-3g.
var ntfsPrograms = []string{"ntfs-3g", "ntfs-3g.probe", "ntfsinfo"}

// intoNTFS puts files into an NTFS file system. Nothing in Go can be trusted
// to write one, so that ntfs-3g does it, in a copy of the partition; what it
// has changed there is brought back.
func intoNTFS(ctx context.Context, p *part, files []file, job Job) (err error) {
	for _, name := range ntfsPrograms {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("NTFS is written by ntfs-3g, and %s is not installed: install the package ntfs-3g; or %s", name, betterWay)
		}
	}
	work, err := os.MkdirTemp(job.Folder, ".ntfs-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	image, err := os.Create(filepath.Join(work, "volume"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, image.Close()) }()
	job.Say("Copying the NTFS partition, for ntfs-3g to write into the copy")
	if err := p.copyTo(ctx, image); err != nil {
		return err
	}
	if err := checkNTFS(ctx, image.Name()); err != nil {
		return err
	}
	mounted := filepath.Join(work, "mounted")
	if err := os.Mkdir(mounted, 0o700); err != nil {
		return err
	}
	if err := withMounted(ctx, image.Name(), mounted, func() error { return copyFiles(ctx, mounted, files) }); err != nil {
		return err
	}
	return p.takeBack(ctx, image)
}

// checkNTFS refuses a file system that Windows did not leave in order.
func checkNTFS(ctx context.Context, image string) error {
	out, err := run(ctx, "ntfs-3g.probe", "--readwrite", image)
	var exit *exec.ExitError
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return err
	case errors.As(err, &exit) && exit.ExitCode() == 14: // ntfs-3g.probe(8)
		return errors.New("its Windows is hibernated, or has its fast startup on: shut it down with shutdown /s /t 0 after powercfg /h off")
	case errors.As(err, &exit) && exit.ExitCode() == 15:
		return errors.New("its Windows was not shut down cleanly: start it, and shut it down with shutdown /s /t 0")
	default:
		return fmt.Errorf("ntfs-3g cannot write it: %w: %s", err, out)
	}
	out, err = run(ctx, "ntfsinfo", "--mft", image)
	if ctx.Err() != nil {
		return err
	}
	if err != nil {
		return fmt.Errorf("the NTFS file system is marked as damaged: start Windows, and have chkdsk repair it: %s", out)
	}
	return nil
}

// run runs a program and returns what it said, as one line.
func run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var said bytes.Buffer
	cmd.Stderr = &said
	err := cmd.Run()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return oneLine(said.String()), err
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// copyFiles copies the files into a mounted volume.
func copyFiles(ctx context.Context, mounted string, files []file) error {
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := checkCase(mounted, f.at); err != nil {
			return fmt.Errorf("/%s: %w", f.at, err)
		}
		if err := copyFile(filepath.Join(mounted, f.at), f); err != nil {
			var p *os.PathError
			if errors.As(err, &p) {
				err = p.Err
			}
			if errors.Is(err, unix.ENOSPC) {
				err = fmt.Errorf("it has %d bytes, and the file system is full", f.size)
			}
			return fmt.Errorf("/%s: %w", f.at, err)
		}
	}
	return nil
}

// checkCase refuses a name beside the same one in other case: Windows could
// reach only one of the two, and Linux, where curtin runs, tells them apart.
func checkCase(mounted, at string) error {
	entries, err := os.ReadDir(filepath.Join(mounted, path.Dir(at)))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != path.Base(at) && strings.EqualFold(e.Name(), path.Base(at)) {
			return fmt.Errorf("the volume has %q, which Linux takes for another name; have the build rename it", e.Name())
		}
	}
	return nil
}

func copyFile(to string, f file) (err error) {
	if f.folder {
		if err := os.Mkdir(to, 0o755); !errors.Is(err, os.ErrExist) {
			return err
		}
		if info, err := os.Stat(to); err != nil || !info.IsDir() {
			return errors.Join(err, errors.New("there is a file of that name"))
		}
		return nil
	}
	from, err := os.Open(f.from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.CopyN(out, from, f.size)
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	return os.Chtimes(to, f.modified, f.modified)
}
