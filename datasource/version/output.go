//go:generate go tool packer-sdc struct-markdown

package version

import "github.com/packer-maas/packer-plugin-maas/internal/region"

// DatasourceOutput is what a `maas-version` block knows after it has asked.
type DatasourceOutput struct {
	// Whether a region was asked; `false` only with `optional`.
	Asked bool `mapstructure:"asked" cty:"asked"`
	// The version as the region says it, such as `3.6.2` or `3.8.0~beta6`.
	Version string `mapstructure:"version" cty:"version"`
	// The version's first number.
	Major int `mapstructure:"major" cty:"major"`
	// The version's second number.
	Minor int `mapstructure:"minor" cty:"minor"`
	// The version's third number.
	Point int `mapstructure:"point" cty:"point"`
	// What comes before a release: `beta6`, `rc1`; empty for a release.
	Qualifier string `mapstructure:"qualifier" cty:"qualifier"`
	// The words by which the region says what its API can do. They are the
	// same in MAAS 3.2 to 3.8; decide by the version.
	Capabilities []string `mapstructure:"capabilities" cty:"capabilities"`
	// The systems whose images can be uploaded and deployed, each with the
	// filetypes that it deploys. Images with a bare name belong to `custom`.
	Systems map[string][]string `mapstructure:"systems" cty:"systems"`
	// The systems that a custom image's `base_image` may name.
	BaseSystems []string `mapstructure:"base_systems" cty:"base_systems"`
	// The Ubuntu releases that the region has in full, each with its
	// architectures, such as `jammy = ["amd64", "arm64"]`. A custom image with
	// `base_image = "ubuntu/jammy"` is deployed by that release.
	Ubuntu map[string][]string `mapstructure:"ubuntu" cty:"ubuntu"`
	// The architectures that the region takes custom images for, such as
	// `amd64/generic`.
	Architectures []string `mapstructure:"architectures" cty:"architectures"`
}

// empty is the output without a region.
func empty() DatasourceOutput {
	return DatasourceOutput{
		Capabilities: []string{}, Systems: map[string][]string{}, BaseSystems: []string{},
		Ubuntu: map[string][]string{}, Architectures: []string{},
	}
}

// outputOf is what follows from what a region says to everybody.
func outputOf(info region.Info) DatasourceOutput {
	o := empty()
	v := info.Version
	o.Asked, o.Version = true, info.Text
	o.Major, o.Minor, o.Point, o.Qualifier = v.Major, v.Minor, v.Point, v.Prerelease()
	o.Capabilities = append(o.Capabilities, info.Capabilities...)
	o.Systems, o.BaseSystems = region.Systems(v), region.BaseSystems(v)
	return o
}
