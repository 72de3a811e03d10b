// Package version holds the plugin's version, which Packer compares with the
// one in the binary's file name.
package version

import "github.com/hashicorp/packer-plugin-sdk/version"

var (
	// Version is the main version number.
	Version = "0.1.0"
	// VersionPrerelease is "dev" between releases; a release is linked with it
	// empty, for `packer init` accepts nothing else.
	VersionPrerelease = "dev"
	// VersionMetadata is build metadata; unused.
	VersionMetadata = ""

	// PluginVersion is what `describe` reports.
	PluginVersion = version.NewPluginVersion(Version, VersionPrerelease, VersionMetadata)
)
