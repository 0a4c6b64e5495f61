package lambdaio

import (
	"context"
	"encoding/json"
	"time"

	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

// Kind is what invoked the function. Its text is pipeline.Report's Source.
type Kind string

// The kinds of invocation that Decode knows.
const (
	Kafka    Kind = "kafka"    // event source mapping of MSK or of a self-managed Kafka
	SQS      Kind = "sqs"      // event source mapping of an SQS queue
	HTTP     Kind = "http"     // function URL, or API Gateway with payload format 2.0
	Schedule Kind = "schedule" // EventBridge rule or EventBridge Scheduler
	Direct   Kind = "direct"   // any other JSON object: `aws lambda invoke`, our own commands
)

// expected ends every error about a payload of an unknown kind.
const expected = "expected an event of Kafka, SQS, a function URL (payload format 2.0) or a schedule, or a JSON object without the members records, Records, requestContext and detail-type"

// Invocation is one invocation's payload, decoded.
type Invocation struct {
	Kind      Kind
	SourceARN string // of the queue or the MSK cluster; "" where there is none

	Deliveries []pipeline.Delivery // of Kafka and SQS, in the payload's order
	HTTP       *HTTPRequest        // of HTTP
	Schedule   *ScheduledEvent     // of Schedule
	Direct     []byte              // of Direct: the JSON object, a view of the payload
}

// ScheduledEvent is what a schedule sends.
type ScheduledEvent struct {
	ID        string    `json:"id"`
	Time      time.Time `json:"time"`      // when it was due
	Resources []string  `json:"resources"` // ARN of the rule or schedule
}

// Batch is the invocation as a pipeline.Runner takes it.
func (in *Invocation) Batch(ctx context.Context) pipeline.Invocation {
	return pipeline.Invocation{RequestID: RequestID(ctx), Source: string(in.Kind), Deliveries: in.Deliveries}
}

// Decode reads the payload of an invocation. It does not write to it; package lambdaio's
// comment says what is a view of it. An error concerns the whole payload and is a
// *fault.Error with the reason fault.NotJSON, or fault.UnsupportedContent for a kind of
// event that is none of the above: the handler returns it, so that nothing is acknowledged.
func Decode(payload []byte) (*Invocation, error) {
	s := &scanner{op: opPayload, b: payload}
	in := new(Invocation)
	at := in.scan(s)
	if s.end(); s.err == nil {
		in.classify(s, &at)
	}
	if s.err != nil {
		return nil, s.err
	}
	return in, nil
}

// members are the places in the payload of the values that say what it is, 0 when absent.
// They are read only once the kind is known: a direct request may have members of the
// same names and other types.
type members struct {
	kafka, sqs bool // Deliveries come from records, from Records

	eventSource, eventSourceARN                                 int
	detailType, source                                          int
	version, path, query, headers, context, body, base64Encoded int
}

func (m *members) named(name []byte) *int {
	switch string(name) {
	case "eventSource":
		return &m.eventSource
	case "eventSourceArn":
		return &m.eventSourceARN
	case "detail-type":
		return &m.detailType
	case "source":
		return &m.source
	case "version":
		return &m.version
	case "rawPath":
		return &m.path
	case "rawQueryString":
		return &m.query
	case "headers":
		return &m.headers
	case "requestContext":
		return &m.context
	case "body":
		return &m.body
	case "isBase64Encoded":
		return &m.base64Encoded
	}
	return nil
}

// scan goes through the payload once. Records are decoded on the way, whatever else the
// payload turns out to have: they are nearly all of its bytes.
func (in *Invocation) scan(s *scanner) (m members) {
	if s.token() != '{' {
		s.fail("a JSON object")
	}
	for k, ok := s.firstKey(); ok; k, ok = s.nextKey() {
		switch string(k) {
		case "records":
			in.Deliveries, m.kafka, m.sqs = kafkaRecords(s), true, false
		case "Records":
			in.Deliveries, in.SourceARN = sqsRecords(s)
			m.kafka, m.sqs = false, true
		default:
			s.token()
			if at := m.named(k); at != nil {
				*at = s.i
			}
			s.skip()
		}
	}
	return m
}

// classify finds the kind by the members and reads what is particular to it.
func (in *Invocation) classify(s *scanner, m *members) {
	switch {
	case m.sqs:
		in.Kind = SQS
	case m.kafka:
		in.Kind = Kafka
		in.SourceARN = s.stringAt(m.eventSourceARN)
		switch source := s.stringAt(m.eventSource); source {
		// AWS's own examples have the last one in older versions.
		case "aws:kafka", "SelfManagedKafka", "aws:SelfManagedKafka":
		default:
			s.unknown("records of the event source %q", source)
		}
	case m.detailType != 0:
		in.Kind = Schedule
		in.Schedule = scheduledEvent(s, m)
	case m.context != 0:
		in.Kind = HTTP
		in.HTTP = httpRequest(s, m)
	default:
		in.Kind = Direct
		in.Direct = s.b
	}
}

// unknown fails the payload as being of no kind that Decode knows.
func (s *scanner) unknown(format string, args ...any) {
	s.err = s.error(fault.UnsupportedContent, format+"; %s", append(args, expected)...)
}

// scheduledEvent reads the event of an EventBridge rule (source aws.events) or of
// EventBridge Scheduler (aws.scheduler). It comes at most once a minute, hence
// encoding/json.
func scheduledEvent(s *scanner, m *members) *ScheduledEvent {
	typ, source := s.stringAt(m.detailType), s.stringAt(m.source)
	if typ != "Scheduled Event" || source != "aws.events" && source != "aws.scheduler" {
		s.unknown("an EventBridge event %q from %q", typ, source)
		return nil
	}
	e := new(ScheduledEvent)
	if err := json.Unmarshal(s.b, e); err != nil {
		s.err = s.error(fault.NotJSON, "scheduled event: %v", err)
	}
	return e
}

// stringAt is the string at a place of the payload that has been scanned before; "" if
// there is none, or something else.
func (s *scanner) stringAt(i int) string {
	if i == 0 || s.b[i] != '"' {
		return ""
	}
	s.i = i
	return string(s.text())
}
