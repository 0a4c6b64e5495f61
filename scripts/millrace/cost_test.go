package main

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// The bills that were computed when the design was made (100,000 events/s of 1 KiB, two
// hops, 30 days, us-east-1).
func TestCostReproducesTheDesignsBills(t *testing.T) {
	p := regions["us-east-1"]
	bills := map[string]float64{
		"packs of 64 KiB, zstd":               3984,
		"packs of 1 MiB, zstd":                3682,
		"packs of 64 KiB, not compressed":     12_043,
		"one event per message, PublishBatch": 201_725,
		"one event per message, Publish":      435_005,
	}
	if len(bills) != len(transports) {
		t.Errorf("%d transports", len(transports))
	}
	for _, tr := range transports {
		lines := carried(&p, load{100_000, 1024}, tr)
		got, want := total(lines), bills[tr.name]
		if math.Abs(got-want) > want/100 {
			t.Errorf("%s: $%.0f, want $%.0f within 1 %%", tr.name, got, want)
			for _, l := range lines {
				t.Logf("  %s: %.0f %s, $%.0f", l.Item, l.Quantity, l.Unit, l.USD)
			}
		}
	}
}

func TestTiered(t *testing.T) {
	tiers := []tier{{100, 4}, {200, 3}, {0, 2}}
	for n, want := range map[float64]float64{0: 0, 50: 200, 100: 400, 150: 550, 200: 700, 1000: 2300} {
		if got := tiered(tiers, n); got != want {
			t.Errorf("%v cost %v, want %v", n, got, want)
		}
	}
}

// More events, or larger ones, never cost less; and whatever the load, packs cost no more
// than an event per message.
func TestCostProperties(t *testing.T) {
	p := regions["us-east-1"]
	rapid.Check(t, func(t *rapid.T) {
		l := load{rapid.Float64Range(0.01, maxCostRate).Draw(t, "rate"), float64(rapid.IntRange(1, maxCostSize).Draw(t, "size"))}
		tr := rapid.SampledFrom(transports).Draw(t, "transport")
		cost := total(carried(&p, l, tr))
		if cost <= 0 || math.IsInf(cost, 0) {
			t.Fatalf("$%v", cost)
		}
		more := l
		more.rate *= 2
		if total(carried(&p, more, tr)) <= cost {
			t.Fatal("twice the events cost no more")
		}
		if naive := total(carried(&p, l, transports[len(transports)-1])); total(carried(&p, l, transports[0])) > naive*1.0001 {
			t.Fatalf("packs cost more than $%v", naive)
		}
		for _, line := range append(carried(&p, l, tr), standing(&p, l, true)...) {
			if line.USD < 0 || line.Quantity <= 0 || line.Item == "" || line.Unit == "" {
				t.Fatalf("%+v", line)
			}
		}
	})
}
