// Command regiond runs a stand-in for a MAAS region, which any client of MAAS
// can be pointed at. Its first line on standard output is a JSON object with
// the url and the api_key; the requests follow on standard error, and what the
// region has comes at the end, on an interrupt, or at any time from its page.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/region/regiontest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "regiond:", err)
		os.Exit(1)
	}
}

// settings are what the command line says.
type settings struct {
	listen, certificate string
	options             regiontest.Options
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	var synced string
	var seed uint64
	var rate float64
	flags := flag.NewFlagSet("regiond", flag.ContinueOnError)
	flags.SetOutput(stderr)
	o := &s.options
	flags.StringVar(&s.listen, "listen", "127.0.0.1:0", "`address` to listen at; port 0 is any")
	flags.StringVar(&o.Version, "version", "3.6.0", "MAAS version to behave as, 3.2 to 3.8")
	flags.IntVar(&o.Regions, "regions", 1, "number of region controllers behind the address")
	flags.StringVar(&o.AdminKey, "api-key", "", "API key of the administrator; a new one without it")
	flags.StringVar(&o.UserKey, "user-api-key", "", "API key of a user who is no administrator")
	flags.StringVar(&synced, "synced", "jammy/amd64,noble/amd64", "Ubuntu images that the region has, series/architecture")
	flags.Int64Var(&o.StorageLimit, "storage", 0, "bytes of space on each region's disk; 0 is as much as there is")
	flags.StringVar(&o.Dir, "dir", os.TempDir(), "`folder` for the images; \"\" keeps them in memory, at most 2 GiB")
	flags.BoolVar(&o.TLS, "tls", false, "serve https, and redirect a plain port to it")
	flags.StringVar(&s.certificate, "certificate", "", "with -tls: `file` to write the certificate to, as PEM")
	flags.DurationVar(&o.SyncTime, "sync", 2*time.Second, "time that the other regions take to fetch an image")
	flags.Float64Var(&rate, "faults", 0, "part of all uploads' requests, 0 to 1, that go wrong")
	flags.Uint64Var(&seed, "seed", 1, "the same faults again")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	o.Synced = []string{}
	if synced != "" {
		o.Synced = strings.Split(synced, ",")
	}
	if o.AdminKey == "" {
		o.AdminKey = rand.Text()[:18] + ":" + rand.Text()[:18] + ":" + rand.Text()
	}
	if rate > 0 {
		o.Faults = []regiontest.Fault{regiontest.Random(seed, rate,
			regiontest.LostReply(), regiontest.Cut(1<<20), regiontest.Crash(),
			regiontest.Conflict(5*time.Second), regiontest.Unavailable(10*time.Second))}
	}
	o.Logf = log.New(stderr, "", log.LstdFlags).Printf
	return s, nil
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	r, err := regiontest.New(s.options)
	if err != nil {
		return err
	}
	if err := r.Serve(ctx, s.listen); err != nil {
		return err
	}
	if err := announce(r, s, stdout); err != nil {
		return err
	}
	<-ctx.Done()
	if _, err := io.WriteString(stdout, r.Report()); err != nil {
		return err
	}
	return r.Close()
}

// announce writes what a client needs.
func announce(r *regiontest.Region, s settings, stdout io.Writer) error {
	if r.Certificate != nil && s.certificate != "" {
		block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate.Raw})
		if err := os.WriteFile(s.certificate, block, 0o644); err != nil {
			return fmt.Errorf("write certificate: %w", err)
		}
	}
	return json.NewEncoder(stdout).Encode(map[string]string{
		"url": r.URL, "api_key": s.options.AdminKey, "version": s.options.Version,
	})
}
