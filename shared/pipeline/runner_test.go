package pipeline

import (
	"bytes"
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/pack"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

func TestUnstartedIsNoAttempt(t *testing.T) {
	begun := 0
	g := newRig(stageFunc(func(_ context.Context, batch []event.Event) []Outcome {
		outs := make([]Outcome, len(batch))
		for i := range outs {
			outs[i] = Fail(fault.New(fault.DeadlineNear, "test"))
		}
		if begun++; begun%20 == 0 { // one event gets its turn every twenty invocations
			outs[0] = Forward(batch[0])
		}
		return outs
	}))
	g.put(t, "a", "b", "c")
	for range 60 {
		g.run(t)
	}
	if got := g.out.events(t); len(got) != 3 || len(g.dead.msgs) != 0 {
		t.Errorf("forwarded %v, %d dead; want all three and none", got, len(g.dead.msgs))
	}
}

func TestBreakerHoldsBackWithDelay(t *testing.T) {
	g := newRig(each(func(*event.Event) Outcome { return Fail(fault.New(fault.BreakerOpen, "test")) }))
	g.put(t, "a")
	for range 10 {
		if res := g.run(t); len(res.Failed) != 0 {
			t.Fatalf("reported as failed: %v", res.Failed)
		}
		if m := g.own.msgs[0]; m.delay != 8*time.Second || m.delivery().Attrs.Attempt != 0 {
			t.Fatalf("sent back with delay %s and attempt %d", m.delay, m.delivery().Attrs.Attempt)
		}
	}
}

func TestAllFailedForPassingReasonIsRedelivered(t *testing.T) {
	g := newRig(each(func(*event.Event) Outcome { return Fail(errSend) }))
	g.put(t, "a", "b")
	if res := g.run(t); !slices.Equal(res.Failed, []int{0}) || len(g.own.msgs) != 1 {
		t.Fatalf("failed %v, %d messages; want the message itself redelivered", res.Failed, len(g.own.msgs))
	}
	g.run(t)
	g.run(t)
	if got := g.dead.events(t); got["a"] != 1 || got["b"] != 1 || len(g.own.msgs) != 0 {
		t.Errorf("after the last attempt: dead %v, %d messages left", got, len(g.own.msgs))
	}
	if a := g.dead.msgs[0].delivery().Attrs; !a.FirstFailure.Equal(start) {
		t.Errorf("first failure %s", a.FirstFailure)
	}
}

func TestClaimCheck(t *testing.T) {
	big := `"` + strings.Repeat("9f8e7d6c5b4a", 100_000) + `"`
	g := newRig(each(forward))
	g.MaxEvent, g.ClaimOver, g.Encoding = 4<<20, 10<<10, pack.S2
	e, err := event.Parse([]byte(`{"specversion":"1.0","id":"big","source":"/s","type":"t","data":` + big + `}`))
	if err != nil {
		t.Fatal(err)
	}
	errs := g.send(t.Context(), &g.own, []outgoing{{body: e.JSON(), attrs: Attrs{ContentType: event.ContentTypeJSON}}})
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	if m := g.own.msgs[0]; len(m.body) > 200 || m.delivery().Attrs.Encoding != EncodingClaim {
		t.Fatalf("sent %d bytes, attributes %v", len(m.body), m.attrs)
	}
	g.run(t)
	d := g.out.msgs[0].delivery()
	opened, err := CheckOut(t.Context(), &d, g.Claims)
	if d.Attrs.Encoding != EncodingClaim {
		opened = &d // compressed below the limit
	} else if err != nil {
		t.Fatal(err)
	}
	items, err := Unpack(opened, 4<<20)
	if err != nil || string(items[0].Event.Data()) != big {
		t.Fatalf("the event came out changed: %v", err)
	}

	g.Claims = memClaims{}
	g.own.Send(t.Context(), []queue.Message{{Body: []byte(`{"ref":"gone","bytes":3}`), Attributes: Attrs{Encoding: EncodingClaim}.Map()}})
	g.run(t)
	if a := g.dead.msgs[0].delivery().Attrs; a.Reason != fault.ClaimMissing || a.Encoding != EncodingClaim {
		t.Errorf("a lost claim: %+v", a)
	}
}

func TestTooLargeIsDeadLettered(t *testing.T) {
	g := newRig(each(forward))
	g.MaxEvent = 100
	g.put(t, "a", strings.Repeat("b", 60))
	g.run(t)
	if len(g.dead.msgs) != 2 || g.dead.msgs[0].delivery().Attrs.Reason != fault.TooLarge {
		t.Fatalf("%d dead letters", len(g.dead.msgs))
	}
	if g.rep.Dead != 2 || g.rep.Reasons[fault.TooLarge] != 2 {
		t.Errorf("report %+v", g.rep)
	}
}

// Bytes of any kind survive the dead-letter queue of a Kafka record, key and headers too.
func TestKafkaDeadLetterKeepsOriginal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Delivery{
			ID: "t-0@7", Body: rapid.SliceOf(rapid.Byte()).Draw(t, "value"), Arrived: start,
			Kafka: &KafkaRecord{Topic: "t", Offset: 7, Key: rapid.SliceOfN(rapid.Byte(), 1, 9).Draw(t, "key"),
				Headers: []event.Header{{Name: "h", Value: rapid.SliceOfN(rapid.Byte(), 1, 9).Draw(t, "h")}, {Name: "h", Value: []byte("again")}}},
		}
		g := newRig(each(forward))
		g.Decode = func(*Delivery) ([]event.Item, error) { return nil, fault.New(fault.NotCloudEvent, "test") }
		if _, err := g.Run(context.Background(), Invocation{Deliveries: []Delivery{d}}); err != nil {
			t.Fatal(err)
		}
		letter := g.dead.msgs[0].delivery()
		got, err := OpenEnvelope(&letter)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Body, d.Body) || cmp.Diff(got.Kafka, d.Kafka) != "" || !got.Arrived.Equal(start) {
			t.Fatalf("kept %+v of %+v", got, d)
		}
	})
}

