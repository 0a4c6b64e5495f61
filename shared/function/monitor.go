package function

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/monitor"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// What a MonitorRequest asks about the topic.
const (
	TopicShow = "show" // how it is
	TopicInit = "init" // make it where it is missing, then as TopicShow
)

// MonitorRequest is a direct invocation of the function monitor, by `millrace topic`:
// monitor is where the deployment's way to Kafka is, inside a VPC too.
type MonitorRequest struct {
	Topic string `json:"topic"` // TopicShow or TopicInit
}

// MonitorAnswer is the answer to a MonitorRequest: one of its members is there. A failure
// is an answer too: as an error of the function it would fire the alarms of monitor.
type MonitorAnswer struct {
	Topic   *spec.TopicReport `json:"topic,omitempty"`
	Refused string            `json:"refused,omitempty"` // why not, and what to do
}

// Topic is the topic that ingest reads. Neither method changes a topic that exists.
type Topic interface {
	Show(ctx context.Context) (spec.TopicReport, error)
	Init(ctx context.Context) (spec.TopicReport, error)
}

// MonitorParts are what the handler of monitor is made of.
type MonitorParts struct {
	Monitor *monitor.Monitor
	Topic   Topic  // nil: monitor cannot reach one
	NoTopic string // then: why, and what to do
	// Failed is told what could not be measured, and why a request was refused.
	Failed func(error)
}

// Monitor is the handler of the function monitor: an invocation measures once, whatever
// its payload, unless that is a MonitorRequest. What could not be measured is no failure
// of the invocation: Lambda would try again, and the heartbeat of 0 says it already.
func Monitor(p MonitorParts) lambdaio.Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		if asked(payload) {
			a := p.answer(ctx, payload)
			if a.Refused != "" {
				p.Failed(fmt.Errorf("request refused: %s", a.Refused))
			}
			return json.Marshal(a)
		}
		if err := p.Monitor.Measure(ctx); err != nil {
			p.Failed(err)
		}
		return []byte("null"), nil
	}
}

// asked reports whether a payload is a MonitorRequest, right or wrong.
func asked(payload []byte) bool {
	var r struct {
		Topic json.RawMessage `json:"topic"`
	}
	return json.Unmarshal(payload, &r) == nil && r.Topic != nil
}

func (p *MonitorParts) answer(ctx context.Context, payload []byte) MonitorAnswer {
	var r MonitorRequest
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return MonitorAnswer{Refused: fmt.Sprintf("the request: %v", err)}
	}
	do := map[string]func(Topic, context.Context) (spec.TopicReport, error){TopicShow: Topic.Show, TopicInit: Topic.Init}[r.Topic]
	if do == nil {
		return MonitorAnswer{Refused: fmt.Sprintf("the request: topic is %q, not %q or %q", r.Topic, TopicShow, TopicInit)}
	}
	if p.Topic == nil {
		return MonitorAnswer{Refused: p.NoTopic}
	}
	report, err := do(p.Topic, ctx)
	if err != nil {
		return MonitorAnswer{Refused: err.Error()}
	}
	return MonitorAnswer{Topic: &report}
}
