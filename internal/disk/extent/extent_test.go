package extent

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRuns(t *testing.T) {
	m := New(1000)
	m.Add(100, 50)
	m.Add(150, 50) // joins the one before
	m.Add(300, 10)
	m.Add(990, 500) // cut at the end of the disk
	tests := map[string]struct {
		off, n int64
		want   []Run
	}{
		"all": {0, 1000, []Run{
			{0, 100, true}, {100, 100, false}, {200, 100, true}, {300, 10, false}, {310, 680, true}, {990, 10, false},
		}},
		"inside data":   {120, 10, []Run{{120, 10, false}}},
		"inside a hole": {210, 10, []Run{{210, 10, true}}},
		"across":        {190, 20, []Run{{190, 10, false}, {200, 10, true}}},
		"past the end":  {995, 100, []Run{{995, 5, false}}},
		"overflow":      {995, math.MaxInt64, []Run{{995, 5, false}}},
		"beyond":        {1000, 5, nil},
		"far beyond":    {math.MaxInt64, 5, nil},
		"before":        {-10, 20, []Run{{0, 10, true}}},
		"empty":         {100, 0, nil},
		"negative":      {100, -5, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := slices.Collect(m.Runs(test.off, test.n))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := m.Stored(); got != 120 {
		t.Errorf("Stored() = %d, want 120", got)
	}
}

func TestRunsStopsEarly(t *testing.T) {
	m := New(100)
	m.Add(50, 10)
	for range m.Runs(0, 100) {
		break
	}
	for run := range m.Runs(0, 100) {
		if !run.Hole {
			break
		}
	}
}

func TestHasData(t *testing.T) {
	m := New(1000)
	m.Add(100, 50)
	for _, test := range []struct {
		off, n int64
		want   bool
	}{{0, 100, false}, {0, 101, true}, {149, 1, true}, {150, 850, false}, {2000, 1, false}, {120, 0, false}} {
		if got := m.HasData(test.off, test.n); got != test.want {
			t.Errorf("HasData(%d, %d) = %v", test.off, test.n, got)
		}
	}
}

// A map over its limit may call a hole data, but never data a hole.
func TestLimit(t *testing.T) {
	m := New(1 << 30)
	m.limit = 100
	var data []span
	random := rand.New(rand.NewPCG(1, 2))
	for off := int64(0); off < m.size; {
		off += 512 * (1 + random.Int64N(1000))
		n := 512 * (1 + random.Int64N(20))
		data = append(data, span{off, min(off+n, m.size)})
		m.Add(off, n)
		off += n
	}
	if len(m.spans) > m.limit {
		t.Errorf("%d spans, the limit is %d", len(m.spans), m.limit)
	}
	for _, s := range data {
		for run := range m.Runs(s.start, s.end-s.start) {
			if run.Hole {
				t.Fatalf("stored [%d, %d) has a hole at %d", s.start, s.end, run.Offset)
			}
		}
	}
}

func TestRead(t *testing.T) {
	const size = 4 << 20
	random := rand.New(rand.NewPCG(3, 4))
	content, m := make([]byte, size), New(size)
	for off := 0; off < size; {
		off += 1 + random.IntN(2*bridge)
		n := min(1+random.IntN(100000), max(0, size-off))
		for i := range n {
			content[off+i] = byte(1 + random.IntN(255))
		}
		m.Add(int64(off), int64(n))
		off += n
	}
	read := func(p []byte, off int64) (int, error) {
		if !m.HasData(off, 1) || !m.HasData(off+int64(len(p))-1, 1) {
			t.Errorf("read of [%d, %d) begins or ends in a hole", off, off+int64(len(p)))
		}
		return copy(p, content[off:]), nil
	}
	for range 500 {
		off := random.Int64N(size)
		p := bytes.Repeat([]byte{0xaa}, random.IntN(int(size-off)+1))
		if n, err := m.Read(p, off, read); n != len(p) || err != nil {
			t.Fatalf("Read = %d, %v", n, err)
		}
		if !bytes.Equal(p, content[off:off+int64(len(p))]) {
			t.Fatalf("wrong bytes in [%d, %d)", off, off+int64(len(p)))
		}
	}
}

func TestReadError(t *testing.T) {
	m := New(1 << 20)
	m.Add(1000, 1000)
	broken := errors.New("broken")
	n, err := m.Read(make([]byte, 4000), 500, func([]byte, int64) (int, error) { return 7, broken })
	if n != 507 || !errors.Is(err, broken) {
		t.Errorf("Read = %d, %v, want 507 and the error", n, err)
	}
}
