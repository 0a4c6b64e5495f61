package pipeline

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// Mistakes that other projects shipped, each named for where.

// powertools-lambda-typescript #5624: after a failure of the whole batch the answer was
// an empty list of failures, which acknowledges everything.
func TestLessonWholeBatchFailureAcksNothing(t *testing.T) {
	g := newRig(stageFunc(func(context.Context, []event.Event) []Outcome { return nil }))
	g.put(t, "a", "b")
	res, err := g.Run(t.Context(), Invocation{Deliveries: g.own.receive([]int{0})})
	if fault.ReasonOf(err) != fault.Bug {
		t.Fatalf("a stage without outcomes: result %v, error %v; want a bug reported as an error", res, err)
	}
	if len(g.out.msgs)+len(g.dead.msgs) != 0 {
		t.Error("something was sent for a batch that failed whole")
	}
	if g.rep.Failed != 1 || g.rep.Redelivery != 2 || g.rep.Forwarded != 0 {
		t.Errorf("report: %+v", g.rep)
	}
}

// panther requeue tool: the failed entries of SendMessageBatch were ignored and the
// originals deleted.
func TestLessonFailedEntriesOfPublishAreNotAcked(t *testing.T) {
	g := newRig(each(forward))
	g.put(t, "a")
	g.put(t, "b")
	g.out.fail = func() (error, bool) { return errSend, false }
	if res := g.run(t); len(res.Failed) != 2 {
		t.Fatalf("failed deliveries %v, want both", res.Failed)
	}
	g.out.fail = nil
	g.run(t)
	if got := g.out.events(t); got["a"] != 1 || got["b"] != 1 {
		t.Errorf("forwarded %v", got)
	}
}

func TestLessonFailedEntriesOfRetryAreNotAcked(t *testing.T) {
	g := newRig(each(func(e *event.Event) Outcome {
		if e.ID() == "bad" {
			return Fail(errSend)
		}
		return Forward(*e)
	}))
	g.put(t, "good", "bad")
	g.own.fail = func() (error, bool) { return errSend, false }
	if res := g.run(t); !slices.Equal(res.Failed, []int{0}) {
		t.Fatalf("failed deliveries %v, want the one whose retry was not taken", res.Failed)
	}
}

func TestLessonFailedEntriesOfDeadLettersAreNotAcked(t *testing.T) {
	g := newRig(each(func(*event.Event) Outcome { return Fail(fault.New(fault.HandlerRejected, "no")) }))
	g.put(t, "a")
	g.dead.fail = func() (error, bool) { return errSend, false }
	if res := g.run(t); !slices.Equal(res.Failed, []int{0}) {
		t.Fatalf("failed deliveries %v, want the one whose dead letter was not taken", res.Failed)
	}
}

// A sender that answers with too few results must not read as success.
func TestShortAnswerOfSenderIsFailure(t *testing.T) {
	g := newRig(each(forward))
	g.Out = shortSender{}
	g.put(t, "a")
	if res := g.run(t); !slices.Equal(res.Failed, []int{0}) {
		t.Fatalf("failed deliveries %v", res.Failed)
	}
}

type shortSender struct{}

func (shortSender) Send(context.Context, []queue.Message) []error { return nil }

// karpenter interruption controller: messages that did not parse were deleted.
func TestLessonUnparseableIsKept(t *testing.T) {
	g := newRig(each(forward))
	g.own.Send(t.Context(), []queue.Message{{Body: []byte("\u20acvil {"), Attributes: map[string]string{"sender": "x"}}})
	g.run(t)
	if len(g.dead.msgs) != 1 {
		t.Fatalf("%d dead letters, want 1", len(g.dead.msgs))
	}
	d := g.dead.msgs[0].delivery()
	o, err := OpenEnvelope(&d)
	if err != nil || string(o.Body) != "\u20acvil {" || o.Foreign["sender"] != "x" {
		t.Errorf("kept %q %v, %v", o.Body, o.Foreign, err)
	}
	if d.Attrs.Reason != fault.NotJSON && d.Attrs.Reason != fault.BadPack {
		t.Errorf("reason %q", d.Attrs.Reason)
	}
}

// panther #961, powertools-python #4691: one bad record failed the whole batch, ten times.
func TestLessonPoisonEventLeavesNeighboursAlone(t *testing.T) {
	for name, poison := range map[string]func() Outcome{
		"rejected": func() Outcome { return Fail(fault.New(fault.HandlerRejected, "no")) },
		"panic":    func() Outcome { panic("boom") },
		"failing":  func() Outcome { return Fail(errSend) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(each(func(e *event.Event) Outcome {
				if e.ID() == "poison" {
					return poison()
				}
				return Forward(*e)
			}))
			g.put(t, "a", "b", "poison", "c")
			for range 10 {
				g.run(t)
			}
			if got := g.out.events(t); got["a"] != 1 || got["b"] != 1 || got["c"] != 1 || len(got) != 3 {
				t.Errorf("forwarded %v, want a, b and c once", got)
			}
			if got := g.dead.events(t); got["poison"] != 1 || len(got) != 1 {
				t.Errorf("dead %v, want poison once", got)
			}
			if len(g.own.msgs) != 0 {
				t.Errorf("%d messages left", len(g.own.msgs))
			}
		})
	}
}

// panther PR 1857: a deadline computed with the wrong sign.
func TestLessonDeadlineSign(t *testing.T) {
	for _, left := range []time.Duration{time.Second, 10 * time.Second, 14 * time.Minute} {
		now := time.Now()
		ctx, cancel := context.WithDeadline(t.Context(), now.Add(left))
		stage, stop := stageContext(ctx, now)
		got, ok := stage.Deadline()
		if kept := left - got.Sub(now); !ok || kept <= 0 || kept > margin || kept > left/4 {
			t.Errorf("of %s the stage is left %s", left, got.Sub(now))
		}
		stop()
		cancel()
	}
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	stage, stop := stageContext(late, time.Now())
	defer stop()
	if !errors.Is(stage.Err(), context.DeadlineExceeded) {
		t.Errorf("after the deadline the stage's context says %v", stage.Err())
	}
}

// panther PR 2627: a retry loop burnt 4.3 million Lambda-seconds a day.
func TestLessonRetriesAreDelayedAndEnd(t *testing.T) {
	runs := 0
	g := newRig(each(func(e *event.Event) Outcome {
		if e.ID() == "bad" {
			runs++
			return Fail(errSend)
		}
		return Forward(*e)
	}))
	g.put(t, "good", "bad")
	g.run(t)
	if m := g.own.msgs[0]; m.delay < time.Second {
		t.Errorf("retry delayed by %s", m.delay)
	}
	for range 20 {
		g.run(t)
	}
	if runs != g.MaxAttempts || len(g.dead.msgs) != 1 {
		t.Errorf("%d attempts, %d dead letters; want %d and 1", runs, len(g.dead.msgs), g.MaxAttempts)
	}
	if a := g.dead.msgs[0].delivery().Attrs; a.Attempt != g.MaxAttempts || a.Reason != fault.Unknown || !strings.Contains(a.Error, errSend.Error()) {
		t.Errorf("dead letter says %+v", a)
	}
}
