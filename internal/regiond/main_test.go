package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// started is a running regiond: its first line, and the rest of its output.
type started struct {
	URL     string
	Key     string `json:"api_key"`
	Version string
	output  *bufio.Reader
	stop    func() error
}

func start(t *testing.T, args ...string) started {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, args, writer, io.Discard)
		done <- err
		_ = writer.CloseWithError(err)
	}()
	s := started{output: bufio.NewReader(reader), stop: func() error { cancel(); return <-done }}
	line, err := s.output.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(line), &s); err != nil {
		t.Fatalf("first line %q: %v", line, err)
	}
	return s
}

func fetch(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestRun(t *testing.T) {
	s := start(t, "-version", "3.4.1", "-synced", "noble/arm64", "-api-key", "a:b:c")
	if s.Key != "a:b:c" || s.Version != "3.4.1" {
		t.Errorf("first line %+v", s)
	}
	if got := fetch(t, http.DefaultClient, s.URL+"/api/2.0/version/"); !strings.Contains(got, `"3.4.1"`) {
		t.Errorf("version %s", got)
	}
	if got := fetch(t, http.DefaultClient, strings.TrimSuffix(s.URL, "MAAS")); !strings.Contains(got, "ubuntu/noble") {
		t.Errorf("page %s", got)
	}
	rest := make(chan string)
	go func() {
		b, _ := io.ReadAll(s.output)
		rest <- string(b)
	}()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if got := <-rest; !strings.Contains(got, "arm64/ga-24.04") || strings.Contains(got, "amd64") {
		t.Errorf("report %s", got)
	}
}

func TestCertificate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "region.pem")
	s := start(t, "-tls", "-certificate", file)
	if strings.Count(s.Key, ":") != 2 {
		t.Errorf("API key %q", s.Key)
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	if got := fetch(t, c, s.URL+"/api/2.0/version/"); !strings.Contains(got, `"3.6.0"`) {
		t.Errorf("version %s", got)
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range [][]string{
		{"-version", "2.9"}, {"-api-key", "secret"}, {"-synced", "noble"}, {"-listen", "nowhere"}, {"-nothing"}, {"more"},
	} {
		if err := run(context.Background(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q: no complaint", args)
		}
	}
	if err := run(context.Background(), []string{"-h"}, io.Discard, io.Discard); err != nil {
		t.Errorf("-h: %v", err)
	}
}
