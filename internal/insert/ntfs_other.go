//go:build !linux

package insert

import (
	"context"
	"errors"
)

func intoNTFS(context.Context, *part, []file, Job) error {
	return errors.New("NTFS can be written on Linux only; " + betterWay)
}
