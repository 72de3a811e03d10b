package insert

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fat"
)

// intoFAT puts files into a FAT file system.
func intoFAT(ctx context.Context, p *part, files []file) error {
	editor, err := fat.Edit(p)
	if err != nil {
		return err
	}
	total, free := int64(0), editor.Free()
	for _, f := range files {
		if !f.folder {
			total += f.size
		}
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if f.folder {
			err = editor.Mkdir(f.at, f.modified)
		} else {
			err = writeFAT(editor, f)
		}
		if err != nil {
			return fmt.Errorf("%w (all files have %d bytes, the file system had %d free)", err, total, free)
		}
	}
	return editor.Close()
}

func writeFAT(editor *fat.Editor, f file) (err error) {
	from, err := os.Open(f.from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	return editor.WriteFile(f.at, from, f.size, f.modified)
}
