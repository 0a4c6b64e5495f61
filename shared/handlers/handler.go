package handlers

import (
	"context"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

// Handler is one row of the table: what is done with the event types it matches.
type Handler struct {
	// Type is an event type, or a prefix of types ending in ".*".
	Type string

	// At most one of Handle and Effect is set; with neither the events pass unchanged.
	Handle Func
	Effect EffectFunc

	// Aggregate asks the store to keep aggregates for these types, as they are stored.
	// It costs the store a write per event.
	Aggregate bool
}

// Func handles one event and has no effect outside the pipeline. It is called
// concurrently and again for the same event; it must return when ctx is done.
type Func func(ctx context.Context, e event.Event) (Result, error)

// EffectFunc handles one event and has an effect outside the pipeline (delivery rule
// 9). token is the fencing token of the event's lease: it grows with every attempt, so
// that whoever takes the effect can refuse an attempt that has been overtaken.
type EffectFunc func(ctx context.Context, e event.Event, token int64) (Result, error)

// Reject is the error of a handler that refuses the event for good: it is dead-lettered
// at once as handler_rejected. The text goes into the dead letter and the log: name the
// field, never its value where that may be personal.
func Reject(format string, args ...any) error {
	return fault.New(fault.HandlerRejected, format, args...)
}
