package process

import "syscall"

func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Setpgid:   true,            // a terminal's Ctrl-C is ours to handle
		Pdeathsig: syscall.SIGKILL, // nothing is left when we are killed
	}
}
