// Package bench measures the pipeline end to end: a load generator with a known rate, and
// a report of events a second, latency, CPU and memory.
package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Load is what is sent.
type Load struct {
	Template [][]byte // events; each is sent with an id of its own
	Rate     int      // events a second; 0: as fast as they are taken
	InFlight int      // the most events that are under way at once; 0: no bound
	Events   int      // how many in all
	Bad      float64  // part of them that is no event, 0 to 1
	Again    float64  // part of them that was sent before, 0 to 1
}

// idPlace is the id in a template: as many digits, so that ids are time-ordered.
var idPlace = []byte(`"id":"000000000000"`)

const idDigits = 12

// Template makes the id of an event replaceable. The event must have one.
func Template(event []byte) ([]byte, error) {
	const open = `"id":"`
	i := bytes.Index(event, []byte(open))
	if i < 0 {
		return nil, errors.New("the event has no id")
	}
	end := bytes.IndexByte(event[i+len(open):], '"')
	if end < 0 {
		return nil, errors.New("the event's id does not end")
	}
	out := append(bytes.Clone(event[:i]), idPlace...)
	return append(out, event[i+len(open)+end+1:]...), nil
}

// tick is how often the generator catches up with its rate.
const tick = 2 * time.Millisecond

// generator sends a Load to a topic.
type generator struct {
	load   Load
	client *kgo.Client
	tally  *Tally
	places []int // of the id's digits in each template
	fresh  int64 // distinct events so far
}

func newGenerator(l Load, client *kgo.Client, t *Tally) (*generator, error) {
	g := &generator{load: l, client: client, tally: t}
	for _, t := range l.Template {
		i := bytes.Index(t, idPlace)
		if i < 0 {
			return nil, fmt.Errorf("template %.80s has no place for an id", t)
		}
		g.places = append(g.places, i+len(idPlace)-1-idDigits)
	}
	return g, nil
}

// warm sends a few events and waits for them.
func (g *generator) warm(ctx context.Context) error {
	load := g.load
	g.load.Events, g.load.Rate, g.load.Bad, g.load.Again = warmUp, 0, 0, 0
	if err := g.run(ctx); err != nil {
		return err
	}
	if err := g.tally.await(ctx, warmUp); err != nil {
		return err
	}
	g.tally.reset()
	g.load = load
	return nil
}

// run sends at the load's rate whatever the pipeline does (open loop): events that wait
// get older, and their latency says so. A bound on the events in flight closes the loop.
func (g *generator) run(ctx context.Context) error {
	start := time.Now()
	failed := make(chan error, 1)
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			select {
			case failed <- err:
			default:
			}
		}
	}
	for n := 0; n < g.load.Events; {
		due := g.load.Events
		if g.load.Rate > 0 {
			due = min(due, int(time.Since(start).Seconds()*float64(g.load.Rate)))
		}
		if g.load.InFlight > 0 {
			due = min(due, g.tally.Done()+g.load.InFlight)
		}
		for ; n < due; n++ {
			g.client.Produce(ctx, &kgo.Record{Value: g.event(n)}, promise)
		}
		select {
		case err := <-failed:
			return fmt.Errorf("produce: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(tick):
		}
	}
	if err := g.client.Flush(ctx); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return fmt.Errorf("produce: %w", err)
	default:
		return nil
	}
}

// event is the n-th thing to send. Shares are spread evenly, by n alone.
func (g *generator) event(n int) []byte {
	if share(n, g.load.Bad) {
		return fmt.Appendf(nil, `{"specversion":"1.0","id":"%d"`, n) // breaks off
	}
	id := g.fresh
	if share(n, g.load.Again) && id > 0 {
		id = int64(n) % id
	} else {
		g.fresh++
	}
	k := int(id) % len(g.load.Template) // an event that comes again is the same event
	return withID(g.load.Template[k], g.places[k], id)
}

// WithID is a new event of a Template, with the id in decimal.
func WithID(template []byte, id int64) []byte {
	return withID(template, bytes.Index(template, idPlace)+len(idPlace)-1-idDigits, id)
}

func withID(template []byte, place int, id int64) []byte {
	b := bytes.Clone(template)
	digits := strconv.AppendInt(make([]byte, 0, idDigits), id, 10)
	copy(b[place+idDigits-len(digits):], digits)
	return b
}

// share reports whether n is one of the given part of all numbers.
func share(n int, part float64) bool {
	return int(float64(n+1)*part) > int(float64(n)*part)
}
