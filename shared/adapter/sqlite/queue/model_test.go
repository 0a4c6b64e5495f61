package queue_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	sqlite "github.com/millrace-pipeline/millrace/shared/adapter/sqlite/queue"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// model is the same queues, told in the plainest way.
type model struct {
	clock    *clock
	configs  map[string]queue.Config
	messages []*modelMessage // in the order of sending
	receipts []modelReceipt
	bodies   int
}

type modelMessage struct {
	queue, origin  string
	message        queue.Message
	id             string // known from the first receive on
	sent, visible  time.Time
	first          time.Time
	life, receives int // life: how often it changed queues
	deleted        bool
}

// modelReceipt is what a receipt is good for.
type modelReceipt struct {
	receipt  string
	queue    string
	msg      *modelMessage
	life     int
	receives int
}

func (m *model) now() time.Time { return m.clock.Now() }

// in returns the messages of a queue, expired ones left out.
func (m *model) in(name string) []*modelMessage {
	var msgs []*modelMessage
	for _, msg := range m.messages {
		if msg.queue == name && !msg.deleted && m.now().Before(msg.sent.Add(m.configs[name].Retention)) {
			msgs = append(msgs, msg)
		}
	}
	return msgs
}

// visible returns the visible messages of a queue in the order of becoming visible.
func (m *model) visible(name string) []*modelMessage {
	msgs := slices.DeleteFunc(m.in(name), func(msg *modelMessage) bool { return msg.visible.After(m.now()) })
	slices.SortStableFunc(msgs, func(a, b *modelMessage) int { return a.visible.Compare(b.visible) })
	return msgs
}

func (m *model) depth(name string) queue.Depth {
	var d queue.Depth
	for _, msg := range m.in(name) {
		switch {
		case !msg.visible.After(m.now()):
			d.Visible++
		case msg.receives > 0:
			d.InFlight++
		default:
			d.Delayed++
		}
		d.Oldest = max(d.Oldest, m.now().Sub(msg.sent))
	}
	return d
}

func (m *model) changeQueue(msg *modelMessage, to, origin string) {
	msg.queue, msg.origin, msg.visible, msg.first = to, origin, m.now(), time.Time{}
	msg.receives, msg.life = 0, msg.life+1
}

// receive returns what a Receive must return.
func (m *model) receive(name string, max int, visibility time.Duration) []*modelMessage {
	c := m.configs[name]
	var got []*modelMessage
	for _, msg := range m.visible(name) {
		if len(got) == max {
			break
		}
		if c.MaxReceives > 0 && msg.receives >= c.MaxReceives {
			m.changeQueue(msg, c.DLQ, name)
			continue
		}
		if msg.receives++; msg.receives == 1 {
			msg.first = m.now()
		}
		msg.visible = m.now().Add(cmp.Or(visibility, c.Visibility))
		got = append(got, msg)
	}
	return got
}

// inFlight reports whether the receipt is the one its message is in flight under.
func (m *model) inFlight(name string, r modelReceipt) bool {
	return r.queue == name && slices.Contains(m.in(name), r.msg) &&
		r.life == r.msg.life && r.receives == r.msg.receives && r.msg.visible.After(m.now())
}

// machine drives the broker and the model with the same calls.
type machine struct {
	m      *model
	b      *sqlite.Broker
	queues map[string]queue.Queue
}

const (
	work, other, dead, deader = "work", "other", "dead", "deader"
)

var names = []string{work, other, dead, deader}

