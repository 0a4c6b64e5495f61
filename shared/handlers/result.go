package handlers

import (
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

// Result is what a handler made of an event. Forward, Change and Drop make one; Add
// adds further events.
type Result struct {
	event   event.Event
	further []*event.Builder
	dropped string
}

// Forward passes e on: the event as it came, or what the handler made of it.
func Forward(e event.Event) Result { return Result{event: e} }

// Change passes on what b builds, usually begun with e.Edit(). The error is permanent:
// the same event would give the same invalid result again.
func Change(b *event.Builder) (Result, error) {
	e, err := b.Build()
	if err != nil {
		return Result{}, fault.Wrap(err, fault.HandlerRejected, "change event")
	}
	return Forward(e), nil
}

// Drop ends the event on purpose. The reason is counted by its text: keep it short and
// free of values. It must not be empty.
func Drop(reason string) Result { return Result{dropped: reason} }

// inherited are the attributes that a further event takes over from its original.
var inherited = []string{
	"time", "subject", "tenantid", "partitionkey", "traceparent", "priority", "userid", event.ReceivedName,
}

// Add begins one further event of the given type, to be completed on the builder. It
// has the original's source, an id derived from the original's, and its time, subject,
// tenant, partition key, trace, priority, user and receive time. What is set on the
// builder replaces that.
func (r *Result) Add(eventType string) *event.Builder {
	e := &r.event
	if len(e.JSON()) == 0 { // a result without an event, which Output refuses
		r.further = append(r.further, event.New("", "", eventType))
		return r.further[len(r.further)-1]
	}
	b := event.New(e.Source(), e.DeriveID(len(r.further)), eventType)
	for _, name := range inherited {
		if v, ok := e.Attr(name); ok {
			b.Set(name, v)
		}
	}
	r.further = append(r.further, b)
	return b
}

// Output is what the process stage passes on for the event in: the event, then the
// further ones in the order of Add; or why it was dropped. It checks what a handler
// must keep to, and its errors are permanent (fault.HandlerRejected, or the rule of
// CloudEvents that a further event breaks): the handler is wrong, and a retry would
// only repeat it.
func (r Result) Output(in *event.Event) (out []event.Event, dropped string, err error) {
	if r.dropped != "" {
		if len(r.further) > 0 {
			return nil, "", Reject("the handler dropped the event and added further ones")
		}
		return nil, r.dropped, nil
	}
	if r.event.Key() != in.Key() {
		return nil, "", Reject("the handler changed source or id to %.100q %.100q (an empty result counts as a change)",
			r.event.Source(), r.event.ID())
	}
	out = make([]event.Event, 1, 1+len(r.further))
	out[0] = keepReceived(r.event, in)
	if len(r.further) == 0 {
		return out, "", nil
	}
	seen := map[event.Key]bool{in.Key(): true}
	for _, b := range r.further {
		e, err := b.Build()
		if err != nil {
			return nil, "", fault.Wrap(err, fault.HandlerRejected, "further event")
		}
		if seen[e.Key()] {
			return nil, "", Reject("two events of one result have the same source and id; the store would keep one")
		}
		seen[e.Key()] = true
		out = append(out, keepReceived(e, in))
	}
	return out, "", nil
}

// keepReceived stamps e with the original's receive time if the handler made e anew
// without one: latency is measured by it.
func keepReceived(e event.Event, in *event.Event) event.Event {
	if !e.Received().IsZero() {
		return e
	}
	if t := in.Received(); !t.IsZero() {
		return e.Stamp(t.UnixMilli())
	}
	return e
}
