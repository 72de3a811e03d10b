// Package regiontest stands in for a MAAS region: the part of its API that has
// to do with boot resources, with the storage, the refusals and the faults of
// each MAAS version. Nothing in it knows of the client that it tests.
//
// Where the versions differ, it follows MAAS's own sources: src/maasserver/api/
// boot_resources.py and forms, and for the bytes models/largefile.py (3.2 to
// 3.4), utils/bootresource.py (3.5 to 3.7) and utils/image_local_files.py (3.8).
// As there, the count of received bytes (a row of the database, undone when a
// request fails) and the file that holds them (which is not) are two things
// that can disagree.
package regiontest

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// The API keys of a Region whose Options name none, as
// consumer:token:secret.
const (
	AdminKey = "AdminConsumer00001:AdminToken00000001:AdminSecret000000000000000000001"
	UserKey  = "UserConsumer000001:UserToken000000001:UserSecret0000000000000000000001"
)

// Options say what the region is like. The zero value is a MAAS 3.6.0 of one
// region controller behind its nginx, with Ubuntu 22.04 and 24.04 for amd64.
type Options struct {
	// Version is what the region tells of itself: "3.5.1", "3.4.0~beta2",
	// or "None", as it does when no controller has reported one.
	Version string
	// Behaves is the version whose behaviour applies where Version is "None".
	Behaves string
	// Regions is the number of region controllers behind the one address.
	Regions int
	// Balance says how the address spreads requests over them.
	Balance Balance
	// AdminKey and UserKey are the keys of an administrator and of a user
	// who is none, as consumer:token:secret.
	AdminKey, UserKey string
	// Synced are the Ubuntu images that the region has, as series/architecture.
	// Nil is jammy/amd64 and noble/amd64.
	Synced []string
	// StorageLimit is the space on each region's disk, in bytes; 0 is no limit.
	StorageLimit int64
	// Dir is a folder for the images. They are kept in memory without it. The
	// files have no name there and go with the process.
	Dir string
	// TLS is what `maas config-tls enable` does: the API is on https, and the
	// plain port redirects there.
	TLS bool
	// Direct leaves out the nginx in front, and with it the limit of 10 MiB
	// for a request.
	Direct bool
	// SyncTime is how long the other regions take to fetch a complete image.
	SyncTime time.Duration
	// Clock is the region's clock; nil is the machine's.
	Clock func() time.Time
	// Faults happen in requests that they match; the first one wins.
	Faults []Fault
	// Logf is told each request when it has ended.
	Logf func(format string, args ...any)
}

// Balance is how several region controllers share one address.
type Balance int

const (
	// PerConnection keeps a connection at one region: a virtual IP address.
	PerConnection Balance = iota
	// PerRequest sends each request to the next region: a proxy without
	// stickiness.
	PerRequest
)

// Region is the stand-in. It is an http.Handler for everything below the root
// of a host, and safe for concurrent use.
type Region struct {
	// URL is the address that people give as the MAAS URL, once Start or
	// Serve runs: scheme://host:port/MAAS
	URL string
	// PlainURL is the address of the port without TLS, which redirects.
	PlainURL string
	// Certificate is what the region shows when TLS is on: its own issuer.
	Certificate *x509.Certificate

	options  Options
	behaves  version
	keys     []key
	closers  []func() error
	mu       sync.Mutex
	nonces   map[string]bool
	conns    map[string]int
	turn     int
	down     time.Time
	faults   []*armed
	requests []Request

	resources  []*resource
	lastID     int
	lastFileID int
	largeFiles map[string]*largeFile
	disks      []map[string]*blob
	transfers  []transfer
}

// New returns a region without a network address.
func New(o Options) (*Region, error) {
	o = o.withDefaults()
	told := o.Version
	if told == "None" {
		told = o.Behaves
	}
	v, err := parseVersion(told)
	if err != nil {
		return nil, err
	}
	r := &Region{
		options: o, behaves: v,
		nonces: map[string]bool{}, conns: map[string]int{}, largeFiles: map[string]*largeFile{},
	}
	for i, text := range []string{o.AdminKey, o.UserKey} {
		k, err := parseKey(text, i == 0)
		if err != nil {
			return nil, err
		}
		r.keys = append(r.keys, k)
	}
	for range o.Regions {
		r.disks = append(r.disks, map[string]*blob{})
	}
	for _, image := range o.Synced {
		series, arch, ok := strings.Cut(image, "/")
		if !ok {
			return nil, fmt.Errorf("synced image %q: not series/architecture", image)
		}
		r.addSynced(series, arch)
	}
	for _, f := range o.Faults {
		r.faults = append(r.faults, &armed{Fault: f})
	}
	return r, nil
}

func (o Options) withDefaults() Options {
	set := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	set(&o.Version, "3.6.0")
	set(&o.Behaves, "3.6.0")
	set(&o.AdminKey, AdminKey)
	set(&o.UserKey, UserKey)
	o.Regions = max(o.Regions, 1)
	if o.Synced == nil {
		o.Synced = []string{"jammy/amd64", "noble/amd64"}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	return o
}

// AddFault makes f happen too, after those of the Options.
func (r *Region) AddFault(f Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, &armed{Fault: f})
}

var _ http.Handler = (*Region)(nil)
