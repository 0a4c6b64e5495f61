package function

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/stage/ingest"
)

// webDoor takes events over HTTP. Its answers are 202 with {"accepted": N} once all
// events of the request are durable, or a problem (RFC 9457) and none of them counts as
// accepted: a sender that repeats the whole request loses and doubles nothing.
type webDoor struct {
	door   *ingest.Door
	runner *pipeline.Runner
}

func (w *webDoor) serve(ctx context.Context, in *lambdaio.Invocation) ([]byte, error) {
	r := in.HTTP
	if r.Method != http.MethodPost {
		return problem(http.StatusMethodNotAllowed, "send events with POST", nil, map[string]string{"allow": "POST"}), nil
	}
	if err := event.CheckSize(len(r.Body), w.door.MaxEvent); err != nil {
		return problem(http.StatusRequestEntityTooLarge, "the request is too large", []error{err}, nil), nil
	}
	items, err := event.FromHTTP(r.Headers, r.Body)
	if err != nil {
		status := http.StatusBadRequest
		if fault.ReasonOf(err) == fault.UnsupportedContent {
			status = http.StatusUnsupportedMediaType
		}
		return problem(status, "the request is no CloudEvent", []error{err}, nil), nil
	}
	errs := make([]error, len(items))
	bad := false
	for i := range items {
		errs[i] = items[i].Err
		bad = bad || errs[i] != nil
	}
	if bad {
		return problem(http.StatusBadRequest, "the request has events that are not valid: none was accepted", errs, nil), nil
	}
	w.door.Stamp(items, r.Time)
	return w.accept(ctx, in, items)
}

func (w *webDoor) accept(ctx context.Context, in *lambdaio.Invocation, items []event.Item) ([]byte, error) {
	events := make([]event.Event, len(items))
	for i := range items {
		events[i] = items[i].Event
	}
	errs, err := w.runner.Accept(ctx, in.Batch(ctx), events)
	if err != nil {
		return nil, err
	}
	refused, passing := false, false
	for _, e := range errs {
		refused = refused || e != nil && fault.KindOf(e) == fault.Permanent
		passing = passing || e != nil
	}
	switch {
	case refused:
		return problem(http.StatusBadRequest, "the request has events that were refused: correct them and send all again", errs, nil), nil
	case passing:
		return problem(http.StatusServiceUnavailable, "not accepted for a reason that passes: send the request again", errs,
			map[string]string{"retry-after": "1"}), nil
	}
	body, err := json.Marshal(map[string]int{"accepted": len(events)})
	if err != nil {
		return nil, err
	}
	res := lambdaio.HTTPResponse{Status: http.StatusAccepted, Headers: map[string]string{"content-type": "application/json"}, Body: body}
	return res.Append(nil), nil
}

// problemEvent says what is wrong with one event of a request.
type problemEvent struct {
	Index  int          `json:"index"` // of the event in the request
	Reason fault.Reason `json:"reason"`
	Detail string       `json:"detail"`
}

// problem answers with application/problem+json.
func problem(status int, detail string, errs []error, headers map[string]string) []byte {
	p := struct {
		Title  string         `json:"title"`
		Status int            `json:"status"`
		Detail string         `json:"detail"`
		Errors []problemEvent `json:"errors,omitempty"`
	}{Title: http.StatusText(status), Status: status, Detail: detail}
	for i, err := range errs {
		if err != nil {
			p.Errors = append(p.Errors, problemEvent{Index: i, Reason: fault.ReasonOf(err), Detail: err.Error()})
		}
	}
	res := lambdaio.HTTPResponse{Status: status, Headers: map[string]string{"content-type": "application/problem+json"}}
	for k, v := range headers {
		res.Headers[k] = v
	}
	res.Body, _ = json.Marshal(p) // strings and numbers always encode
	return res.Append(nil)
}