func TestBinaryBodyIsDeadLetteredAsBase64(t *testing.T) {
	g := newRig(each(forward))
	body := []byte("\x00\xff")
	g.Run(t.Context(), Invocation{Deliveries: []Delivery{{ID: "x", Body: body, Receive: 1}}})
	m := g.dead.msgs[0]
	if got, _ := base64.StdEncoding.DecodeString(string(m.body)); !bytes.Equal(got, body) || m.delivery().Attrs.Encoding != pack.Base64 {
		t.Errorf("dead letter %q %v", m.body, m.attrs)
	}
}

func TestAccept(t *testing.T) {
	g := newRig(each(func(e *event.Event) Outcome {
		switch e.ID() {
		case "bad":
			return Fail(fault.New(fault.SchemaViolation, "/n"))
		case "drop":
			return Drop("test")
		}
		return Forward(*e)
	}))
	events := []event.Event{mustEvent(t, "a"), mustEvent(t, "bad"), mustEvent(t, "drop")}
	errs, err := g.Accept(t.Context(), Invocation{RequestID: "r", Source: "http"}, events)
	if err != nil || errs[0] != nil || fault.ReasonOf(errs[1]) != fault.SchemaViolation || errs[2] != nil {
		t.Fatalf("%v, %v", errs, err)
	}
	if len(g.dead.msgs)+len(g.own.msgs) != 0 {
		t.Error("an event that its sender was told about is also kept")
	}
	g.out.fail = func() (error, bool) { return errSend, false }
	errs, _ = g.Accept(t.Context(), Invocation{}, events[:1])
	if fault.ReasonOf(errs[0]) != fault.PublishFailed {
		t.Errorf("not published: %v", errs[0])
	}
}

func TestAttrsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Attrs{
			ContentType: rapid.StringMatching(`[a-z/+]{0,9}`).Draw(t, "ct"), Encoding: rapid.SampledFrom([]string{"", pack.S2, EncodingClaim}).Draw(t, "enc"),
			Count: rapid.IntRange(0, 999).Draw(t, "count"), Attempt: rapid.IntRange(0, 9).Draw(t, "attempt"), Redrives: rapid.IntRange(0, 9).Draw(t, "redrives"),
			FirstFailure: start.Add(time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "first"))), TraceParent: continueTrace(nil),
			Reason: rapid.SampledFrom(fault.Reasons()).Draw(t, "reason"), Stage: "persist", Error: "e",
		}
		m := a.Map()
		if len(m) > queue.MaxAttributes {
			t.Fatalf("%d attributes: SNS discards the message", len(m))
		}
		m["theirs"] = "x"
		got, foreign := ParseAttrs(m)
		if d := cmp.Diff(a, got); d != "" || len(foreign) != 1 {
			t.Fatalf("%s, foreign %v", d, foreign)
		}
	})
}

func TestTraceRunsThroughHops(t *testing.T) {
	g := newRig(each(forward))
	g.put(t, "a")
	g.run(t)
	first := g.out.msgs[0].delivery()
	second := continueTrace([]Delivery{{}, first})
	if first.Attrs.TraceParent[:35] != second[:35] || first.Attrs.TraceParent == second {
		t.Errorf("%s does not continue %s", second, first.Attrs.TraceParent)
	}
	if g.rep.TraceParent != first.Attrs.TraceParent {
		t.Errorf("report says %s", g.rep.TraceParent)
	}
}

func TestBackoff(t *testing.T) {
	b := Backoff{Base: 2 * time.Second, Max: time.Minute, Rand: func() float64 { return 0.999 }}
	for n, want := range map[int]time.Duration{1: time.Second, 2: 3 * time.Second, 5: 31 * time.Second, 6: 59 * time.Second, 1000: 59 * time.Second} {
		if got := b.Delay(n); got != want {
			t.Errorf("delay after attempt %d: %s, want %s", n, got, want)
		}
	}
	b.Rand = func() float64 { return 0 }
	if got := b.Delay(3); got != time.Second {
		t.Errorf("the shortest delay is %s", got)
	}
}

func TestReportLatency(t *testing.T) {
	g := newRig(each(func(*event.Event) Outcome { return Stored(true) }))
	g.Out = nil
	g.put(t, "a", "b")
	g.run(t)
	if !slices.Equal(g.rep.Latency, []time.Duration{time.Second, time.Second}) || g.rep.Stored != 2 || g.rep.Duplicates != 2 {
		t.Errorf("report %+v", g.rep)
	}
}
