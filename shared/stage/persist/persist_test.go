package persist

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/store"
)

type writer func(batch []event.Event) ([]store.Result, error)

func (w writer) Write(_ context.Context, batch []event.Event) ([]store.Result, error) {
	return w(batch)
}

func events(n int) []event.Event {
	out := make([]event.Event, n)
	for i := range out {
		e, err := event.Parse(fmt.Appendf(nil, `{"specversion":"1.0","id":"%d","source":"/s","type":"t"}`, i))
		if err != nil {
			panic(err)
		}
		out[i] = e
	}
	return out
}

func TestOutcomesFollowEvents(t *testing.T) {
	s := Stage{Store: writer(func(batch []event.Event) ([]store.Result, error) {
		out := make([]store.Result, len(batch))
		for i := range batch {
			switch batch[i].ID() {
			case "1":
				out[i].Duplicate = true
			case "2":
				out[i].Err = fault.New(fault.StoreRejected, "too large")
			case "3":
				out[i].Err = errors.New("timeout")
			}
		}
		return out, nil
	})}
	outs := s.Do(t.Context(), events(4))
	if outs[0].Err != nil || outs[0].Duplicate || !outs[1].Duplicate ||
		fault.ReasonOf(outs[2].Err) != fault.StoreRejected || fault.ReasonOf(outs[3].Err) != fault.StoreUnavailable {
		t.Errorf("%+v", outs)
	}
}

func TestFailedWriteFailsItsEventsOnly(t *testing.T) {
	calls := 0
	s := Stage{Store: writer(func(batch []event.Event) ([]store.Result, error) {
		if calls++; calls == 2 {
			return nil, errors.New("connection reset")
		}
		return make([]store.Result, len(batch)), nil
	})}
	outs := s.Do(t.Context(), events(2*maxWrite+1))
	if len(outs) != 2*maxWrite+1 || calls != 3 {
		t.Fatalf("%d outcomes, %d writes", len(outs), calls)
	}
	for i, o := range outs {
		if bad := i >= maxWrite && i < 2*maxWrite; bad != (o.Err != nil) || bad && fault.KindOf(o.Err) != fault.Transient {
			t.Fatalf("event %d: %v", i, o.Err)
		}
	}
}

func TestStopsAtDeadline(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := Stage{Store: writer(func(batch []event.Event) ([]store.Result, error) {
		cancel()
		return make([]store.Result, len(batch)), nil
	})}
	outs := s.Do(ctx, events(maxWrite+2))
	if outs[maxWrite-1].Err != nil || fault.KindOf(outs[maxWrite].Err) != fault.Unstarted || len(outs) != maxWrite+2 {
		t.Errorf("%v, %v, %d outcomes", outs[maxWrite-1].Err, outs[maxWrite].Err, len(outs))
	}
}
