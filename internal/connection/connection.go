//go:generate go tool packer-sdc struct-markdown

// Package connection holds the options by which a component reaches a MAAS
// region, so that all components say them alike.
package connection

import (
	"errors"
	"os"
	"strings"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-maas/packer-plugin-maas/internal/region"
)

// Config says which region, and how to get there.
type Config struct {
	// The region's address, such as `http://maas.example:5240/MAAS`. The
	// default is the environment variable `MAAS_URL`.
	URL string `mapstructure:"url" required:"false"`
	// An API key of a user of the region, as its page of preferences or `sudo
	// maas apikey --username NAME` on the region shows it. The
	// default is the environment variable `MAAS_API_KEY`.
	APIKey string `mapstructure:"api_key" required:"false"`
	// A PEM file with certificates to trust besides those of the system.
	CAFile string `mapstructure:"ca_file" required:"false"`
	// Leaves the region's certificate unchecked. Whoever is on the way can
	// then read the API key.
	InsecureSkipTLSVerify bool `mapstructure:"insecure_skip_tls_verify" required:"false"`
	// Without a region's address, do nothing in place of an error: for
	// templates that are also built where there is no MAAS. A region that is
	// named and does not answer is an error all the same.
	Optional bool `mapstructure:"optional" required:"false"`
}

// Prepare takes what is not set from the environment, keeps the key out of
// Packer's logs, and says what is wrong.
func (c *Config) Prepare() error {
	if c.URL == "" {
		c.URL = os.Getenv("MAAS_URL")
	}
	if c.APIKey == "" {
		c.APIKey = os.Getenv("MAAS_API_KEY")
	}
	c.hideKey()
	if c.Skipped() {
		return nil
	}
	if c.URL == "" {
		return errors.New("url is not set, nor is MAAS_URL; say which region, or set optional = true")
	}
	for _, value := range []string{c.URL, c.APIKey, c.CAFile} {
		if strings.Contains(value, region.Unknown) {
			return nil
		}
	}
	client, err := c.Client(0)
	if err != nil {
		return err
	}
	client.Close()
	return nil
}

// hideKey keeps the key, and the parts of it that grant something, out of
// Packer's logs.
func (c *Config) hideKey() {
	if c.APIKey == "" || strings.Contains(c.APIKey, region.Unknown) {
		return
	}
	packersdk.LogSecretFilter.Set(c.APIKey)
	for part := range strings.SplitSeq(c.APIKey, ":") {
		if len(part) > 5 { // a shorter one is no key of MAAS, and hides words
			packersdk.LogSecretFilter.Set(part)
		}
	}
}

// Skipped says whether there is no region to ask, and none is needed.
func (c *Config) Skipped() bool { return c.URL == "" && c.Optional }

// Client makes a client; timeout is for one small request, 0 for the default.
func (c *Config) Client(timeout time.Duration) (*region.Client, error) {
	return region.New(region.Config{
		URL: c.URL, APIKey: c.APIKey, CAFile: c.CAFile, InsecureSkipVerify: c.InsecureSkipTLSVerify, Timeout: timeout,
	})
}
