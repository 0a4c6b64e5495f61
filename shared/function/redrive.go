package function

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/redrive"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Redrive is the handler of the function dlq-redrive. A schedule redrives what failed
// for a reason that passes by itself, and what a topic could not hand over. A direct
// invocation and each SQS message carry a redrive.Request in JSON; the direct one is
// answered with the redrive.Result.
func (p *Parts) Redrive() lambdaio.Handler {
	h := &redriver{engine: p.engine(), observe: p.Observe, now: p.Now}
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		in, err := lambdaio.Decode(payload)
		if err != nil {
			return nil, err
		}
		switch in.Kind {
		case lambdaio.Schedule:
			return h.answer(ctx, in, redrive.Request{Passing: true})
		case lambdaio.Direct:
			q, err := parseRequest(in.Direct)
			if err != nil {
				return nil, err
			}
			return h.answer(ctx, in, q)
		case lambdaio.SQS:
			return in.Answer(h.messages(ctx, in))
		}
		return nil, fault.New(fault.UnsupportedContent, "%s takes a schedule, a request or SQS, not an invocation of kind %s", spec.Redrive, in.Kind)
	}
}

func parseRequest(b []byte) (q redrive.Request, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields() // a misspelt filter would redrive more than was meant
	if err := d.Decode(&q); err != nil {
		return q, fmt.Errorf("redrive request: %w", err)
	}
	return q, q.Validate()
}

type redriver struct {
	engine  *redrive.Engine
	observe func(pipeline.Report)
	now     func() time.Time
}

func (h *redriver) answer(ctx context.Context, in *lambdaio.Invocation, q redrive.Request) ([]byte, error) {
	r, err := h.run(ctx, in, q)
	if err != nil {
		return nil, err
	}
	return json.Marshal(r)
}

// messages runs each request; one that fails is delivered again, and in the end kept in
// the dead-letter queue of the function's own queue.
func (h *redriver) messages(ctx context.Context, in *lambdaio.Invocation) (pipeline.Result, error) {
	var res pipeline.Result
	for i := range in.Deliveries {
		q, err := parseRequest(in.Deliveries[i].Body)
		if err == nil {
			_, err = h.run(ctx, in, q)
		}
		if err != nil {
			res.Failed = append(res.Failed, i)
			h.report(in, h.now(), redrive.Result{}, err)
		}
	}
	return res, nil
}

func (h *redriver) run(ctx context.Context, in *lambdaio.Invocation, q redrive.Request) (redrive.Result, error) {
	start := h.now()
	r, err := h.engine.Run(ctx, q)
	if r.Failed > 0 {
		err = errors.Join(err, fault.New(fault.PublishFailed, "%d dead letters could not be sent and stay where they are: %s", r.Failed, strings.Join(r.Problems, "; ")))
	}
	if !q.DryRun {
		h.report(in, start, r, err)
	}
	return r, err
}

func (h *redriver) report(in *lambdaio.Invocation, start time.Time, r redrive.Result, err error) {
	if h.observe == nil {
		return
	}
	now := h.now()
	rep := pipeline.Report{
		Stage: spec.Redrive, Source: string(in.Kind), Start: start, Duration: now.Sub(start),
		Deliveries: len(in.Deliveries), Events: r.Redriven + r.Quarantined + r.Failed,
		Forwarded: r.Redriven, Dead: r.Quarantined, Redelivery: r.Failed,
	}
	if err != nil {
		rep.Failed = 1
		rep.Failures = []pipeline.Failure{{Err: err}}
		rep.Reasons = map[fault.Reason]int{fault.ReasonOf(err): 1}
	}
	h.observe(rep)
}
