// Package redrive is the replay engine. Engine brings dead letters, and what a topic could
// not hand over, back to their stages, or gives up on them and moves them to the quarantine.
// Replayer brings back Kafka records that Lambda gave up on.
package redrive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// hold is how long a dead letter that is looked at is hidden from others.
const hold = 2 * time.Minute

// Queues opens queues by name; queue.Broker does.
type Queues interface {
	Queue(ctx context.Context, name string) (queue.Queue, error)
}

// Engine redrives dead letters.
type Engine struct {
	Queues Queues
	// MaxRedrives is how often one dead letter may come back: the guard against a loop
	// of failing and redriving. The next time it goes to the quarantine instead.
	MaxRedrives int
	Now         func() time.Time
}

// Request says which dead letters.
type Request struct {
	Stage   string         `json:"stage,omitempty"`   // of package spec; "": every stage
	Reasons []fault.Reason `json:"reasons,omitempty"` // none: every reason
	Passing bool           `json:"passing,omitempty"` // only reasons that can pass by themselves (the schedule's choice)
	Max     int            `json:"max,omitempty"`     // choose at most this many; 0: all
	Rate    float64        `json:"rate,omitempty"`    // dead letters a second; 0: as fast as the queues allow
	DryRun  bool           `json:"dry_run,omitempty"` // count only
}

// Validate reports what is wrong with a request.
func (q Request) Validate() error {
	if _, ok := spec.StageByName(q.Stage); q.Stage != "" && !ok {
		return fmt.Errorf("there is no stage %q", q.Stage)
	}
	for _, r := range q.Reasons {
		if !r.Known() {
			return fmt.Errorf("there is no reason %q", r)
		}
	}
	if q.Max < 0 || q.Rate < 0 {
		return fmt.Errorf("max and rate must not be negative")
	}
	return nil
}

// Result says what a Run did, or with DryRun would have done.
type Result struct {
	Redriven    int                  `json:"redriven"`
	Quarantined int                  `json:"quarantined"`
	Left        int                  `json:"left"`   // looked at, not chosen
	Failed      int                  `json:"failed"` // could not be sent: still in their dead-letter queue
	ByReason    map[fault.Reason]int `json:"by_reason,omitempty"`
	Problems    []string             `json:"problems,omitempty"` // why messages failed, at most maxProblems
}

// maxProblems is how many failures a result describes: enough to see what is wrong.
const maxProblems = 10

// tell adds why a message of a queue stays there.
func tell(problems []string, queue, id string, err error) []string {
	if len(problems) >= maxProblems {
		return problems
	}
	return append(problems, fmt.Sprintf("%s: message %s: %v", queue, id, err))
}

// Run redrives the dead letters that the request names. A dead letter is deleted only
// after its message is durable elsewhere. On an error the Result says what was done.
func (e *Engine) Run(ctx context.Context, q Request) (Result, error) {
	r := Result{ByReason: make(map[fault.Reason]int)}
	if err := q.Validate(); err != nil {
		return r, err
	}
	limit := q.limiter()
	for _, s := range Sources() {
		if q.Stage != "" && q.Stage != s.Stage.Name {
			continue
		}
		q, more := q.after(r.chosen())
		if !more {
			break
		}
		if err := e.source(ctx, s, q, limit, &r); err != nil {
			return r, fmt.Errorf("redrive %s: %w", s.Queue, err)
		}
	}
	return r, nil
}

// chosen is how many dead letters have been chosen so far.
func (r *Result) chosen() (n int) {
	for _, of := range r.ByReason {
		n += of
	}
	return n
}

// after is what is left of the request when n were chosen; more is false when that is all.
func (q Request) after(n int) (rest Request, more bool) {
	if q.Max == 0 {
		return q, true
	}
	q.Max -= n
	return q, q.Max > 0
}

func (q Request) limiter() *rate.Limiter {
	if q.Rate > 0 {
		return rate.NewLimiter(rate.Limit(q.Rate), 1)
	}
	return rate.NewLimiter(rate.Inf, 1)
}

// workers is how many batches of one dead-letter queue are under way at once: queues
// share the cost of concurrent calls, and a redrive of tens of thousands takes seconds.
const workers = 16

// run is one pass over one dead-letter queue.
type run struct {
	from       Source
	q          Request
	limit      *rate.Limiter
	dlq        queue.Queue
	home       queue.Queue
	quarantine queue.Queue
	maxRedrive int
	start      time.Time

	mu    sync.Mutex // of what follows
	r     *Result
	taken int      // chosen so far, for Request.Max
	over  bool     // the queue has been seen once
	held  []string // receipts of dead letters that stay: released at the end
	seen  map[string]bool
}

func (e *Engine) source(ctx context.Context, s Source, q Request, limit *rate.Limiter, r *Result) error {
	w := &run{from: s, q: q, limit: limit, r: r, maxRedrive: e.MaxRedrives, start: e.Now(), seen: make(map[string]bool)}
	for name, to := range map[string]*queue.Queue{s.Queue: &w.dlq, s.Stage.Queue(): &w.home, spec.Quarantine: &w.quarantine} {
		opened, err := e.Queues.Queue(ctx, name)
		if name == s.Queue && s.optional && errors.Is(err, queue.ErrNoQueue) {
			return nil
		}
		if err != nil {
			return err
		}
		*to = opened
	}
	defer w.release(context.WithoutCancel(ctx))
	n := workers
	if q.Rate > 0 {
		n = 1
	}
	var g errgroup.Group
	for range n {
		g.Go(func() error { return w.work(ctx) })
	}
	return g.Wait()
}

