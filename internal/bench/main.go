// Bench packs a disk outside Packer, or only compresses a tar that is ready,
// for `make bench` to tell what that costs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/packer-maas/packer-plugin-maas/internal/image"
	"github.com/packer-maas/packer-plugin-maas/internal/pack"
)

func main() {
	level := flag.Int("level", image.DefaultLevel, "compression level")
	plain := flag.Bool("no-compress", false, "write the bare tar")
	compress := flag.Bool("only-compress", false, "DISK is a tar that is ready: compress it, and nothing else")
	filetype := flag.String("filetype", image.DefaultFiletype, "filetype of the image")
	keep := flag.Bool("keep-free-space", false, "of a whole disk, pack also what no file owns")
	skip := flag.Bool("no-verify", false, "do not read the image again")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: bench [-level N] [-no-compress | -only-compress] DISK OUTPUT")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	if *compress {
		if err := compressFile(flag.Arg(0), flag.Arg(1), *level); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	result, err := pack.Run(ctx, pack.Job{
		Disk:          flag.Arg(0),
		Output:        flag.Arg(1),
		KeepFreeSpace: *keep,
		Image:         image.Options{Filetype: *filetype, Level: *level, Plain: *plain, Force: true, SkipVerify: *skip},
	}, quiet{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
	fmt.Printf("%s in %s\n", result.Summary, result.Elapsed)
}

// compressFile is what an image costs when its tar need not be made.
func compressFile(path, output string, level int) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := image.Create(output, true)
	if err != nil {
		return err
	}
	defer out.Abort() //nolint:errcheck // the first error counts
	gz, err := image.NewGzip(out, level)
	if err != nil {
		return err
	}
	if _, err := io.Copy(gz, in); err != nil {
		return errors.Join(err, gz.Close())
	}
	if err := gz.Close(); err != nil {
		return err
	}
	return out.Commit()
}

// quiet reports nothing.
type quiet struct{}

func (quiet) Say(string)            {}
func (quiet) Progress(int64, int64) {}