func newMachine(t *rapid.T, dir string) *machine {
	c := newClock()
	b, err := sqlite.Open(t.Context(), filepath.Join(dir, "queues.db"), sqlite.Options{Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{b: b, queues: make(map[string]queue.Queue), m: &model{clock: c, configs: map[string]queue.Config{
		// The DLQ of other has a DLQ itself, and a shorter retention than its source.
		deader: {Visibility: 20 * time.Second, Retention: 2 * time.Hour},
		dead:   {Visibility: 10 * time.Second, Retention: time.Hour, DLQ: deader, MaxReceives: 2},
		other:  {Visibility: 15 * time.Second, Retention: 2 * time.Hour, DLQ: dead, MaxReceives: 1, Delay: 5 * time.Second},
		work:   {Visibility: 30 * time.Second, Retention: 3 * time.Hour, DLQ: dead, MaxReceives: 3},
	}}}
	for _, name := range []string{deader, dead, other, work} {
		if err := b.Create(t.Context(), name, m.m.configs[name]); err != nil {
			t.Fatal(err)
		}
		if m.queues[name], err = b.Queue(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *machine) Send(t *rapid.T) {
	name := rapid.SampledFrom(names).Draw(t, "queue")
	msgs := make([]queue.Message, rapid.IntRange(1, 12).Draw(t, "messages"))
	for i := range msgs {
		m.m.bodies++
		msgs[i].Body = fmt.Appendf(nil, "body %d", m.m.bodies)
		if rapid.Bool().Draw(t, "with attributes") {
			msgs[i].Attributes = map[string]string{"n": fmt.Sprint(m.m.bodies), "text": "é\u2028\t"}
		}
		if rapid.Bool().Draw(t, "delayed") {
			msgs[i].Delay = time.Duration(rapid.IntRange(1, 60).Draw(t, "delay")) * time.Second
		}
		if rapid.IntRange(0, 9).Draw(t, "bad") == 0 {
			msgs[i].Body = []byte("\x00")
		}
	}
	for i, err := range m.queues[name].Send(t.Context(), msgs) {
		if bad := msgs[i].Body[0] == 0; bad != errors.Is(err, queue.ErrInvalid) || !bad && err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if err == nil {
			now := m.m.now()
			m.m.messages = append(m.m.messages, &modelMessage{
				queue: name, message: msgs[i], sent: now, visible: now.Add(cmp.Or(msgs[i].Delay, m.m.configs[name].Delay)),
			})
		}
	}
}

func (m *machine) Receive(t *rapid.T) {
	name := rapid.SampledFrom(names).Draw(t, "queue")
	o := queue.ReceiveOptions{Max: rapid.IntRange(1, queue.MaxBatch).Draw(t, "max")}
	if rapid.Bool().Draw(t, "own visibility") {
		o.Visibility = time.Duration(rapid.IntRange(1, 100).Draw(t, "visibility")) * time.Second
	}
	got, err := m.queues[name].Receive(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := m.m.receive(name, o.Max, o.Visibility)
	if len(got) != len(want) {
		t.Fatalf("received %d messages, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if w.id == "" {
			w.id = g.ID
		}
		if string(g.Body) != string(w.message.Body) || !maps.Equal(g.Attributes, w.message.Attributes) || g.ID != w.id {
			t.Fatalf("received %s %q %v, want %s %q %v", g.ID, g.Body, g.Attributes, w.id, w.message.Body, w.message.Attributes)
		}
		if g.ReceiveCount != w.receives || !g.Sent.Equal(w.sent) || !g.FirstReceive.Equal(w.first) {
			t.Fatalf("%q: count %d, sent %v, first %v; want %d, %v, %v", g.Body, g.ReceiveCount, g.Sent, g.FirstReceive, w.receives, w.sent, w.first)
		}
		m.m.receipts = append(m.m.receipts, modelReceipt{g.Receipt, name, w, w.life, w.receives})
	}
}

// anyReceipt draws a queue and a receipt, old ones and those of other queues included.
func (m *machine) anyReceipt(t *rapid.T) (name string, r modelReceipt) {
	if len(m.m.receipts) == 0 {
		t.Skip("no receipts yet")
	}
	r = rapid.SampledFrom(m.m.receipts).Draw(t, "receipt")
	name = r.queue
	if rapid.IntRange(0, 9).Draw(t, "wrong queue") == 0 {
		name = rapid.SampledFrom(names).Draw(t, "queue")
	}
	return name, r
}

func (m *machine) Delete(t *rapid.T) {
	name, r := m.anyReceipt(t)
	err := m.queues[name].Delete(t.Context(), []string{r.receipt})[0]
	if wrong := name != r.queue; wrong != errors.Is(err, queue.ErrReceipt) || !wrong && err != nil {
		t.Fatalf("delete: %v", err)
	}
	if err == nil && r.msg.life == r.life && r.msg.queue == name {
		r.msg.deleted = true
	}
}

func (m *machine) ChangeVisibility(t *rapid.T) {
	name, r := m.anyReceipt(t)
	d := time.Duration(rapid.IntRange(0, 50).Draw(t, "visibility")) * time.Second
	err := m.queues[name].ChangeVisibility(t.Context(), r.receipt, d)
	if ok := m.m.inFlight(name, r); ok != (err == nil) || !ok && !errors.Is(err, queue.ErrReceipt) {
		t.Fatalf("change visibility (message in flight: %v): %v", ok, err)
	}
	if err == nil {
		r.msg.visible = m.m.now().Add(d)
	}
}

func (m *machine) Move(t *rapid.T) {
	source := rapid.SampledFrom(names).Draw(t, "source")
	dest := rapid.SampledFrom([]string{"", work, other, dead}).Draw(t, "dest")
	if dest == source {
		t.Skip("same queue")
	}
	task, err := m.b.StartMove(t.Context(), source, queue.MoveOptions{Dest: dest})
	if isDLQ := source == dead || source == deader; dest == "" && !isDLQ {
		if !errors.Is(err, queue.ErrNotDLQ) {
			t.Fatalf("move from %s: %v", source, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	want := queue.Move{ID: task.ID, Source: source, Dest: dest, Status: queue.MoveCompleted, ToMove: len(m.m.visible(source))}
	for _, msg := range m.m.visible(source) {
		to := cmp.Or(dest, msg.origin)
		if to == "" {
			want.Status = queue.MoveFailed
			continue
		}
		want.Moved++
		m.m.changeQueue(msg, to, "")
		msg.sent = m.m.now()
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		moves, err := m.b.Moves(t.Context(), source)
		if err != nil || len(moves) == 0 {
			t.Fatalf("moves: %v, %v", moves, err)
		}
		got := moves[0]
		if got.Status == queue.MoveRunning && time.Now().Before(deadline) {
			continue
		}
		if got.Failure, want.Failure = "", ""; got != want {
			t.Fatalf("task ended as %+v, want %+v", got, want)
		}
		return
	}
}

func (m *machine) Purge(t *rapid.T) {
	name := rapid.SampledFrom(names).Draw(t, "queue")
	if err := m.b.Purge(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	for _, msg := range m.m.in(name) {
		msg.deleted = true
	}
}

func (m *machine) Wait(t *rapid.T) {
	d := time.Duration(rapid.IntRange(1, 60).Draw(t, "seconds")) * time.Second
	if rapid.IntRange(0, 9).Draw(t, "long") == 0 {
		d = time.Duration(rapid.IntRange(1, 150).Draw(t, "minutes")) * time.Minute
	}
	m.m.clock.Advance(d)
}

func (m *machine) Check(t *rapid.T) {
	got, err := m.b.Depths(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]queue.Depth)
	for _, name := range names {
		want[name] = m.m.depth(name)
	}
	if !maps.Equal(got, want) {
		t.Fatalf("depths %+v, want %+v", got, want)
	}
}

// The broker does in every order of calls what the model does.
func TestModel(t *testing.T) {
	parent := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(parent, "")
		if err != nil {
			t.Fatal(err)
		}
		m := newMachine(t, dir)
		defer func() {
			if err := errors.Join(m.b.Close(), os.RemoveAll(dir)); err != nil {
				t.Error(err)
			}
		}()
		actions := rapid.StateMachineActions(m)
		// Twice as many sends and receives as the rest: full queues show more.
		actions["Send2"], actions["Receive2"] = m.Send, m.Receive
		t.Repeat(actions)
	})
}
