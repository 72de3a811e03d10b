// Package qemu is the builder maas-qemu: the QEMU builder, made reliable for
// installers.
package qemu

import "github.com/hashicorp/packer-plugin-qemu/builder/qemu"

// BuilderID is the id of this builder's artifacts: the QEMU builder's, so that
// whatever takes those takes these.
const BuilderID = qemu.BuilderId
