// Package handlers is where your code goes: what the process stage does with an event.
//
// # Add an event type
//
// 1. One file, one function. Say, shared/handlers/orders.go:
//
//	package handlers
//
//	func orderPlaced(_ context.Context, e event.Event) (Result, error) {
//		var order struct{ Total int }
//		if err := json.Unmarshal(e.Data(), &order); err != nil {
//			return Result{}, Reject("data is no order: %v", err)
//		}
//		if order.Total == 0 {
//			return Drop("empty order"), nil
//		}
//		return Change(e.Edit().Set("priority", "high"))
//	}
//
// 2. One row in table.go:
//
//	{Type: "com.example.order.placed", Handle: orderPlaced},
//
// 3. One sample in events-samples/com.example.order.placed/event.json. `go test
// ./shared/handlers/` sends it through the handler, and
//
//	curl -H 'content-type: application/cloudevents+json' \
//		--data @events-samples/com.example.order.placed/event.json localhost:8080/events
//
// sends it to a running pipeline.
//
// # Which handler an event gets
//
// A row's Type is an exact event type, or a prefix that ends in ".*": "com.github.*" is
// every type that begins with "com.github.". The most specific row wins: an exact type
// before a prefix, a longer prefix before a shorter one. Two rows with the same Type are
// an error at start. An event whose type has no row passes unchanged.
//
// # What a handler returns
//
//   - Forward(e): the event goes on, unchanged or as another [event.Event] that the
//     handler made of it.
//   - Change(e.Edit()…): the event goes on, changed. Attributes that were not set again
//     and data that was not replaced keep their bytes. Source and id must stay: they say
//     which event it is. A handler that changes them is wrong, and running it again would
//     not help: the event is dead-lettered as handler_rejected.
//   - r.Add(type): one further event, after the event itself. Its source and its id are
//     derived from the original's, so that a replay makes the same event again and the
//     store keeps it once. Set both yourself only to values that a replay would give too,
//     never to a random id.
//   - Drop(reason): the event ends here, on purpose. The reason is counted: keep it short
//     and without values of the event in it.
//   - an error: the event is tried again with a delay, and dead-lettered as handler_error
//     after the last attempt. Reject(…) makes an error that dead-letters it at once, as
//     handler_rejected: the event is bad and will not become better. An error of package
//     fault keeps its own reason and kind.
//
// # What a handler may do
//
// It is called by several goroutines at once, and more than once for the same event: an
// event is delivered at least once. It must not write to the event's bytes. A panic
// fails only its own event. When ctx is done the handler must return: an event whose
// handler does not counts as handler_timeout and is tried again.
//
// Handle is for a handler that only computes: it costs nothing but its own time. A
// handler that changes something outside the store (sends a mail, charges a card)
// declares it by the row's Effect instead of Handle (delivery rule 9): the stage takes
// a lease of the event first and records the result, so that a redelivery uses the
// recorded result and does not repeat the effect. One gap remains that no pipeline can
// close: a crash after the effect and before it was recorded. For that the function gets the
// lease's fencing token, a number that grows with every attempt. Send it, or the event's
// source and id as an idempotency key, with the write, and let the other side refuse a
// smaller token or a key it has seen.
//
// # Aggregates
//
// A row with Aggregate set makes the store keep one [store.Aggregate] per source and
// subject for the types it matches: of a patient, say, how many events of which types,
// the first, and the latest with its data. It costs the store a write per event, so ask
// for it only where somebody reads it. It concerns the type as stored, after the handler.
package handlers
