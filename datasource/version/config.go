//go:generate go tool packer-sdc struct-markdown
//go:generate go tool packer-sdc mapstructure-to-hcl2 -type Config,DatasourceOutput

package version

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/common"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/hashicorp/packer-plugin-sdk/template/config"

	"github.com/packer-maas/packer-plugin-maas/internal/connection"
	"github.com/packer-maas/packer-plugin-maas/internal/region"
)

// Config holds the options of a `maas-version` block. All are optional, if the
// environment says which region.
type Config struct {
	common.PackerConfig `mapstructure:",squash"`

	connection.Config `mapstructure:",squash"`

	// The oldest version that will do, such as `3.5` or `3.6.3`. An older
	// region ends the build at its start. `3.5.0~beta1` is older than `3.5`.
	Minimum string `mapstructure:"minimum" required:"false"`
	// How long to wait for the region's answers, all together. The default is
	// `10s`.
	Timeout time.Duration `mapstructure:"timeout" required:"false"`
}

// decode reads the options and says all that is wrong with them.
func (c *Config) decode(raws []any) error {
	err := config.Decode(c, &config.DecodeOpts{PluginType: "packer.datasource.maas-version"}, raws...)
	if err != nil {
		return err
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}

	var errs *packersdk.MultiError
	for _, check := range []func() error{c.Prepare, c.checkMinimum, c.checkTimeout} {
		if err := check(); err != nil {
			errs = packersdk.MultiErrorAppend(errs, err)
		}
	}
	if errs != nil {
		return errs
	}
	return nil
}

func (c *Config) checkMinimum() error {
	if c.Minimum == "" || strings.Contains(c.Minimum, region.Unknown) {
		return nil
	}
	if _, err := region.ParseVersion(c.Minimum); err != nil {
		return fmt.Errorf("minimum: %w", err)
	}
	return nil
}

func (c *Config) checkTimeout() error {
	if c.Timeout < 0 {
		return fmt.Errorf("timeout = %q is negative", c.Timeout)
	}
	return nil
}
