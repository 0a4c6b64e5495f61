package redrive

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Discarded is what Lambda says of a batch of Kafka records that it gave up on: where the
// records are, not what is in them.
type Discarded struct {
	Condition string    `json:"condition"` // Lambda's word for why, such as RetryAttemptsExhausted
	Attempts  int       `json:"attempts"`  // invocations with the batch, about
	Error     string    `json:"error,omitempty"`
	Function  string    `json:"function"`          // its ARN
	Servers   string    `json:"bootstrap_servers"` // HOST:PORT, separated by commas; "" where Lambda does not say
	Time      time.Time `json:"time,omitzero"`     // when Lambda gave up
	Records   int       `json:"records"`           // in the batch
	Spans     []Span    `json:"spans"`             // by topic and partition
}

// Span is a run of offsets of one partition, both ends included. Not every offset of it
// need have a record: those of transactions' markers and of compacted records have none.
type Span struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	First     int64  `json:"first_offset"`
	Last      int64  `json:"last_offset"`
}

// Offsets is how many the span has.
func (s Span) Offsets() int64 { return s.Last - s.First + 1 }

func (s Span) String() string {
	if s.First == s.Last {
		return fmt.Sprintf("topic %s, partition %d, offset %d", s.Topic, s.Partition, s.First)
	}
	return fmt.Sprintf("topic %s, partition %d, offsets %d to %d", s.Topic, s.Partition, s.First, s.Last)
}

// discardedJSON is the message (AWS Lambda Developer Guide, "Capturing discarded batches
// for Amazon MSK and self-managed Apache Kafka event sources").
type discardedJSON struct {
	RequestContext struct {
		FunctionArn            string `json:"functionArn"`
		Condition              string `json:"condition"`
		ApproximateInvokeCount int    `json:"approximateInvokeCount"`
	} `json:"requestContext"`
	ResponseContext *struct { // null where the function was not invoked
		FunctionError string `json:"functionError"`
	} `json:"responseContext"`
	Timestamp string `json:"timestamp"`
	Batch     *struct {
		BatchSize        int                 `json:"batchSize"`
		BootstrapServers string              `json:"bootstrapServers"`
		RecordsInfo      map[string]spanJSON `json:"recordsInfo"` // by TOPIC-PARTITION
	} `json:"KafkaBatchInfo"`
}

// spanJSON has the offsets as text in Lambda's example; a json.Number takes numbers as well.
type spanJSON struct {
	First json.Number `json:"firstRecordOffset"`
	Last  json.Number `json:"lastRecordOffset"`
}

// ParseDiscarded reads a message of the queue spec.KafkaFailed. A message that does not say
// every partition and offset of its batch is an error.
func ParseDiscarded(body []byte) (*Discarded, error) {
	var m discardedJSON
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, fmt.Errorf("it is not what Lambda writes of a discarded batch: %w", err)
	}
	if m.Batch == nil || len(m.Batch.RecordsInfo) == 0 {
		return nil, errors.New("it is not what Lambda writes of a discarded batch: KafkaBatchInfo with recordsInfo is missing")
	}
	d := &Discarded{
		Condition: m.RequestContext.Condition, Attempts: m.RequestContext.ApproximateInvokeCount,
		Function: m.RequestContext.FunctionArn, Servers: m.Batch.BootstrapServers, Records: m.Batch.BatchSize,
	}
	if m.ResponseContext != nil {
		d.Error = m.ResponseContext.FunctionError
	}
	d.Time, _ = time.Parse(time.RFC3339, m.Timestamp) // else not known: nothing depends on it
	for name, info := range m.Batch.RecordsInfo {
		s, err := info.span(name)
		if err != nil {
			return nil, fmt.Errorf("recordsInfo %q: %w", name, err)
		}
		d.Spans = append(d.Spans, s)
	}
	slices.SortFunc(d.Spans, func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return d, nil
}

// span of the partition that is named TOPIC-PARTITION; a topic may have hyphens itself.
func (j spanJSON) span(name string) (s Span, err error) {
	hyphen := strings.LastIndexByte(name, '-')
	if hyphen < 1 {
		return s, errors.New("the name is not TOPIC-PARTITION")
	}
	partition, err := strconv.ParseUint(name[hyphen+1:], 10, 31)
	if err != nil {
		return s, errors.New("the name is not TOPIC-PARTITION")
	}
	s.Topic, s.Partition = name[:hyphen], int32(partition)
	if s.First, err = j.First.Int64(); err != nil {
		return s, fmt.Errorf("firstRecordOffset: %w", err)
	}
	if s.Last, err = j.Last.Int64(); err != nil {
		return s, fmt.Errorf("lastRecordOffset: %w", err)
	}
	if s.First < 0 || s.Last < s.First {
		return s, fmt.Errorf("offsets %d to %d are no run", s.First, s.Last)
	}
	return s, nil
}
