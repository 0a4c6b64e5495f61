package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/handlers"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/store"
)

var _ pipeline.Stage = (*Stage)(nil)

type tb interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// act is what the handler of a test event does; it is the event's subject.
type act string

const (
	actForward  act = "forward"
	actChange   act = "change"
	actFurther  act = "further"
	actDrop     act = "drop"
	actFail     act = "fail"
	actReject   act = "reject"
	actPanic    act = "panic"
	actNilPanic act = "nil-panic" // a nil dereference, as handlers have them
	actRekey    act = "rekey"
	actHang     act = "hang" // heeds the context
	actDeaf     act = "deaf" // does not
)

// deafFor is how long a deaf handler runs.
const deafFor = time.Hour

func newEvent(t tb, eventType string, id int, a act) event.Event {
	t.Helper()
	e, err := event.New("/test", fmt.Sprint(id), eventType).
		Set("subject", string(a)).Set("ext", "kept").Data(map[string]int{"n": id}).Build()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return e
}

var errPlanned = errors.New("planned")

func perform(ctx context.Context, e event.Event) (handlers.Result, error) {
	switch act(e.Subject()) {
	case actForward:
		return handlers.Forward(e), nil
	case actChange:
		return handlers.Change(e.Edit().Set("type", e.Type()+".changed"))
	case actFurther:
		r := handlers.Forward(e)
		r.Add("further")
		r.Add("further")
		return r, nil
	case actDrop:
		return handlers.Drop("planned"), nil
	case actFail:
		return handlers.Result{}, errPlanned
	case actReject:
		return handlers.Result{}, handlers.Reject("planned")
	case actPanic:
		panic("planned")
	case actNilPanic:
		var m map[string]int
		m["x"] = 1 //nolint:staticcheck // on purpose
	case actRekey:
		return handlers.Change(e.Edit().Set("id", "other"))
	case actHang:
		<-ctx.Done()
		return handlers.Result{}, fmt.Errorf("call the bank: %w", ctx.Err())
	case actDeaf:
		time.Sleep(deafFor)
		return handlers.Forward(e), nil
	}
	panic("unknown act " + e.Subject())
}

// wantOutcome checks what came of an event whose handler ran to its end.
func wantOutcome(t tb, e *event.Event, a act, o pipeline.Outcome) {
	t.Helper()
	reason := map[act]fault.Reason{
		actFail: fault.HandlerError, actReject: fault.HandlerRejected, actPanic: fault.HandlerPanic, actNilPanic: fault.HandlerPanic,
		actRekey: fault.HandlerRejected, actHang: fault.HandlerTimeout, actDeaf: fault.HandlerTimeout,
	}[a]
	if reason != "" {
		wantFault(t, o, reason)
		return
	}
	if o.Err != nil {
		t.Errorf("%s: %v", a, o.Err)
		return
	}
	switch a {
	case actDrop:
		if o.Dropped != "planned" || o.Forward != nil {
			t.Errorf("%s: got %+v", a, o)
		}
		return
	case actFurther:
		if len(o.Forward) != 3 || o.Forward[1].ID() == o.Forward[2].ID() || o.Forward[1].Source() != e.Source() {
			t.Errorf("%s: got %s", a, jsons(o.Forward))
		}
	default:
		if len(o.Forward) != 1 {
			t.Errorf("%s: got %s", a, jsons(o.Forward))
		}
	}
	wantType := e.Type()
	if a == actChange {
		wantType += ".changed"
	}
	if len(o.Forward) == 0 || o.Forward[0].Key() != e.Key() || o.Forward[0].Type() != wantType ||
		!bytes.Equal(o.Forward[0].Data(), e.Data()) || o.Dropped != "" {
		t.Errorf("%s: got %s for %s", a, jsons(o.Forward), e.JSON())
	}
}

func wantFault(t tb, o pipeline.Outcome, reason fault.Reason) {
	t.Helper()
	if fault.ReasonOf(o.Err) != reason || fault.KindOf(o.Err) != reason.Info().Kind || o.Forward != nil || o.Dropped != "" {
		t.Errorf("got %s, dropped %q, error %v of kind %v, want %s", jsons(o.Forward), o.Dropped, o.Err, fault.KindOf(o.Err), reason)
	}
}

func jsons(events []event.Event) string {
	var b bytes.Buffer
	for i := range events {
		b.Write(events[i].JSON())
		b.WriteByte('\n')
	}
	return b.String()
}

// effects counts what handlers with effects did to the world outside.
type effects struct {
	mu     sync.Mutex
	times  map[event.Key]int
	tokens map[event.Key][]int64
}

func newEffects() *effects {
	return &effects{times: map[event.Key]int{}, tokens: map[event.Key][]int64{}}
}

func (w *effects) happen(e *event.Event, token int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.times[e.Key()]++
	w.tokens[e.Key()] = append(w.tokens[e.Key()], token)
}

func (w *effects) count(e *event.Event) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.times[e.Key()]
}

// stageFor makes a stage whose events of type "pure" and "effect" do what they say.
func stageFor(t tb, world *effects, o Options) *Stage {
	t.Helper()
	registry, err := handlers.NewRegistry([]handlers.Handler{
		{Type: "pure", Handle: perform},
		{Type: "effect", Effect: func(ctx context.Context, e event.Event, token int64) (handlers.Result, error) {
			world.happen(&e, token)
			return perform(ctx, e)
		}},
		{Type: "counted", Aggregate: true},
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	o.Handlers = registry
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Leases == nil {
		o.Leases = newMemLeases(o.Now)
	}
	s, err := New(o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return s
}

// memLeases keeps store.Leases' contract in memory, where a test runs on synthetic time.
// The tests in lease_test.go run on the real store.
type memLeases struct {
	mu   sync.Mutex
	now  func() time.Time
	rows map[event.Key]*memLease
}

type memLease struct {
	lease  store.Lease
	status store.Status
	result []byte
}

func newMemLeases(now func() time.Time) *memLeases {
	return &memLeases{now: now, rows: map[event.Key]*memLease{}}
}

func (m *memLeases) Acquire(_ context.Context, r store.LeaseRequest) (store.Acquired, store.Lease, []byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	row := m.rows[r.Event.Key()]
	switch {
	case row == nil:
		row = &memLease{}
		m.rows[r.Event.Key()] = row
	case row.status == store.Completed:
		return store.Done, store.Lease{}, row.result, nil
	case row.status == store.Processing && m.now().Before(row.lease.Until):
		return store.Held, row.lease, nil, nil
	}
	row.status = store.Processing
	row.lease = store.Lease{
		Key: r.Event.Key(), Owner: r.Owner, Until: r.Until, Token: row.lease.Token + 1, Attempt: row.lease.Attempt + 1,
	}
	return store.Granted, row.lease, nil, nil
}

func (m *memLeases) Finish(_ context.Context, l store.Lease, s store.Status, result []byte) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	row := m.rows[l.Key]
	if row == nil || row.lease.Token != l.Token || row.status == store.Completed && s != store.Completed {
		return false, nil
	}
	if row.status != store.Completed {
		row.status, row.result = s, bytes.Clone(result)
	}
	return true, nil
}

// outlast waits until every deaf handler has ended, which a synctest bubble must.
func outlast() { time.Sleep(2 * deafFor) }

func testTimeout(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
