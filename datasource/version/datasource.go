// Package version is the data source `maas-version`: it asks a MAAS region what
// it is, and what it can deploy.
package version

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2/hcldec"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/gocty"

	"github.com/packer-maas/packer-plugin-maas/internal/region"
)

// Datasource is `maas-version`.
type Datasource struct {
	config Config
}

var _ packersdk.Datasource = (*Datasource)(nil)

// ConfigSpec describes the options to Packer.
func (d *Datasource) ConfigSpec() hcldec.ObjectSpec { return d.config.FlatMapstructure().HCL2Spec() }

// OutputSpec describes the result to Packer. packer-sdc takes every map for one
// of strings; two of ours hold lists.
func (d *Datasource) OutputSpec() hcldec.ObjectSpec {
	spec := (&DatasourceOutput{}).FlatMapstructure().HCL2Spec()
	for _, name := range []string{"systems", "ubuntu"} {
		spec[name] = &hcldec.AttrSpec{Name: name, Type: cty.Map(cty.List(cty.String))}
	}
	return spec
}

// Configure reads the options.
func (d *Datasource) Configure(raws ...any) error { return d.config.decode(raws) }

// Execute asks the region. Packer gives no context; the timeout ends it.
func (d *Datasource) Execute() (cty.Value, error) {
	output, err := d.output()
	if err != nil {
		return cty.NullVal(cty.EmptyObject), err
	}
	return gocty.ToCtyValue(output, hcldec.ImpliedType(d.OutputSpec()))
}

func (d *Datasource) output() (DatasourceOutput, error) {
	if d.config.Skipped() {
		return empty(), nil
	}
	client, err := d.config.Client(d.config.Timeout)
	if err != nil {
		return DatasourceOutput{}, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeoutCause(context.Background(), d.config.Timeout,
		fmt.Errorf("%s did not answer within %s (option timeout)", client.URL(), d.config.Timeout.Round(time.Millisecond)))
	defer cancel()

	info, err := client.Info(ctx)
	if err != nil {
		return DatasourceOutput{}, err
	}
	if err := d.config.oldEnough(client.URL(), info); err != nil {
		return DatasourceOutput{}, err
	}
	output := outputOf(info)
	if d.config.APIKey == "" {
		return output, nil
	}
	inventory, err := client.Inventory(ctx)
	if err != nil {
		return DatasourceOutput{}, err
	}
	output.Ubuntu, output.Architectures = inventory.Ubuntu, append(output.Architectures, inventory.Architectures...)
	return output, nil
}

// oldEnough is an error for a region that is too old.
func (c *Config) oldEnough(url string, info region.Info) error {
	if c.Minimum == "" {
		return nil
	}
	minimum, err := region.ParseVersion(c.Minimum)
	if err != nil {
		return fmt.Errorf("minimum: %w", err)
	}
	if info.Version.Compare(minimum) < 0 {
		return fmt.Errorf("the region %s is MAAS %s, and this template needs %s or later: update the region, or build for another one", url, info.Text, c.Minimum)
	}
	return nil
}
