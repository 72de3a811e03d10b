// Package image writes what MAAS deploys: a tree of files as a pax tar that
// curtin extracts without losing an owner, a label or a hole, or a whole disk;
// compressed on all cores, read again, and under its final name only when it
// is complete.
package image

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/packer-maas/packer-plugin-maas/internal/tree"
)

// DefaultLevel is the compression level that packs fastest for its size.
const DefaultLevel = 6

// Options say how Pack writes an image.
type Options struct {
	// Filetype is MAAS's name of the form, one of Filetypes; "" is tgz.
	Filetype string
	// Level is the compressor's, 1 (fast) to 9 (small and very slow); 0 is
	// DefaultLevel. xz has only one.
	Level int
	// Plain writes the tar without compression.
	Plain bool
	// Force replaces an image that exists.
	Force bool
	// SkipVerify does not read again what was written.
	SkipVerify bool
	// Confirm, if not nil, is called when all is written and was read again. Its
	// error is the image's.
	Confirm func() error
	TarOptions

	// reread stands for the file as the verifier sees it, in tests.
	reread func(io.ReaderAt) io.ReaderAt
}

// Pack writes the tree to path as a compressed tar with path+".sha256" beside
// it. What stood at path stays untouched until the new image is complete and
// was read again, and stays for good if anything fails.
func Pack(ctx context.Context, path string, entries tree.Entries, opts Options) (Summary, error) {
	ft, err := opts.filetype(false)
	if err != nil {
		return Summary{}, err
	}
	return create(ctx, path, ft, opts, func(c *content) (Summary, error) {
		sum, err := WriteTar(ctx, c, entries, opts.TarOptions)
		if err == nil {
			err = writeError(c.finish())
		}
		return sum, err
	})
}

// create writes an image with the content that a function writes.
func create(ctx context.Context, path string, ft filetype, opts Options, write func(*content) (Summary, error)) (sum Summary, err error) {
	out, err := Create(path, opts.Force)
	if err != nil {
		return Summary{}, err
	}
	defer func() { err = errors.Join(err, out.Abort()) }()
	file := &checked{ctx: ctx, out: out}
	if !opts.SkipVerify {
		if file.verify, err = newVerifier(out.file.Name(), ft.codec, opts.reread); err != nil {
			return Summary{}, err
		}
		defer func() { err = errors.Join(err, file.verify.stop()) }()
		defer context.AfterFunc(ctx, file.verify.interrupt)()
	}
	level := opts.Level
	if level == 0 {
		level = DefaultLevel
	}
	to, err := newSink(file, ft, level)
	if err != nil {
		return Summary{}, err
	}
	c := newContent(to)
	sum, err = write(c)
	if cerr := to.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("compress image: %w", cerr)
	}
	if err == nil {
		err = file.verify.finish(c.sum())
	}
	if ctx.Err() != nil {
		err = ctx.Err() // whatever that broke
	}
	if err != nil {
		return Summary{}, err
	}
	if err := file.verify.stop(); err != nil { // a file that is open cannot be renamed everywhere
		return Summary{}, err
	}
	if opts.Confirm != nil {
		if err := opts.Confirm(); err != nil {
			return Summary{}, err
		}
	}
	if err := out.Commit(); err != nil {
		return Summary{}, err
	}
	sum.Size, sum.SHA256, sum.Verified = out.Size(), out.SHA256(), !opts.SkipVerify
	return sum, nil
}
