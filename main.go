// Packer-plugin-maas is a Packer plugin that makes images which MAAS can
// deploy on bare metal.
package main

import (
	"fmt"
	"os"

	"github.com/hashicorp/packer-plugin-sdk/plugin"

	"github.com/packer-maas/packer-plugin-maas/builder/qemu"
	maasversion "github.com/packer-maas/packer-plugin-maas/datasource/version"
	"github.com/packer-maas/packer-plugin-maas/post-processor/image"
	"github.com/packer-maas/packer-plugin-maas/version"
)

func main() {
	set := plugin.NewSet()
	set.RegisterBuilder("qemu", new(qemu.Builder))
	set.RegisterPostProcessor("image", new(image.PostProcessor))
	set.RegisterDatasource("version", new(maasversion.Datasource))
	set.SetVersion(version.PluginVersion)
	if err := set.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
