package lambdaio

import (
	"math"
	"strconv"

	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

// sqsRecords reads [message …] and returns the queue's ARN too. An empty array is taken
// for an event of SQS without messages.
func sqsRecords(s *scanner) (deliveries []pipeline.Delivery, arn string) {
	for ok := s.firstItem(); ok; ok = s.nextItem() {
		start := s.i
		m := sqsRecord(s)
		if s.err != nil {
			return nil, ""
		}
		if deliveries == nil {
			arn = string(m.arn)
			deliveries = make([]pipeline.Delivery, 0, 1+s.more(s.i-start))
		}
		deliveries = append(deliveries, m.delivery())
	}
	return deliveries, arn
}

// sqsMessage is one record as it stands in the event.
type sqsMessage struct {
	id, body, source, arn []byte

	receives   int
	sent       int64 // ms; -1: unknown
	received   int64 // first, ms; -1: unknown
	attributes map[string]string
}

func sqsRecord(s *scanner) sqsMessage {
	m := sqsMessage{sent: -1, received: -1}
	start := s.i
	for k, ok := s.firstKey(); ok; k, ok = s.nextKey() {
		switch string(k) {
		case "messageId":
			m.id = s.text()
		case "body":
			m.body = s.text()
		case "attributes":
			m.systemAttributes(s)
		case "messageAttributes":
			m.attributes = messageAttributes(s)
		case "eventSource", "EventSource": // SNS has it in capitals: for the error below
			m.source = s.text()
		case "eventSourceARN":
			m.arn = s.text()
		default:
			s.skip()
		}
	}
	switch {
	case s.err != nil:
	case string(m.source) != "aws:sqs":
		s.unknown("Records of the event source %q", m.source)
	case len(m.id) == 0:
		s.i = start
		s.fail("a record with messageId")
	}
	return m
}

// systemAttributes reads the attributes that SQS sets itself. All are strings.
func (m *sqsMessage) systemAttributes(s *scanner) {
	for k, ok := s.firstKey(); ok; k, ok = s.nextKey() {
		v := s.text()
		switch string(k) {
		case "ApproximateReceiveCount":
			m.receives = int(decimal(v, 0, math.MaxInt32))
		case "SentTimestamp":
			m.sent = decimal(v, -1, math.MaxInt64)
		case "ApproximateFirstReceiveTimestamp":
			m.received = decimal(v, -1, math.MaxInt64)
		}
	}
}

// decimal is the number that text says, or otherwise when it says none in [0, most].
func decimal(text []byte, otherwise, most int64) int64 {
	n, err := strconv.ParseInt(view(text), 10, 64)
	if err != nil || n < 0 || n > most {
		return otherwise
	}
	return n
}

func (m *sqsMessage) delivery() pipeline.Delivery {
	if inner, attributes, ok := unwrapSNS(m.body, m.attributes); ok {
		m.body, m.attributes = inner, attributes
	}
	d := pipeline.Delivery{
		ID: string(m.id), Body: m.body, Receive: m.receives,
		Arrived: epochMillis(m.sent), FirstReceived: epochMillis(m.received),
	}
	d.Attrs, d.Foreign = pipeline.ParseAttrs(m.attributes)
	return d
}
