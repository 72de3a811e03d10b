package regiontest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"time"
)

// TB is what Start needs of testing.TB.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Start runs a region on a free port of this machine until the test ends.
func Start(t TB, o Options) *Region {
	t.Helper()
	r, err := New(o)
	if err != nil {
		t.Fatalf("start region: %v", err)
	}
	if err := r.Serve(context.Background(), "127.0.0.1:0"); err != nil {
		t.Fatalf("start region: %v", err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// Serve runs the region at an address, host:port, in the background; with TLS
// a second, plain port on the same host redirects to it. ctx is for the
// listening; Close ends it.
func (r *Region) Serve(ctx context.Context, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	plain := address
	if r.options.TLS {
		cert, err := r.certify(host)
		if err != nil {
			return err
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			return err
		}
		r.URL = "https://" + l.Addr().String() + "/MAAS"
		r.run(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}))
		plain = net.JoinHostPort(host, "0")
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", plain)
	if err != nil {
		return errors.Join(err, r.Close())
	}
	r.PlainURL = "http://" + l.Addr().String() + "/MAAS"
	if !r.options.TLS {
		r.URL = r.PlainURL
	}
	r.run(l)
	return nil
}

func (r *Region) run(l net.Listener) {
	server := &http.Server{
		Handler: r, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute,
	}
	r.closers = append(r.closers, server.Close)
	// It ends with ErrServerClosed when Close is called.
	go func() { _ = server.Serve(l) }()
}

// Close ends the region's servers and all connections.
func (r *Region) Close() error {
	var problems []error
	for _, closer := range r.closers {
		problems = append(problems, closer())
	}
	r.closers = nil
	return errors.Join(problems...)
}

// Client is one that trusts the region's certificate, with its own
// connections.
func (r *Region) Client() *http.Client {
	transport := &http.Transport{}
	if r.Certificate != nil {
		pool := x509.NewCertPool()
		pool.AddCert(r.Certificate)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return &http.Client{Transport: transport}
}

// certify makes the certificate that the region shows.
func (r *Region) certify(host string) (tls.Certificate, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make certificate: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "MAAS region"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = append(template.IPAddresses, ip)
	} else if host != "" {
		template.DNSNames = append(template.DNSNames, host)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make certificate: %w", err)
	}
	if r.Certificate, err = x509.ParseCertificate(der); err != nil {
		return tls.Certificate{}, fmt.Errorf("make certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, nil
}
