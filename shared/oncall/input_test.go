package oncall

import (
	"encoding/json"
	"strings"
	"testing"
)

func sns(messages ...string) []byte {
	type record struct {
		EventSource string
		Sns         struct{ Message string }
	}
	var p struct{ Records []record }
	for _, m := range messages {
		r := record{EventSource: "aws:sns"}
		r.Sns.Message = m
		p.Records = append(p.Records, r)
	}
	b, _ := json.Marshal(p)
	return b
}

const tick = `{"version":"0","id":"i","detail-type":"Scheduled Event","source":"aws.events","time":"2026-11-24T03:15:00Z","detail":{}}`

// Whatever comes is a change, a tick, a request, or unread with all of its text.
func TestParse(t *testing.T) {
	good := `{"AlarmName":"a","NewStateValue":"ALARM","StateChangeTime":"2026-11-24T03:15:00.123Z"}`
	in, err := Parse(sns(good, "hello", good))
	if err != nil || len(in.Changes) != 2 || len(in.Unread) != 1 || in.Unread[0].Text != "hello" {
		t.Errorf("%+v %v", in, err)
	}
	if in, err := Parse([]byte(tick)); err != nil || !in.Tick {
		t.Errorf("%+v %v", in, err)
	}
	for _, odd := range []string{"", "1", "null", "{", `{}`, `{"hello":1}`, `{"Records":[{"eventSource":"aws:sqs","body":"b"}]}`, `{"Records":[{"EventSource":"aws:sns"}]}`, `{"Records":1}`} {
		if in, err := Parse([]byte(odd)); err != nil || len(in.Unread) != 1 || in.Unread[0].Text != odd || in.Unread[0].Why == nil {
			t.Errorf("%s: %+v %v", odd, in, err)
		}
	}
}

func TestParseRequest(t *testing.T) {
	in, err := Parse([]byte(`{"ack":{"page":"persist-p1","by":"ada","note":"on it"}}`))
	if err != nil || in.Request == nil || *in.Request.Ack != (AckRequest{"persist-p1", "ada", "on it"}) {
		t.Errorf("%+v %v", in, err)
	}
	if in, err := Parse([]byte(`{"pages":true}`)); err != nil || !in.Request.Pages {
		t.Errorf("%+v %v", in, err)
	}
	for request, want := range map[string]string{
		`{"ack":{"page":"p","by":"b","notes":"x"}}`:  "notes",
		`{"ack":{"page":"p"}}`:                       "page and by",
		`{"ack":{"by":"b"}}`:                         "page and by",
		`{"ack":{"page":"p","by":"b"},"pages":true}`: "either",
		`{"pages":false}`:                            "either",
		`{"ack":1}`:                                  "ack",
	} {
		if _, err := Parse([]byte(request)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", request, err)
		}
	}
}
