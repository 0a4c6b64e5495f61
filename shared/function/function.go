// Package function makes the four Lambda handlers out of their parts. functions/ and
// the embedded runtime supply the parts; what runs is the same.
package function

import (
	"math/rand/v2"
	"time"

	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/breaker"
	"github.com/millrace-pipeline/millrace/shared/event/pack"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/handlers"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/redrive"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/stage/ingest"
	"github.com/millrace-pipeline/millrace/shared/stage/persist"
	"github.com/millrace-pipeline/millrace/shared/stage/process"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// Parts are what the handlers are made of on a target. A handler uses only some.
type Parts struct {
	Settings spec.Settings
	Topic    func(stage string) pipeline.Sender // of the stage that is published to
	Queue    func(name string) pipeline.Sender  // for retries and dead letters
	Claims   pipeline.Claims
	Schema   ingest.Checker     // ingest; nil: none
	Handlers *handlers.Registry // process
	Leases   process.Leases     // process; nil where no handler has effects
	Store    store.Writer       // persist
	Queues   redrive.Queues     // dlq-redrive
	Observe  func(pipeline.Report)
	Now      func() time.Time
}

var packEncoding = map[string]string{spec.PackS2: pack.S2, spec.PackZstd: pack.Zstd}

// runner makes a stage's Runner.
func (p *Parts) runner(name string, s pipeline.Stage) *pipeline.Runner {
	st, _ := spec.StageByName(name)
	r := &pipeline.Runner{
		Name: st.Name, Stage: s,
		Retry: p.Queue(st.Queue()), Dead: p.Queue(st.DLQ()), Claims: p.Claims,
		MaxAttempts: st.MaxAttempts,
		Encoding:    packEncoding[p.Settings.PackEncoding],
		MaxEvent:    p.Settings.MaxEventBytes,
		ClaimOver:   p.Settings.ClaimBytes,
		Backoff:     pipeline.Backoff{Base: p.Settings.RetryBase, Max: p.Settings.RetryMax, Rand: rand.Float64},
		Observe:     p.Observe,
		Now:         p.Now,
	}
	if st.Next != "" {
		r.Out = p.Topic(st.Next)
	}
	return r
}

// Process is the handler of the function process.
func (p *Parts) Process() (lambdaio.Handler, error) {
	s, err := process.New(process.Options{
		Handlers: p.Handlers, Leases: p.Leases, Effects: p.Settings.HandlerConcurrency, Now: p.Now,
	})
	if err != nil {
		return nil, err
	}
	return batches(p.runner(spec.Process, s)), nil
}

// Persist is the handler of the function persist.
func (p *Parts) Persist() lambdaio.Handler {
	metered := &meteredStore{store: p.Store, now: p.Now}
	guarded := breaker.New(&persist.Stage{Store: metered}, fault.StoreUnreachable, fault.StoreUnavailable)
	r := p.runner(spec.Persist, guarded)
	r.Breaker, r.Usage = guarded.State, metered.usage
	return batches(r)
}

// engine is the redrive engine.
func (p *Parts) engine() *redrive.Engine {
	return &redrive.Engine{Queues: p.Queues, MaxRedrives: p.Settings.MaxRedrives, Now: p.Now}
}
