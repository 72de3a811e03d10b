package pack

import (
	"fmt"
	"os"

	"github.com/packer-maas/packer-plugin-maas/internal/image"
)

// checkKeeps refuses a job that would put one of its files in the place of one
// that it reads.
func (job Job) checkKeeps(read []string) error {
	if Replaces(job.Output, append([]string{job.Disk}, job.MoreDisks...)) != "" {
		return fmt.Errorf("%s is the disk itself; the image must go elsewhere", job.Output)
	}
	for _, path := range append([]string{job.Output, job.Output + image.ChecksumEnding}, job.Beside...) {
		if from := Replaces(path, read); from != "" {
			return fmt.Errorf("%s would be replaced, and the disk is read from it (%s): give the image another name, or put it elsewhere", path, from)
		}
	}
	return nil
}

// Replaces returns the one of the files whose content or name goes when there
// is a new file at path; "" if that is none of them. A symbolic link at path to
// one of them can go.
func Replaces(path string, files []string) string {
	to, err := os.Lstat(path)
	if err != nil {
		return ""
	}
	for _, file := range files {
		// Opening one that is not there tells why.
		if name, err := os.Lstat(file); err == nil && os.SameFile(name, to) {
			return file
		}
		if content, err := os.Stat(file); err == nil && os.SameFile(content, to) {
			return file
		}
	}
	return ""
}
