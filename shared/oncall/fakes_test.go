package oncall

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/oncall/oncalltest"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

var start = time.Date(2026, 11, 24, 3, 15, 0, 0, time.UTC)

// memory is an Object with failures.
type memory struct {
	oncalltest.Memory
	load func() error         // nil: none fails
	save func() (bool, error) // false: somebody else was faster
}

func (m *memory) Load(ctx context.Context) ([]byte, string, error) {
	if m.load != nil {
		if err := m.load(); err != nil {
			return nil, "", err
		}
	}
	return m.Memory.Load(ctx)
}

func (m *memory) Save(ctx context.Context, body []byte, version string) (bool, error) {
	if m.save != nil {
		if ok, err := m.save(); !ok || err != nil {
			return false, err
		}
	}
	return m.Memory.Save(ctx, body, version)
}

// published is one message that went out.
type published struct {
	topic, subject, email string
	program               program
	at                    time.Time
}

// program is the message for programs, read back.
type program struct {
	AlarmName, NewStateValue, OldStateValue, StateChangeTime, NewStateReason, AlarmRule string
	Millrace                                                                            struct {
		Page, Kind, Severity, Stage, To, Next, RespondBy, AcknowledgedBy, Input, Logs string
		Repeated                                                                      bool
		LastedSeconds                                                                 float64
	}
}

// topics remember what was published. fail is asked first.
type topics struct {
	t    testing.TB
	now  func() time.Time
	fail func(subject string) error
	// check is told of what is published; nil: nobody asks.
	check func(published)
	sent  []published
}

func (s *topics) Publish(_ context.Context, topic, subject, body string) error {
	if s.fail != nil {
		if err := s.fail(subject); err != nil {
			return err
		}
	}
	if !slices.Contains(spec.PageTopics(), topic) {
		s.t.Errorf("published to %s", topic)
	}
	p := published{topic: topic, subject: subject, at: s.now()}
	p.email, p.program = s.read(subject, body)
	if s.check != nil {
		s.check(p)
	}
	s.sent = append(s.sent, p)
	return nil
}

// read holds a message to what SNS and its subscribers ask of it.
func (s *topics) read(subject, body string) (email string, p program) {
	s.t.Helper()
	if len(subject) == 0 || len(subject) > 99 || strings.ContainsFunc(subject, func(r rune) bool { return r < ' ' || r > '~' }) {
		s.t.Errorf("SNS refuses the subject %q", subject)
	}
	if len(body) > 256<<10 {
		s.t.Errorf("SNS refuses a body of %d bytes", len(body))
	}
	var texts map[string]string
	if err := json.Unmarshal([]byte(body), &texts); err != nil {
		s.t.Fatalf("%v in %s", err, body)
	}
	for _, protocol := range []string{"default", "email", "sms"} {
		if texts[protocol] == "" {
			s.t.Errorf("no text for %s", protocol)
		}
	}
	if err := json.Unmarshal([]byte(texts["default"]), &p); err != nil {
		s.t.Fatalf("%v in %s", err, texts["default"])
	}
	if p.AlarmName == "" || !strings.HasPrefix(subject, p.NewStateValue+": ") {
		s.t.Errorf("PagerDuty discards a message of the alarm %q with the state %q and the subject %q", p.AlarmName, p.NewStateValue, subject)
	}
	return texts["email"], p
}

// alarms answers from a map.
type alarms struct {
	all  map[string]Alarm
	err  error
	fail func() error // nil: none fails
}

func (a *alarms) Describe(_ context.Context, names []string) ([]Alarm, error) {
	if a.err != nil {
		return nil, a.err
	}
	if a.fail != nil {
		if err := a.fail(); err != nil {
			return nil, err
		}
	}
	var list []Alarm
	for _, n := range names {
		if x, ok := a.all[n]; ok {
			list = append(list, x)
		}
	}
	return list, nil
}

// world is a Pager with everything around it.
type world struct {
	*Pager
	clock  time.Time
	open   *memory
	topics *topics
	alarms *alarms
}

// newWorld is one whose deployment is armed.
func newWorld(t testing.TB) *world {
	w := newDeployment(t)
	w.save(t, armed())
	return w
}

var place = Place{Env: "prod", Region: "eu-west-1", Target: "aws"}

// newDeployment is a world in which on-call has never run.
func newDeployment(t testing.TB) *world {
	w := &world{clock: start, open: new(memory), alarms: &alarms{all: map[string]Alarm{}}}
	now := func() time.Time { return w.clock }
	w.topics = &topics{t: t, now: now}
	w.Pager = New(Options{Place: place, Open: w.open, Topics: w.topics, Alarms: w.alarms, Now: now, Log: slog.New(slog.NewJSONHandler(io.Discard, nil))})
	return w
}

// restart is the same world after the function's environment has died.
func (w *world) restart() { w.Pager = New(w.o) }

// take returns what was published since the last call.
func (w *world) take() []published {
	sent := w.topics.sent
	w.topics.sent = nil
	return sent
}

// set an alarm's state in CloudWatch, and return the payload that tells of it.
func (w *world) set(alarm, state string) []byte {
	a := w.alarms.all[alarm]
	old := a.State
	a.Name, a.State, a.Since = alarm, state, w.clock
	w.alarms.all[alarm] = a
	return change(alarm, state, old, a.Rule, w.clock)
}

func change(alarm, state, old, rule string, at time.Time) []byte {
	b, _ := json.Marshal(map[string]any{
		"AlarmName": alarm, "NewStateValue": state, "OldStateValue": old, "StateChangeTime": formatTime(at), "NewStateReason": "because",
		"AlarmRule": rule, "Region": "EU (Ireland)",
	})
	return sns(string(b))
}

func (w *world) handle(t testing.TB, payload []byte) Answer {
	t.Helper()
	b, err := w.Handle(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	var a Answer
	if b != nil {
		if err := json.Unmarshal(b, &a); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func ackOf(page, by string) []byte {
	b, _ := json.Marshal(Request{Ack: &AckRequest{Page: page, By: by}})
	return b
}

func (w *world) state(t testing.TB) State {
	t.Helper()
	s, _, err := read(t.Context(), w.open)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// save a state in the place of the one that is there.
func (w *world) save(t testing.TB, s State) {
	t.Helper()
	w.saveBytes(t, []byte(marshal(s)))
}

func (w *world) saveBytes(t testing.TB, body []byte) {
	t.Helper()
	_, version, err := w.open.Memory.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if saved, err := w.open.Memory.Save(t.Context(), body, version); !saved || err != nil {
		t.Fatal(saved, err)
	}
}

// errDown is what a service says that is down.
var errDown = errors.New("service unavailable")

func kinds(ps []published) string {
	var out []string
	for _, p := range ps {
		s := p.topic + " " + p.program.Millrace.Kind
		if p.program.Millrace.Repeated {
			s += " repeated"
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

// want checks what was published, as "topic kind [repeated], …".
func (w *world) want(t testing.TB, what string) []published {
	t.Helper()
	sent := w.take()
	if got := kinds(sent); got != what {
		t.Fatalf("%s: published %q, want %q", w.clock.Sub(start), got, what)
	}
	return sent
}

// fault puts a metric alarm below the pager, with a value.
func (w *world) fault(pager, name, data, comparison string, threshold float64) {
	w.alarms.all[name] = Alarm{Name: name, State: InAlarm, ReasonData: data, Comparison: comparison, Threshold: &threshold}
	p := w.alarms.all[pager]
	if p.Rule != "" {
		p.Rule += " OR "
	}
	p.Rule += fmt.Sprintf("ALARM(%q)", name)
	w.alarms.all[pager] = p
}
