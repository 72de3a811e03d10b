package regiontest

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Fault is something that goes wrong in the requests that it matches.
type Fault struct {
	// Match tells whether the fault has to do with a request; nil is every PUT.
	Match func(method, path string) bool
	// Skip leaves out the first of them.
	Skip int
	// Times is how often it happens; 0 is once, -1 always.
	Times int
	// Do is what happens. Without it, Pick chooses at each request; a nil
	// choice is no fault.
	Do   Action
	Pick func() Action
}

// Action is what goes wrong. The functions of this package make them.
type Action func(*plan)

// plan is what is going to happen to one request.
type plan struct {
	name    string
	instead *reply        // said in place of handling the request
	cut     int64         // the connection ends after so much of the body, if not below 0
	delay   time.Duration // before the reply
	lose    bool          // the reply
	down    time.Duration // the region is away for so long
	effect  effect
}

// effect is what goes wrong while a request is handled.
type effect struct {
	corrupt bool          // a bit of what is stored
	full    bool          // the disk
	clock   time.Duration // the region's clock is so much ahead
	undo    *reply        // the database takes back everything, and this is said
	stored  int64         // so much got into the file before that
}

// part is what of a piece gets into a file.
func (e effect) part(data []byte) []byte {
	if e.undo == nil {
		return data
	}
	return data[:min(e.stored, int64(len(data)))]
}

// Method matches requests by method.
func Method(method string) func(string, string) bool {
	return func(m, _ string) bool { return m == method }
}

// Path matches requests by method and a part of the path.
func Path(method, part string) func(string, string) bool {
	return func(m, path string) bool { return m == method && strings.Contains(path, part) }
}

// LostReply handles the request and closes the connection without a word.
func LostReply() Action { return func(p *plan) { p.name, p.lose = "lost reply", true } }

// Cut closes the connection when n bytes of the body have come. The nginx in
// front passes on whole requests only, so nothing is stored.
func Cut(n int64) Action { return func(p *plan) { p.name, p.cut = "cut", n } }

// away is a reply that asks to come again in whole seconds.
func away(name string, status int, message string, retry time.Duration) Action {
	return func(p *plan) { p.name, p.instead = name, text(status, message).retryAfter(retry) }
}

const conflict = "Conflict error. Try your request again, as it will most likely succeed."

// Conflict answers 409 before anything is done; MAAS says 5 s.
func Conflict(retry time.Duration) Action {
	return away("conflict", http.StatusConflict, conflict, retry)
}

// ConflictAfterWrite answers 409 when the bytes are in the file and the
// database cannot take the count. In 3.8 they stay there, and a client that
// sends them again has them twice.
func ConflictAfterWrite(retry time.Duration) Action {
	return func(p *plan) {
		p.name = "conflict after write"
		p.effect.undo, p.effect.stored = text(http.StatusConflict, conflict).retryAfter(retry), 1<<62
	}
}

// Unavailable answers 503; MAAS says 10 s.
func Unavailable(retry time.Duration) Action {
	return away("unavailable", http.StatusServiceUnavailable, "Unable to connect to any rack controller", retry)
}

// TooLarge answers 413 as nginx does, whatever the size.
func TooLarge() Action {
	return func(p *plan) {
		p.name, p.instead = "too large", nginx(http.StatusRequestEntityTooLarge, "Request Entity Too Large")
	}
}

// Crash answers 500 before anything is done.
func Crash() Action {
	return func(p *plan) { p.name, p.instead = "crash", crash("server closed the connection unexpectedly") }
}

// Slow answers after d.
func Slow(d time.Duration) Action { return func(p *plan) { p.name, p.delay = "slow", d } }

// Restart ends the region's process when stored bytes of a piece are written:
// the connection closes, the database takes the count back, and for down the
// nginx in front answers 502.
func Restart(stored int64, down time.Duration) Action {
	return func(p *plan) {
		p.name, p.down = "restart", down
		p.effect.undo, p.effect.stored = &reply{abort: true}, stored
		p.lose = true
	}
}

// DiskFull leaves no room for the piece. In 3.5 to 3.7 it can only hit the
// first one of a file, which takes the room for all.
func DiskFull() Action { return func(p *plan) { p.name, p.effect.full = "disk full", true } }

// Corrupt turns a bit of what is stored.
func Corrupt() Action { return func(p *plan) { p.name, p.effect.corrupt = "corrupt", true } }

// WrongClock puts the region's clock ahead by d.
func WrongClock(d time.Duration) Action {
	return func(p *plan) { p.name, p.effect.clock = "wrong clock", d }
}

// Random is a fault in a part of all PUTs: rate is between 0 and 1, and the
// same seed gives the same faults for the same requests.
func Random(seed uint64, rate float64, actions ...Action) Fault {
	var mu sync.Mutex
	//nolint:gosec // G404: dice that fall the same way again are wanted.
	dice := rand.New(rand.NewPCG(seed, seed))
	return Fault{Times: -1, Pick: func() Action {
		mu.Lock()
		defer mu.Unlock()
		if dice.Float64() >= rate {
			return nil
		}
		return actions[dice.IntN(len(actions))]
	}}
}

// armed is a fault and how often it has been met.
type armed struct {
	Fault
	seen, done int
}

// plan decides what happens to a request. The region is locked.
func (r *Region) plan(method, path string) plan {
	p := plan{cut: -1}
	for _, a := range r.faults {
		match := a.Match
		if match == nil {
			match = Method(http.MethodPut)
		}
		if !match(method, path) {
			continue
		}
		a.seen++
		if a.seen <= a.Skip || a.Times >= 0 && a.done >= max(a.Times, 1) {
			continue
		}
		do := a.Do
		if do == nil && a.Pick != nil {
			do = a.Pick()
		}
		if do != nil {
			a.done++
			do(&p)
			break
		}
	}
	return p
}
