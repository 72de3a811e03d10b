// Package qemu is the builder maas-qemu: the QEMU builder, made reliable for
// installers.
//
// It takes the QEMU builder's options as a library, so that their names,
// meanings and checks stay that builder's. It runs the machine by itself: the
// library's steps are not exported, its driver takes a machine that ended within
// two seconds for one that runs, and nothing in it reads the console, notices
// that an installer is dead, or starts a second machine.
package qemu

import (
	"context"
	"errors"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/packer-plugin-qemu/builder/qemu"
	"github.com/hashicorp/packer-plugin-sdk/communicator"
	"github.com/hashicorp/packer-plugin-sdk/multistep"
	"github.com/hashicorp/packer-plugin-sdk/multistep/commonsteps"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// BuilderID is the id of this builder's artifacts: the QEMU builder's, so that
// whatever takes those takes these.
const BuilderID = qemu.BuilderId

// Builder is the builder maas-qemu.
type Builder struct {
	config Config
}

var _ packersdk.Builder = (*Builder)(nil)

// ConfigSpec describes the options for HCL.
func (b *Builder) ConfigSpec() hcldec.ObjectSpec { return b.config.FlatMapstructure().HCL2Spec() }

// Prepare checks the options.
func (b *Builder) Prepare(raws ...any) (variables, warnings []string, err error) {
	warnings, err = b.config.Prepare(raws...)
	return nil, warnings, err
}

// Run makes the disk.
func (b *Builder) Run(ctx context.Context, ui packersdk.Ui, hook packersdk.Hook) (packersdk.Artifact, error) {
	run := &build{config: &b.config, ui: ui}
	state := new(multistep.BasicStateBag)
	state.Put("debug", b.config.QEMU.PackerDebug)
	state.Put("hook", hook)
	state.Put("ui", ui)
	runner := commonsteps.NewRunnerWithPauseFn(run.steps(), b.config.QEMU.PackerConfig, ui, state)
	runner.Run(ctx, state)

	if err, ok := state.Get("error").(error); ok {
		return nil, err
	}
	if _, ok := state.GetOk(multistep.StateCancelled); ok {
		return nil, errors.New("the build was cancelled")
	}
	if _, ok := state.GetOk(multistep.StateHalted); ok {
		return nil, errors.New("the build was halted")
	}
	return newArtifact(run, state.Get("generated_data"))
}

// steps are the QEMU builder's, in its order, with ours between.
func (b *build) steps() []multistep.Step {
	q := &b.config.QEMU
	steps := []multistep.Step{
		&stepISO{build: b},
		&stepFolder{build: b},
		&stepHost{build: b},
		&commonsteps.StepCreateFloppy{
			Files: q.FloppyFiles, Directories: q.FloppyDirectories, Content: q.FloppyContent, Label: q.FloppyLabel,
		},
		&commonsteps.StepCreateCD{Files: q.CDFiles, Content: q.CDContent, Label: q.CDLabel},
		&stepSeeds{build: b},
		&stepDisks{build: b},
		&stepHTTPAddress{build: b},
		commonsteps.HTTPServerFromHTTPConfig(&q.HTTPConfig),
		&stepPort{build: b},
	}
	typing := &watched{build: b, step: &stepType{build: b}}
	if b.config.Provision {
		steps = append(steps, &stepStart{build: b, stage: installing}, typing, &stepInstall{build: b}, &stepStart{build: b, stage: installed})
	} else {
		steps = append(steps, &stepStart{build: b, stage: only}, typing)
	}
	comm := &q.CommConfig.Comm
	steps = append(steps,
		&watched{build: b, whileOn: true, step: &stepGuestAddress{build: b}},
		&watched{build: b, whileOn: true, step: &communicator.StepConnect{
			Config: comm, Host: b.commHost, SSHConfig: comm.SSHConfigFunc(), SSHPort: b.commPort, WinRMPort: b.commPort,
		}},
		&watched{build: b, step: new(commonsteps.StepProvision)},
		&commonsteps.StepCleanupTempKeys{Comm: comm},
	)
	if comm.Type == communicatorNone {
		steps = append(steps, &stepInstall{build: b})
	} else {
		steps = append(steps, &stepShutdown{build: b})
	}
	return append(steps, &stepCompact{build: b})
}
