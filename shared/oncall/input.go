package oncall

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Input is what invoked the function: exactly one of its members is there, but for a
// payload of SNS, whose messages are Changes where they can be read and else Unread.
type Input struct {
	Changes []StateChange
	Unread  []Unread
	Tick    bool // the schedule
	Request *Request
}

// Unread is an input that is nothing that on-call knows.
type Unread struct {
	Text string // as it came
	Why  error
}

// Request is a direct invocation, by `millrace ack` and `millrace pages`.
type Request struct {
	Ack *AckRequest `json:"ack,omitempty"`
	// Pages asks for the open pages.
	Pages bool `json:"pages,omitempty"`
}

// AckRequest acknowledges a page.
type AckRequest struct {
	Page string `json:"page"` // its id, or the name of its alarm, with or without "millrace-<env>-"
	By   string `json:"by"`
	Note string `json:"note,omitempty"`
}

// Parse reads the payload of an invocation. Only a request with a mistake is an error,
// for its sender to see; whatever else cannot be read is Unread, since nobody waits for
// the answer.
//
// SNS: AWS Lambda Developer Guide, "Invoking Lambda functions with Amazon SNS
// notifications". Schedule: the event of an EventBridge rule or of EventBridge Scheduler.
func Parse(payload []byte) (Input, error) {
	var p struct {
		Records []struct {
			EventSource string
			Sns         *struct{ Message string }
		}
		DetailType string          `json:"detail-type"`
		Ack        json.RawMessage `json:"ack"`
		Pages      json.RawMessage `json:"pages"`
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return unread(payload, fmt.Errorf("the payload: %w", err)), nil
	}
	switch {
	case len(p.Records) > 0:
		var in Input
		for _, r := range p.Records {
			if r.EventSource != "aws:sns" || r.Sns == nil {
				return unread(payload, fmt.Errorf("records of the event source %q", r.EventSource)), nil
			}
			in.message(r.Sns.Message)
		}
		return in, nil
	case p.DetailType == "Scheduled Event":
		return Input{Tick: true}, nil
	case p.Ack != nil || p.Pages != nil:
		r, err := parseRequest(payload)
		return Input{Request: r}, err
	}
	return unread(payload, fmt.Errorf("the payload is no SNS message, no schedule and no request")), nil
}

func (in *Input) message(text string) {
	if c, err := ParseStateChange([]byte(text)); err != nil {
		in.Unread = append(in.Unread, Unread{text, err})
	} else {
		in.Changes = append(in.Changes, c)
	}
}

func unread(payload []byte, why error) Input {
	return Input{Unread: []Unread{{string(payload), why}}}
}

func parseRequest(payload []byte) (*Request, error) {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields() // a misspelt note would be lost
	r := new(Request)
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	if r.Ack != nil && (r.Ack.Page == "" || r.Ack.By == "") {
		return nil, fmt.Errorf("request: ack needs page and by")
	}
	if (r.Ack != nil) == r.Pages {
		return nil, fmt.Errorf("request: either ack or pages")
	}
	return r, nil
}
