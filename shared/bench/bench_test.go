package bench

import (
	"testing"

	"github.com/millrace-pipeline/millrace/shared/event"
)

func TestTemplatesAreEvents(t *testing.T) {
	flights, err := Flights()
	if err != nil {
		t.Fatal(err)
	}
	if len(flights) != 842 {
		t.Errorf("%d flights", len(flights))
	}
	for _, size := range []int{400, 1100, 10_000} {
		orders := Orders(size)
		total := 0
		for _, o := range orders {
			total += len(o)
		}
		if mean := total / len(orders); mean < size*8/10 || mean > size*12/10 {
			t.Errorf("orders of %d bytes have %d on average", size, mean)
		}
		flights = append(flights, orders...)
	}
	for _, b := range flights {
		if _, err := event.Parse(b); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
	}
}

// The generator sends as many distinct, repeated and bad events as the load says, and an
// event that comes again is the same event.
func TestLoadShares(t *testing.T) {
	g, err := newGenerator(Load{Template: Orders(400), Events: 10_000, Bad: 0.01, Again: 0.2}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]string)
	bad, again := 0, 0
	last := ""
	for n := range g.load.Events {
		b := g.event(n)
		e, err := event.Parse(b)
		switch before, known := seen[e.ID()]; {
		case err != nil:
			bad++
		case known && before != string(b):
			t.Fatalf("event %s came again as another event", e.ID())
		case known:
			again++
		default:
			if e.ID() <= last {
				t.Fatalf("id %s after %s: ids must grow", e.ID(), last)
			}
			last = e.ID()
			seen[e.ID()] = string(b)
		}
	}
	if bad != 100 || again < 1900 || again > 2000 {
		t.Errorf("%d bad and %d repeated of 10,000", bad, again)
	}
}
