package qemu

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/multistep"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// stepShutdown switches the machine off when the provisioners are done.
type stepShutdown struct{ *build }

func (s *stepShutdown) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	err := s.shutDown(ctx, state)
	if err == nil {
		err = s.end(ctx)
	}
	if ctx.Err() != nil {
		return multistep.ActionHalt
	}
	if err != nil {
		return s.fail(state, s.explain(ctx, fmt.Errorf("shut the machine down: %w", err)))
	}
	return multistep.ActionContinue
}

func (*stepShutdown) Cleanup(multistep.StateBag) {}

func (s *stepShutdown) shutDown(ctx context.Context, state multistep.StateBag) error {
	q := &s.config.QEMU
	comm, ok := state.Get("communicator").(packersdk.Communicator)
	if !ok {
		return errors.New("there is no communicator")
	}
	var command packersdk.RemoteCmd
	switch {
	case s.hasStopped(): // a provisioner has done it
		return nil
	case q.ShutdownCommand != "":
		command.Command = q.ShutdownCommand
	case s.config.Provision && q.CommConfig.Comm.Type == "ssh":
		s.ui.Say("Removing the account of the build from the system: " + q.CommConfig.Comm.SSHUsername)
		command.Command = removeCommand(q.CommConfig.Comm.SSHUsername)
		command.Stdin = strings.NewReader(q.CommConfig.Comm.SSHPassword + "\n")
	default:
		s.ui.Say("Pressing the machine's power button")
		return s.powerOff(ctx, q.ShutdownTimeout, q.ShutdownTimeout)
	}
	s.ui.Say("Shutting the machine down")
	err := command.RunWithUi(ctx, comm, s.ui)
	if err == nil && q.ShutdownCommand == "" && command.ExitStatus() != 0 {
		err = fmt.Errorf("the account %s could not be removed (status %d); a shutdown_command can do it in your way",
			q.CommConfig.Comm.SSHUsername, command.ExitStatus())
	}
	if err != nil && !s.hasStopped() {
		return err
	}
	select {
	case <-s.machine.Stopped():
		return nil
	case <-s.watch.decided:
		sign, line := s.watch.sign()
		return &failure{sign: sign, line: line}
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(q.ShutdownTimeout):
		return fmt.Errorf("it did not power off within %v (shutdown_timeout)", q.ShutdownTimeout)
	}
}

func (b *build) hasStopped() bool {
	select {
	case <-b.machine.Stopped():
		return true
	default:
		return false
	}
}

// removal removes an account and what belongs to it, checks that it is gone,
// and powers off when the connection has had time to end. The account is in use
// meanwhile, by this very command, which userdel is told not to mind.
const removal = `set -u
account=ACCOUNT
if [ "$account" = root ]; then
  rm -rf /root/.ssh
  passwd -l root >/dev/null || exit 1
else
  userdel -f -r "$account" >/dev/null 2>&1 || deluser --remove-home "$account" >/dev/null 2>&1
  ! grep -q "^$account:" /etc/passwd || exit 1
  for file in /etc/sudoers /etc/sudoers.d/*; do
    grep -q "^[[:space:]]*$account[[:space:]]" "$file" 2>/dev/null || continue
    sed -i "/^[[:space:]]*$account[[:space:]]/d" "$file"
    grep -q "^[[:space:]]*[^#[:space:]]" "$file" || rm -f "$file"
  done
  rm -f /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /etc/subuid- /etc/subgid-
fi
rm -f /etc/ssh/sshd_config.d/50-cloud-init.conf
(sleep 2; systemctl poweroff || poweroff) >/dev/null 2>&1 </dev/null &
`

// removeCommand runs the removal as root. Sudo reads the password, if it asks.
func removeCommand(account string) string {
	script := "'" + strings.ReplaceAll(removal, "ACCOUNT", account) + "'"
	if account == "root" {
		return "sh -c " + script
	}
	return "sudo -S -p '' sh -c " + script
}
