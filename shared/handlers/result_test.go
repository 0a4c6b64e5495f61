package handlers

import (
	"bytes"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

func parse(t testing.TB, s string) event.Event {
	t.Helper()
	e, err := event.Parse([]byte(s))
	if err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return e
}

const order = `{"specversion":"1.0","id":"o-1","source":"/shop","type":"order","subject":"o","time":"2026-01-05T08:00:00Z","tenantid":"acme",` +
	`"partitionkey":"p","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","priority":"high","userid":"u",` +
	`"receivedtime":"2026-01-05T08:00:01.234Z","other":"x","data":{"n":1}}`

func TestForwardUnchanged(t *testing.T) {
	e := parse(t, order)
	out, dropped, err := Forward(e).Output(&e)
	if err != nil || dropped != "" || len(out) != 1 || !bytes.Equal(out[0].JSON(), e.JSON()) {
		t.Fatalf("got %v, %q, %v", out, dropped, err)
	}
}

func TestFurtherEvents(t *testing.T) {
	e := parse(t, order)
	run := func() []event.Event {
		r := Forward(e)
		r.Add("order.audited").Data(map[string]int{"n": 1})
		r.Add("order.billed").Set("subject", "bill")
		r.Add("order.shipped").Set("source", "/warehouse").Set("id", "o-1")
		out, _, err := r.Output(&e)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	first, replay := run(), run()
	if len(first) != 4 {
		t.Fatalf("%d events, want 4", len(first))
	}
	keys := map[event.Key]bool{}
	for i := range first {
		if !bytes.Equal(first[i].JSON(), replay[i].JSON()) {
			t.Errorf("event %d differs in a replay:\n%s\n%s", i, first[i].JSON(), replay[i].JSON())
		}
		keys[first[i].Key()] = true
	}
	if len(keys) != 4 {
		t.Errorf("keys are not distinct: %v", keys)
	}
	audited, billed, shipped := &first[1], &first[2], &first[3]
	if audited.Source() != "/shop" || audited.Type() != "order.audited" || string(audited.Data()) != `{"n":1}` {
		t.Errorf("got %s", audited.JSON())
	}
	if audited.Subject() != "o" || audited.Tenant() != "acme" || audited.PartitionKey() != "p" || audited.User() != "u" ||
		audited.Priority() != "high" || audited.TraceParent() != e.TraceParent() || !audited.Time().Equal(e.Time()) ||
		!audited.Received().Equal(e.Received()) {
		t.Errorf("attributes are not inherited: %s", audited.JSON())
	}
	if billed.Subject() != "bill" || shipped.Key() != (event.Key{Source: "/warehouse", ID: "o-1"}) {
		t.Errorf("what the handler sets must win: %s, %s", billed.JSON(), shipped.JSON())
	}
}

func TestOutputRefuses(t *testing.T) {
	e := parse(t, order)
	for name, make := range map[string]func() (Result, error){
		"empty result": func() (Result, error) { return Result{}, nil },
		"other id":     func() (Result, error) { return Change(e.Edit().Set("id", "o-2")) },
		"other source": func() (Result, error) { return Change(e.Edit().Set("source", "/x")) },
		"invalid change": func() (Result, error) {
			return Change(e.Edit().Set("type", ""))
		},
		"invalid further event": func() (Result, error) {
			r := Forward(e)
			r.Add("")
			return r, nil
		},
		"further event with the original's key": func() (Result, error) {
			r := Forward(e)
			r.Add("copy").Set("id", "o-1")
			return r, nil
		},
		"two further events with one key": func() (Result, error) {
			r := Forward(e)
			r.Add("a").Set("id", "same")
			r.Add("b").Set("id", "same")
			return r, nil
		},
		"drop with further events": func() (Result, error) {
			r := Drop("no use")
			r.Add("a")
			return r, nil
		},
		"drop without a reason": func() (Result, error) { return Drop(""), nil },
	} {
		t.Run(name, func(t *testing.T) {
			r, err := make()
			if err == nil {
				_, _, err = r.Output(&e)
			}
			if err == nil || fault.KindOf(err) != fault.Permanent {
				t.Errorf("got %v, want a permanent error", err)
			}
		})
	}
}

func TestDrop(t *testing.T) {
	e := parse(t, order)
	out, dropped, err := Drop("test order").Output(&e)
	if err != nil || len(out) != 0 || dropped != "test order" {
		t.Errorf("got %v, %q, %v", out, dropped, err)
	}
}

// An event made anew keeps when the pipeline received it: latency is measured by it.
func TestReceivedTimeSurvives(t *testing.T) {
	e := parse(t, order)
	r, err := Change(event.New(e.Source(), e.ID(), "order.seen"))
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := r.Output(&e)
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 1, 5, 8, 0, 1, 234e6, time.UTC); !out[0].Received().Equal(want) {
		t.Errorf("received %v, want %v", out[0].Received(), want)
	}
}

func TestReject(t *testing.T) {
	err := Reject("field %s", "x")
	if fault.KindOf(err) != fault.Permanent || fault.ReasonOf(err) != fault.HandlerRejected {
		t.Errorf("got %v", err)
	}
}
