package logs

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

// maxText bounds every text that came from outside, in bytes.
const maxText = 300

// failure is one element of the member failures.
type failure struct {
	Source      string       `json:"source,omitempty"`
	ID          string       `json:"id,omitempty"`
	Delivery    string       `json:"delivery,omitempty"`
	TraceParent string       `json:"traceparent,omitempty"` // the event's own
	Attempt     int          `json:"attempt,omitempty"`
	Dead        bool         `json:"dead,omitempty"`
	Reason      fault.Reason `json:"reason"`
	Error       string       `json:"error,omitempty"`
}

func failures(fs []pipeline.Failure) []failure {
	out := make([]failure, len(fs))
	for i, f := range fs {
		out[i] = failure{
			Source: short(f.Key.Source), ID: short(f.Key.ID), Delivery: short(f.Delivery), TraceParent: short(f.TraceParent),
			Attempt: f.Attempt, Dead: f.Dead, Reason: fault.ReasonOf(f.Err), Error: short(text(f.Err)),
		}
	}
	return out
}

// whole are the reasons whose errors come from the machinery and never see an event's
// data: their text is the one thing that helps, as in "connection refused".
var whole = map[fault.Reason]bool{
	fault.ClaimMissing: true, fault.ClaimUnavailable: true, fault.PublishFailed: true, fault.StoreUnreachable: true, fault.StoreUnavailable: true,
	fault.LeaseHeld: true, fault.LeaseLost: true, fault.DeadlineNear: true, fault.BreakerOpen: true, fault.Bug: true,
}

// users are the reasons whose errors are written by handlers, details included.
var users = map[fault.Reason]bool{
	fault.HandlerError: true, fault.HandlerRejected: true, fault.HandlerPanic: true, fault.HandlerTimeout: true,
}

// text of an error as far as it cannot quote an event's data. Of an error that the
// machinery made, all; of one about the event, the operation and the detail, which by
// the contract of fault.Error is a field or a short value and never a payload; of a
// handler's error and of one that nobody classified, the operation alone.
func text(err error) string {
	if err == nil {
		return ""
	}
	reason := fault.ReasonOf(err)
	if whole[reason] {
		return err.Error()
	}
	detailed := !users[reason] && reason.Known() && reason != fault.Unknown
	var parts []string
	for f := (*fault.Error)(nil); errors.As(err, &f); err = f.Err {
		if f.Op != "" {
			parts = append(parts, f.Op)
		}
		if f.Detail != "" && detailed {
			parts = append(parts, f.Detail)
		}
	}
	return strings.Join(parts, ": ")
}

// short cuts s at maxText bytes.
func short(s string) string {
	if len(s) <= maxText {
		return s
	}
	n := maxText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
