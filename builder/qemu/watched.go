package qemu

import (
	"context"
	"errors"

	"github.com/hashicorp/packer-plugin-sdk/multistep"

	"github.com/packer-maas/packer-plugin-maas/internal/console"
)

// watched is a step that ends when the console says that the system is dead:
// no communicator will ever reach it.
type watched struct {
	*build

	step    multistep.Step
	whileOn bool // it needs the machine to run
}

func (w *watched) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	finished := make(chan struct{})
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		if err := w.dead(finished); err != nil {
			cancel(err)
		}
	}()
	action := w.step.Run(inner, state)
	close(finished)
	<-watching
	if cause := context.Cause(inner); cause != nil && ctx.Err() == nil {
		return w.fail(state, w.explain(ctx, cause))
	}
	return action
}

// dead waits until the system is, or the step has finished.
func (w *watched) dead(finished <-chan struct{}) error {
	stopped := w.machine.Stopped()
	if !w.whileOn || w.config.QEMU.CommConfig.Comm.Type == communicatorNone {
		stopped = nil
	}
	decided := w.watch.decided
	for {
		select {
		case <-finished:
			return nil
		case <-decided:
			if sign, line := w.watch.sign(); sign.Kind == console.Failure {
				return &failure{sign: sign, line: line}
			}
			decided = nil
		case <-stopped:
			if _, err := w.machine.Reason(); err != nil {
				return err
			}
			return errors.New("the machine powered off before it could be reached")
		}
	}
}

func (w *watched) Cleanup(state multistep.StateBag) { w.step.Cleanup(state) }
