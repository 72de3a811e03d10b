package region

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/packer-maas/packer-plugin-maas/internal/region/regiontest"
)

// faultRounds is the number of uploads through faults: REGION_FAULT_ROUNDS.
func faultRounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("REGION_FAULT_ROUNDS")
	if text == "" {
		return 300
	}
	rounds, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("REGION_FAULT_ROUNDS: %v", err)
	}
	return rounds
}

// faultRound is one upload; all that happens in it follows from the seed, but
// for the order in which connections are served.
func faultRound(t *testing.T, seed uint64) (how string) {
	dice := rand.New(rand.NewPCG(seed, 1))
	version := series[dice.IntN(len(series))]
	controllers := 1 + dice.IntN(3)
	size := 1 + dice.IntN(200_000)
	chunk := int64(1 + size/60 + dice.IntN(40_000))
	rate := []float64{0, 0.05, 0.2, 0.5}[dice.IntN(4)]
	anything := func(string, string) bool { return true }
	everywhere := regiontest.Random(seed, rate/4, regiontest.LostReply(), regiontest.Unavailable(0), regiontest.Cut(0))
	everywhere.Match = anything
	r := regiontest.Start(t, regiontest.Options{
		Version: version, Regions: controllers, SyncTime: time.Duration(dice.IntN(3)) * time.Millisecond,
		Faults: []regiontest.Fault{
			everywhere,
			regiontest.Random(seed, rate,
				regiontest.LostReply(), regiontest.LostReply(), regiontest.Cut(dice.Int64N(chunk)), regiontest.Cut(0),
				regiontest.Conflict(0), regiontest.ConflictAfterWrite(0), regiontest.Unavailable(0), regiontest.Crash(),
				regiontest.Slow(time.Millisecond), regiontest.Restart(dice.Int64N(chunk), 2*time.Millisecond),
			),
			{Skip: dice.IntN(40), Do: regiontest.Corrupt()},
			{Skip: dice.IntN(200), Do: regiontest.DiskFull()},
		},
	})
	content := bytesOf(seed, size)
	c := clientOf(t, r)

	// Up to five runs, as a person would start them, some of them stopped.
	var resource Resource
	err := errors.New("no run")
	for run := 0; run < 5 && err != nil; run++ {
		ctx, cancel := t.Context(), func() {}
		if dice.IntN(3) == 0 {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(dice.IntN(60))*time.Millisecond)
		}
		resource, err = c.Upload(ctx, imageOf(content), bytes.NewReader(content), int64(size), quick(chunk))
		if cancel(); ctx.Err() != nil {
			// What was sent last is still on its way; a person is not so quick.
			time.Sleep(50 * time.Millisecond)
		}
		if err != nil {
			checkAdvice(t, err)
		}
	}
	where := fmt.Sprintf("seed %d, MAAS %s, %d controllers, %d bytes by %d", seed, version, controllers, size, chunk)
	if err == nil {
		checkStored(t, r, resource.ID, content)
		how = "complete"
	} else {
		how = "error"
		if complete := r.Deployable("debian12"); complete != nil && !strings.Contains(complete.Error(), "no complete version") &&
			!strings.Contains(complete.Error(), "missing boot image") {
			t.Errorf("a corrupt image is left: %v", complete)
		}
	}
	if t.Failed() {
		t.Log(where)
		for _, request := range r.Requests() {
			t.Log(request)
		}
		t.Logf("error: %v", err)
	}
	return how
}

// checkAdvice fails on an error that does not say what to do.
func checkAdvice(t *testing.T, err error) {
	t.Helper()
	for _, advice := range []string{"the next upload of the same image goes on there", "run the upload again", "context deadline exceeded", "tried"} {
		if strings.Contains(err.Error(), advice) {
			return
		}
	}
	t.Errorf("no advice in: %v", err)
}

// TestResumeInDoubt goes on with an upload to MAAS 3.8 that an earlier run has
// left with more bytes in the file than the region counts. The file gets too
// long before the end, MAAS deletes it and goes on counting; and just the
// answer that tells so is lost.
func TestResumeInDoubt(t *testing.T) {
	const size, chunk = 100_000, 10_000
	content := bytesOf(13, size)
	r := regiontest.Start(t, regiontest.Options{Version: "3.8.0", Faults: []regiontest.Fault{
		{Skip: 2, Times: 3, Do: regiontest.Restart(chunk/2, 0)}, // 15,000 bytes of the third chunk, before it
		{Skip: 8, Do: regiontest.LostReply()},                   // to the ninth, the first that is too much
	}})
	ctx, cancel := context.WithCancel(t.Context())
	opts := quick(chunk)
	opts.Report = stopper{after: 3 * chunk, stop: cancel}
	if _, err := clientOf(t, r).Upload(ctx, imageOf(content), bytes.NewReader(content), size, opts); err == nil {
		t.Fatal("not interrupted")
	}
	resource, err := clientOf(t, r).Upload(t.Context(), imageOf(content), bytes.NewReader(content), size, quick(chunk))
	if err != nil {
		t.Fatal(err)
	}
	checkStored(t, r, resource.ID, content)
}

// TestConflictKeepsBytes sees that an upload to MAAS 3.8 starts over right after
// a 409, which may leave the chunk in the file.
func TestConflictKeepsBytes(t *testing.T) {
	const size, chunk = 100_000, 10_000
	content := bytesOf(14, size)
	r := regiontest.Start(t, regiontest.Options{Version: "3.8.0", Faults: []regiontest.Fault{
		{Skip: 2, Do: regiontest.ConflictAfterWrite(0)},
	}})
	resource, err := clientOf(t, r).Upload(t.Context(), imageOf(content), bytes.NewReader(content), size, quick(chunk))
	if err != nil {
		t.Fatal(err)
	}
	checkStored(t, r, resource.ID, content)
	chunks := 0
	for _, request := range r.Requests() {
		if request.Method == http.MethodPut {
			chunks++
		}
	}
	if chunks != 3+10 {
		t.Errorf("%d chunks were sent, not 3 and then all 10", chunks)
	}
}
