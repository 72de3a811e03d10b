package qemu

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/bootcommand"
	"github.com/hashicorp/packer-plugin-sdk/multistep"
	"github.com/hashicorp/packer-plugin-sdk/template/interpolate"
	"github.com/mitchellh/go-vnc"
)

// stepType types the boot command, for what cannot be started in another way.
type stepType struct{ *build }

func (s *stepType) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	q := &s.config.QEMU
	steps := q.BootSteps
	if command := q.FlatBootCommand(); command != "" {
		steps = [][]string{{command}}
	}
	if len(steps) == 0 || q.DisableVNC {
		return multistep.ActionContinue
	}
	select {
	case <-time.After(q.BootWait):
	case <-s.machine.Stopped():
	case <-ctx.Done():
		return multistep.ActionHalt
	}
	if err := s.typeAll(ctx, state, steps); err != nil {
		if ctx.Err() != nil {
			return multistep.ActionHalt
		}
		return s.fail(state, fmt.Errorf("type the boot command: %w", err))
	}
	return multistep.ActionContinue
}

func (*stepType) Cleanup(multistep.StateBag) {}

func (s *stepType) typeAll(ctx context.Context, state multistep.StateBag, steps [][]string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", s.vnc)
	if err != nil {
		return err
	}
	defer conn.Close()
	var auth vnc.ClientAuth = new(vnc.ClientAuthNone)
	if s.vncPassword != "" {
		auth = &vnc.PasswordAuth{Password: s.vncPassword}
	}
	client, err := vnc.Client(conn, &vnc.ClientConfig{Auth: []vnc.ClientAuth{auth}})
	if err != nil {
		return err
	}
	defer client.Close()
	keyboard := bootcommand.NewVNCDriver(client, s.config.QEMU.BootKeyInterval)
	s.ui.Say("Typing the boot command")
	for _, step := range steps {
		if len(step) == 0 {
			continue
		}
		if len(step) > 1 {
			s.ui.Say("Typing: " + step[1])
		}
		if err := s.typeOne(ctx, keyboard, step[0]); err != nil {
			return err
		}
		if pause, ok := state.Get("pauseFn").(multistep.DebugPauseFn); ok && s.config.QEMU.PackerDebug {
			pause(multistep.DebugLocationAfterRun, "boot_command: "+step[0], state)
		}
	}
	return nil
}

func (s *stepType) typeOne(ctx context.Context, keyboard bootcommand.BCDriver, step string) error {
	render := s.config.ctx
	render.Data = struct {
		HTTPIP   string
		HTTPPort int
		Name     string
		Console  string
	}{s.httpIP, s.httpPort, s.config.QEMU.VMName, consoles[s.config.Architecture]}
	command, err := interpolate.Render(step, &render)
	if err != nil {
		return err
	}
	keys, err := bootcommand.GenerateExpressionSequence(command)
	if err != nil {
		return err
	}
	return keys.Do(ctx, keyboard)
}
