package machine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/packer-maas/packer-plugin-maas/internal/process"
)

// TPM is a trusted platform module, emulated by swtpm.
type TPM struct {
	Dir     string // an empty folder for its state
	Version string // "2.0" or "1.2"
	Device  string // QEMU's name for the kind of device, such as tpm-tis
}

// start runs swtpm, which ends when QEMU does, and returns QEMU's end of its
// control channel.
func (t *TPM) start() (*process.Process, *os.File, error) {
	program, err := exec.LookPath("swtpm")
	if err != nil {
		return nil, nil, errors.New("a TPM needs swtpm, which is not installed: its package is swtpm on Debian, Ubuntu, Fedora and SUSE")
	}
	conn, theirs, err := socketPair()
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	ours, err := conn.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		_ = theirs.Close()
		return nil, nil, err
	}
	defer ours.Close()
	args := []string{"socket", "--tpmstate", "dir=" + t.Dir, "--ctrl", "type=unixio,clientfd=3", "--terminate"}
	if t.Version == "2.0" {
		args = append(args, "--tpm2")
	}
	cmd := exec.Command(program, args...)
	cmd.ExtraFiles = []*os.File{ours}
	p, err := process.Start(cmd)
	if err != nil {
		_ = theirs.Close()
		return nil, nil, err
	}
	return p, theirs, nil
}

// args are QEMU's for the TPM whose control channel is a file descriptor.
func (t *TPM) args(fd int) []string {
	return []string{
		"-chardev", fmt.Sprintf("socket,id=maas-tpm,fd=%d", fd),
		"-tpmdev", "emulator,id=maas-tpm,chardev=maas-tpm", "-device", t.Device + ",tpmdev=maas-tpm",
	}
}
