package qemu

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/multistep"

	"github.com/packer-maas/packer-plugin-maas/internal/console"
	"github.com/packer-maas/packer-plugin-maas/internal/machine"
)

const (
	// A failure's last lines, such as a panic's trace, may still be on their
	// way.
	failureDelay = 2 * time.Second
	// How long a machine may show no sign of life while it switches itself off,
	// once its installer has said that it is done.
	powerOffLimit = 30 * time.Second
	// How often the machine is asked whether it reads or writes.
	pollInterval = 5 * time.Second
)

// stepInstall waits until the installer is done, or is dead.
type stepInstall struct{ *build }

func (s *stepInstall) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	s.ui.Say(fmt.Sprintf("Waiting until the machine powers off, for %v at most", s.config.QEMU.ShutdownTimeout))
	err := s.wait(ctx)
	if err == nil {
		err = s.end(ctx)
	}
	if ctx.Err() != nil {
		return multistep.ActionHalt
	}
	if err != nil {
		return s.fail(state, s.explain(ctx, err))
	}
	return multistep.ActionContinue
}

func (*stepInstall) Cleanup(multistep.StateBag) {}

func (s *stepInstall) wait(ctx context.Context) error {
	q := &s.config.QEMU
	limit := time.After(q.ShutdownTimeout)
	poll := time.NewTicker(min(pollInterval, max(s.config.StallTimeout/4, 100*time.Millisecond)))
	if s.config.StallTimeout < 0 {
		poll.Stop()
	}
	defer poll.Stop()
	life := life{build: s.build, since: time.Now()}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.machine.Stopped():
			s.watch.settle(ctx)
			return s.judgeEnd(ctx)
		case <-s.watch.decided:
			return s.decide(ctx)
		case <-limit:
			return fmt.Errorf("the machine did not power off within %v (shutdown_timeout)", q.ShutdownTimeout)
		case <-poll.C:
			if silent := life.silence(ctx); silent > s.config.StallTimeout {
				return fmt.Errorf("the machine hangs: for %v it has said nothing new on its serial console, and neither read nor written a disk (stall_timeout)",
					silent.Round(time.Second))
			}
		}
	}
}

// life looks for signs of it.
type life struct {
	*build

	since    time.Time // the last sign
	activity machine.Activity
}

// silence is how long there was none.
func (l *life) silence(ctx context.Context) time.Duration {
	if now, err := l.machine.Activity(ctx); err == nil && now != l.activity {
		l.activity, l.since = now, time.Now()
	}
	if heard := l.watch.heardAt(); heard.After(l.since) {
		l.since = heard
	}
	return time.Since(l.since)
}

// decide acts on what the console has said.
func (s *stepInstall) decide(ctx context.Context) error {
	sign, line := s.watch.sign()
	switch sign.Kind {
	case console.Failure:
		select {
		case <-ctx.Done():
		case <-time.After(failureDelay):
		}
		return &failure{sign: sign, line: line}
	case console.Success:
		s.ui.Say("Console: " + line)
		return s.powerOff(ctx, powerOffLimit, s.config.QEMU.ShutdownTimeout)
	}
	s.ui.Say("Console: " + sign.What)
	return nil // halted: nothing moves any more
}

// powerOff asks the machine to switch itself off, and leaves the rest to who
// ends it: when it has been silent for so long, or at a limit.
func (b *build) powerOff(ctx context.Context, silent, limit time.Duration) error {
	if err := b.machine.Press(ctx); err != nil {
		return err
	}
	end := time.After(limit)
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	signs := life{build: b, since: time.Now()}
	for signs.silence(ctx) < silent {
		select {
		case <-b.machine.Stopped():
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-poll.C:
			continue
		case <-end:
		}
		break
	}
	b.ui.Say("The machine does not switch itself off, so that it is switched off")
	return nil
}

// judgeEnd says whether a machine that has stopped is a success.
func (s *stepInstall) judgeEnd(ctx context.Context) error {
	reason, err := s.machine.Reason()
	if err != nil {
		return err
	}
	sign, line := s.watch.sign()
	switch {
	case sign.Kind == console.Failure:
		return &failure{sign: sign, line: line}
	case sign.Kind == console.Success:
		return nil
	case reason != machine.PowerOff && reason != machine.Reset:
		return fmt.Errorf("the machine stopped: %s", reason)
	case len(s.config.SuccessPatterns) > 0:
		return errors.New("the machine powered off before any of success_patterns was on its serial console")
	}
	activity, err := s.machine.Activity(ctx)
	if err != nil {
		return err
	}
	if activity.Written == 0 && !s.config.QEMU.DiskImage {
		return errors.New("the machine powered off without having written to a disk: nothing was installed")
	}
	return nil
}

// failure is a sign of it on the console.
type failure struct {
	sign console.Sign
	line string
}

func (f *failure) Error() string { return fmt.Sprintf("%s: %s", f.sign.What, f.line) }

// explain adds to an error what a person needs to see why.
func (b *build) explain(ctx context.Context, err error) error {
	text := fmt.Sprintf("%v\n%s\nAll of it is in %s", err, b.watch.story(), b.consoleLog())
	if shot, err := b.machine.Screenshot(ctx, b.beside(".screen")); err == nil {
		text += "; the screen is in " + shot
	}
	if messages := b.machine.Messages(); messages != "" && !strings.HasPrefix(messages, "VNC server running") {
		text += "\nQEMU says: " + messages
	}
	return errors.New(text)
}
