package region

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// faults counts what goes wrong between two steps forward.
type faults struct {
	pace     pace
	patience time.Duration
	say      func(string)

	since   time.Time // of the first fault without progress after it
	count   int
	crashes int // answers of 500 among them
}

func newFaults(o Options) *faults {
	return &faults{pace: o.pace, patience: o.Patience, say: o.Report.Say}
}

// progress forgets the faults that are overcome.
func (f *faults) progress() { f.count, f.crashes = 0, 0 }

// maxServerErrors is how many answers of 500 without progress between them are
// taken for a fault that passes.
const maxServerErrors = 4

// pass waits after a fault, so that the request can be tried again. It returns
// the fault if that is of no use: a refusal, or patience is at its end.
func (f *faults) pass(ctx context.Context, fault error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !transient(fault) {
		return fault
	}
	now := time.Now()
	if f.count == 0 {
		f.since = now
	}
	f.count++
	if isStatus(fault, http.StatusInternalServerError) {
		if f.crashes++; f.crashes > maxServerErrors {
			return fmt.Errorf("%w (%d times; the region's log says more)", fault, f.crashes)
		}
	}
	wait := min(f.pace.first<<min(f.count-1, 16), f.pace.longest)
	wait = wait/2 + rand.N(wait/2+1) //nolint:gosec // only to spread retries
	var refusal *StatusError
	if errors.As(fault, &refusal) {
		wait = max(wait, min(refusal.retryAfter, 2*time.Minute))
	}
	if spent := now.Sub(f.since); spent+wait > f.patience {
		return fmt.Errorf("%w (tried %d times in %s)", fault, f.count, spent.Round(time.Second))
	}
	if f.count == 3 {
		f.say(fmt.Sprintf("Trying again: %v", fault))
	}
	return sleep(ctx, wait)
}

// transient says whether a fault may pass by itself.
func transient(fault error) bool {
	var local *localError
	var broken *damaged
	var refusal *StatusError
	switch {
	case errors.As(fault, &local), errors.As(fault, &broken), errors.Is(fault, errNoKey):
		return false
	case errors.As(fault, &refusal):
		return refusal.passes()
	}
	return passesOnWire(fault)
}

// passesOnWire says whether an error of the connection may pass: certificates
// and names do not come right by waiting, and no more does a port that speaks
// something else.
func passesOnWire(fault error) bool {
	var wire *wireError
	var certificate *tls.CertificateVerificationError
	var noTLS tls.RecordHeaderError
	var name *net.DNSError
	switch {
	case !errors.As(fault, &wire), errors.As(fault, &certificate), errors.As(fault, &noTLS):
		return false
	case errors.As(fault, &name):
		return !name.IsNotFound
	}
	return true
}

// passes says whether the same request may be answered well later.
func (e *StatusError) passes() bool {
	switch e.Status {
	case http.StatusConflict, http.StatusServiceUnavailable, // MAAS is busy
		http.StatusBadGateway, http.StatusGatewayTimeout, // nginx without MAAS
		http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	case http.StatusInternalServerError:
		return e.Meaning == ""
	case http.StatusUnauthorized:
		// A proxy sent the request twice.
		return strings.Contains(strings.ToLower(e.Words), "nonce already used")
	case http.StatusBadRequest:
		// The chunk was cut on its way; or a lost reply was to the last one,
		// which asking for progress shows.
		words := strings.ToLower(e.Words)
		return strings.HasPrefix(words, "missing data") || strings.HasPrefix(words, "content-length doesn't equal") ||
			strings.HasPrefix(words, "cannot upload to a complete file")
	}
	return false
}

// delivered says whether a fault leaves open what the region did with the
// request: a refusal by MAAS itself does not.
func delivered(fault error) bool {
	var refusal *StatusError
	if !errors.As(fault, &refusal) {
		return true
	}
	return slices.Contains([]int{
		http.StatusBadGateway, http.StatusGatewayTimeout, http.StatusInternalServerError, http.StatusUnauthorized,
	}, refusal.Status)
}

// retry does a step that may be done again and again, until it succeeds.
func (u *upload) retry(ctx context.Context, step func() error) error {
	for {
		err := step()
		if err == nil {
			return nil
		}
		if err := u.faults.pass(ctx, err); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
