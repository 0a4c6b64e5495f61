package process

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/handlers"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

// call runs one handler on one event. Whatever the handler does, there is an outcome.
func call(ctx context.Context, e *event.Event, f handlers.Func) (out pipeline.Outcome) {
	defer func() {
		if p := recover(); p != nil {
			out = pipeline.Fail(panicked(p, fault.HandlerPanic))
		}
	}()
	result, err := f(ctx, *e)
	if err != nil {
		return pipeline.Fail(classify(ctx, e, err))
	}
	events, dropped, err := result.Output(e)
	switch {
	case err != nil:
		return pipeline.Fail(classify(ctx, e, err))
	case dropped != "":
		return pipeline.Drop(dropped)
	}
	return pipeline.Forward(events...)
}

// classify gives a handler's error its reason: a permanent one keeps its own, one that
// comes of the context's end says so, and any other is handler_error unless it has a reason.
func classify(ctx context.Context, e *event.Event, err error) error {
	switch {
	case fault.KindOf(err) == fault.Permanent:
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		err = interrupted(ctx, err)
	}
	return fault.Wrap(err, fault.HandlerError, "handle "+e.Type())
}

// interrupted is the failure of a handler that was cut off by the end of its context.
// At the deadline it is the handler's failure and counts as an attempt, or an event
// that always hangs would never be dead-lettered. When the invocation was stopped from
// outside it is nobody's, and does not count.
func interrupted(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return &fault.Error{Kind: fault.Unstarted, Reason: fault.DeadlineNear, Detail: "the invocation was stopped while the handler ran", Err: err}
	}
	return &fault.Error{Kind: fault.HandlerTimeout.Info().Kind, Reason: fault.HandlerTimeout, Err: err}
}

// maxFrames of a panic's stack go into its error: enough to find the line, few enough
// for a message attribute.
const maxFrames = 5

// panicked makes an error of a recovered value. It must be called in the deferred
// function itself: the frames it names are those above the panic. nil stands for
// runtime.Goexit, which recover does not see.
func panicked(p any, reason fault.Reason) error {
	if p == nil {
		return fault.New(fault.HandlerPanic, "the handler ended its goroutine with runtime.Goexit")
	}
	return fault.New(reason, "panic: %v, at %s", p, strings.Join(frames(), " < "))
}

// frames are the functions that led to a panic, innermost first, down to this package.
func frames() []string {
	var pcs [64]uintptr
	stack := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])])
	var names []string
	for raised := false; len(names) < maxFrames; {
		f, more := stack.Next()
		switch inRuntime := strings.HasPrefix(f.Function, "runtime."); {
		case f.Function == "runtime.gopanic":
			raised = true
		case raised && !inRuntime:
			names = append(names, fmt.Sprintf("%s (%s:%d)", filepath.Base(f.Function), filepath.Base(f.File), f.Line))
		}
		if !more || strings.HasSuffix(f.Function, "/stage/process.call") {
			break
		}
	}
	return names
}
