// Package region speaks with a MAAS region: it asks what the region is and
// has, says beforehand what MAAS would do with an image, and uploads it.
//
// gomaasclient does what it can do (version, list, delete, settings). It has
// no call to create a boot resource, to send raw bytes or to list region
// controllers, and its boot resource lacks upload_uri and progress; these go
// over net/http here, signed by the same OAuth signer.
package region

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	gomaasapi "github.com/juju/gomaasapi/v2"
)

// Defaults of Config.
const (
	// DefaultTimeout is the time for one small request.
	DefaultTimeout = time.Minute
	// DefaultChunkTimeout is the time for one chunk to be sent and taken.
	DefaultChunkTimeout = 5 * time.Minute
	// DefaultLastChunkTimeout is the time for the last chunk. The region reads
	// the whole image again before it answers; nginx in front of it gives up
	// after a quarter of an hour, which must not be before we do.
	DefaultLastChunkTimeout = 20 * time.Minute
)

// Config says which region, and how to get there. Proxies come from the
// environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY).
type Config struct {
	// URL is the region's address: http://host:5240, with or without /MAAS
	// and /MAAS/api/2.0 behind.
	URL string
	// APIKey is consumer:token:secret; empty for anonymous calls (Info).
	APIKey string
	// CAFile is a PEM file with certificates to trust besides the system's.
	CAFile string
	// InsecureSkipVerify leaves the region's certificate unchecked.
	InsecureSkipVerify bool

	// Timeout, ChunkTimeout and LastChunkTimeout; 0 means the default.
	Timeout, ChunkTimeout, LastChunkTimeout time.Duration
}

// Client speaks with one region, over one connection that it keeps: behind a
// shared address another connection may reach another region controller, which
// does not have the bytes that the first one took.
type Client struct {
	api    *url.URL // ends in /api/2.0/
	key    key
	signer gomaasapi.OAuthSigner
	conn   *http.Transport
	dials  atomic.Int64 // connections made

	timeout, chunkTimeout, lastChunkTimeout time.Duration
}

// New makes a client. It sends nothing yet.
func New(config Config) (*Client, error) {
	api, err := parseURL(config.URL)
	if err != nil {
		return nil, err
	}
	k, err := parseKey(config.APIKey)
	if err != nil {
		return nil, err
	}
	trust, err := tlsConfig(config)
	if err != nil {
		return nil, err
	}
	signer, err := k.signer()
	if err != nil {
		return nil, err
	}
	c := &Client{
		api: api, key: k, signer: signer,
		timeout:          or(config.Timeout, DefaultTimeout),
		chunkTimeout:     or(config.ChunkTimeout, DefaultChunkTimeout),
		lastChunkTimeout: or(config.LastChunkTimeout, DefaultLastChunkTimeout),
	}
	c.conn = c.transport(trust)
	return c, nil
}

// Close gives the connection back.
func (c *Client) Close() { c.conn.CloseIdleConnections() }

// URL is the region's address, without the API's path.
func (c *Client) URL() string { return strings.TrimSuffix(c.api.String(), "api/2.0/") }

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// parseURL finds the API's root from what people write.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case text == "":
		return nil, errors.New("the region's URL is empty")
	case err != nil:
		// url.Error shows the text, which may hold a password.
		return nil, errors.New("the region's URL cannot be read: it must be like http://maas.example:5240/MAAS")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, errors.New("the region's URL must begin with http:// or https:// and a host, as in http://maas.example:5240/MAAS")
	case u.User != nil:
		return nil, errors.New("the region's URL holds a user name; the way in is the API key")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the region's URL ends in a query or a fragment: it must be like http://maas.example:5240/MAAS")
	}
	path := strings.TrimRight(u.Path, "/")
	path = strings.TrimRight(strings.TrimSuffix(path, "/api/2.0"), "/")
	if path == "" {
		path = "/MAAS"
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: path + "/api/2.0/"}, nil
}

func tlsConfig(config Config) (*tls.Config, error) {
	trust := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: config.InsecureSkipVerify, //nolint:gosec // the user's own wish
	}
	if config.CAFile == "" {
		return trust, nil
	}
	pem, err := os.ReadFile(config.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read CA file: %w", err)
	}
	if trust.RootCAs, err = x509.SystemCertPool(); err != nil {
		trust.RootCAs = x509.NewCertPool()
	}
	if !trust.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read CA file %s: it holds no certificate in PEM form", config.CAFile)
	}
	return trust, nil
}

// transport holds one connection, HTTP/1.1 as MAAS's own nginx speaks it.
func (c *Client) transport(trust *tls.Config) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c.dials.Add(1)
			return dialer.DialContext(ctx, network, address)
		},
		TLSClientConfig:     trust,
		TLSHandshakeTimeout: 10 * time.Second,
		TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{},
		MaxConnsPerHost:     1,
		MaxIdleConnsPerHost: 1,
		// Before nginx's own 75 s, so that it never closes what we begin to use.
		IdleConnTimeout:       60 * time.Second,
		ExpectContinueTimeout: time.Second,
		WriteBufferSize:       256 << 10,
	}
}