// work handles batches until the queue has been seen once or enough was chosen.
func (w *run) work(ctx context.Context) error {
	for !w.enough() {
		msgs, err := w.dlq.Receive(ctx, queue.ReceiveOptions{Max: w.take(), Visibility: hold})
		if err != nil {
			return err
		}
		if len(msgs) == 0 {
			return nil
		}
		if err := w.batch(ctx, msgs); err != nil {
			return err
		}
	}
	return nil
}

func (w *run) enough() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.over || w.q.Max > 0 && w.taken >= w.q.Max
}

// take is how many dead letters are received at once: no more than the rate lets go
// well before they show up again.
func (w *run) take() int {
	if w.q.Rate == 0 {
		return queue.MaxBatch
	}
	return min(max(int(w.q.Rate*hold.Seconds()/4), 1), queue.MaxBatch)
}

// release makes dead letters that stay visible to others at once.
func (w *run) release(ctx context.Context) {
	var g errgroup.Group
	g.SetLimit(workers)
	for _, receipt := range w.held {
		g.Go(func() error {
			_ = w.dlq.ChangeVisibility(ctx, receipt, 0) // else it shows up when hold ends
			return nil
		})
	}
	_ = g.Wait() // no function of it returns an error
}

// batch handles the messages of one receive.
func (w *run) batch(ctx context.Context, msgs []queue.Received) error {
	home, quarantine := w.sort(msgs)
	if w.q.DryRun {
		return nil
	}
	for range home {
		if err := w.limit.Wait(ctx); err != nil {
			return err
		}
	}
	w.move(ctx, home, w.home, revive, &w.r.Redriven)
	w.move(ctx, quarantine, w.quarantine, func(m queue.Received) map[string]string { return m.Attributes }, &w.r.Quarantined)
	return nil
}

// sort chooses from the messages of one receive. A message that comes back says that
// the queue has been seen once. A dead letter that was sent since the run began is left
// alone: it may be one that this very run redrove and that failed at once.
func (w *run) sort(msgs []queue.Received) (home, quarantine []queue.Received) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range msgs {
		w.over = w.over || w.seen[m.ID]
		w.seen[m.ID] = true
		a, _ := pipeline.ParseAttrs(m.Attributes)
		reason := w.from.ReasonOf(a)
		switch {
		case m.Sent.After(w.start), w.over, w.q.Max > 0 && w.taken >= w.q.Max:
			w.held = append(w.held, m.Receipt)
			continue
		case !w.chosen(reason):
			w.r.Left++
			w.held = append(w.held, m.Receipt)
			continue
		}
		w.taken++
		w.r.ByReason[reason]++
		if a.Redrives >= w.maxRedrive {
			quarantine = append(quarantine, m)
		} else {
			home = append(home, m)
		}
		if w.q.DryRun {
			w.held = append(w.held, m.Receipt)
		}
	}
	if w.q.DryRun {
		w.r.Redriven += len(home)
		w.r.Quarantined += len(quarantine)
	}
	return home, quarantine
}

func (w *run) chosen(r fault.Reason) bool {
	if w.q.Passing && !r.Info().Passing {
		return false
	}
	return len(w.q.Reasons) == 0 || slices.Contains(w.q.Reasons, r)
}

// revive are the attributes of a dead letter on its way back: the attempts start again,
// the redrives count up, everything else stays (lesson sqsmover #5).
func revive(m queue.Received) map[string]string {
	a, foreign := pipeline.ParseAttrs(m.Attributes)
	a.Redrives++
	a.Attempt, a.Reason, a.Stage, a.Error = 0, "", "", ""
	attrs := a.Map()
	for k, v := range foreign {
		attrs[k] = v
	}
	return attrs
}

// move sends dead letters on, deletes those that were taken, and counts them.
func (w *run) move(ctx context.Context, msgs []queue.Received, to queue.Queue, attrs func(queue.Received) map[string]string, moved *int) {
	if len(msgs) == 0 {
		return
	}
	out := make([]queue.Message, len(msgs))
	for i, m := range msgs {
		out[i] = queue.Message{Body: m.Body, Attributes: attrs(m)}
	}
	var done, failed, problems []string
	for i, err := range to.Send(ctx, out) {
		if err != nil { // it stays where it is
			failed = append(failed, msgs[i].Receipt)
			problems = tell(problems, w.from.Queue, msgs[i].ID, err)
			continue
		}
		done = append(done, msgs[i].Receipt)
	}
	w.dlq.Delete(ctx, done) // what is not deleted comes again: a repeat, not a loss
	w.mu.Lock()
	defer w.mu.Unlock()
	*moved += len(done)
	w.r.Failed += len(failed)
	w.r.Problems = append(w.r.Problems, problems[:min(len(problems), maxProblems-len(w.r.Problems))]...)
	w.held = append(w.held, failed...)
}
