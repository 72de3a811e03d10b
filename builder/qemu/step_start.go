package qemu

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/multistep"

	"github.com/packer-maas/packer-plugin-maas/internal/machine"
)

// stepStart starts the machine, and ends it with the build whatever happens.
type stepStart struct {
	*build

	stage stage

	started *machine.Machine
	watched *watch
}

func (s *stepStart) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	if err := s.start(ctx); err != nil {
		return s.fail(state, fmt.Errorf("start the machine: %w", err))
	}
	return multistep.ActionContinue
}

func (s *stepStart) start(ctx context.Context) error {
	args, err := s.arguments(s.stage)
	if err != nil {
		return err
	}
	cfg := machine.Config{Program: s.program, Args: args, NoConsole: s.serial()}
	if cfg.TPM, err = s.tpm(); err != nil {
		return err
	}
	if cfg.NoConsole && s.stage != installed {
		s.ui.Say("Warning: qemuargs take the serial port, so that the console is not read")
	}
	if s.watched, err = newWatch(s.config, s.ui, s.consoleLog(), s.stage != installed); err != nil {
		return err
	}
	log.Printf("%s %q", s.program, args)
	if s.started, err = machine.Start(ctx, cfg); err != nil {
		close(s.watched.done)
		return err
	}
	go s.watched.follow(s.started.Console())
	s.machine, s.watch = s.started, s.watched
	return s.announce(ctx)
}

// consoleLog is where the console goes.
func (b *build) consoleLog() string {
	if b.config.ConsoleLog != "" {
		return b.config.ConsoleLog
	}
	return b.beside(".console.log")
}

// announce says that the machine runs, and where its screen is.
func (s *stepStart) announce(ctx context.Context) error {
	q := &s.config.QEMU
	what := map[stage]string{only: "The machine", installing: "The installer", installed: "The installed system"}[s.stage]
	if s.stage == only && q.CommConfig.Comm.Type == communicatorNone && !q.DiskImage {
		what = "The installer"
	}
	text := fmt.Sprintf("%s starts (%s, %s, %s)", what, s.config.Architecture, s.firmwareName(), q.Accelerator)
	if !q.DisableVNC {
		address, err := s.started.VNC(ctx)
		if err != nil {
			return err
		}
		if address != "" {
			text += "; its screen is at vnc://" + address
		}
		if q.VNCUsePassword && address != "" {
			s.vncPassword = rand.Text()[:8] // as long as the protocol allows
			if err := s.started.SetVNCPassword(ctx, s.vncPassword); err != nil {
				return err
			}
			text += ", with the password " + s.vncPassword
		}
		s.vnc = address
	}
	s.ui.Say(text)
	return nil
}

func (b *build) firmwareName() string {
	if b.config.FirmwareKind != "" {
		return b.config.FirmwareKind
	}
	return filepath.Base(b.config.QEMU.Firmware)
}

// tpm is the TPM's state, which stays for all machines of the build.
func (s *stepStart) tpm() (*machine.TPM, error) {
	q := &s.config.QEMU
	if !s.config.TPM && !q.VTPM {
		return nil, nil
	}
	version := "2.0"
	if q.VTPMUseTPM1 {
		version = "1.2"
	}
	dir := filepath.Join(s.work, "tpm")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &machine.TPM{Dir: dir, Version: version, Device: q.TPMType}, nil
}

// Cleanup ends whatever is left of the machine.
func (s *stepStart) Cleanup(multistep.StateBag) {
	if s.started != nil {
		s.started.Close()
	}
	if s.watched != nil {
		if err := s.watched.close(); err != nil {
			s.ui.Error(fmt.Sprintf("write the console's log: %v", err))
		}
	}
	if path := s.config.QEMU.QMPSocketPath; path != "" && s.config.has("qmp_enable") {
		_ = os.Remove(path)
	}
}

// end switches the machine off, whose guest has stopped, and closes its console.
func (b *build) end(ctx context.Context) error {
	err := b.machine.Quit(ctx)
	b.machine.Close()
	select {
	case <-b.watch.done:
	case <-time.After(time.Second):
	}
	return err
}
