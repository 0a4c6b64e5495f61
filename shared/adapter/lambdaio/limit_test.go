package lambdaio

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// TestEventsKeepTheLimit: an event has the longest run of messages that fits, and at
// least one; sent one after the other, every message goes once, in order.
func TestEventsKeepTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(200, 3000).Draw(t, "limit")
		messages := genMessages(t)
		for len(messages) > 0 {
			payload, n := appendSQSEvent(nil, testARN, messages, limit)
			checkLimit(t, len(payload), n, limit)
			if n < len(messages) {
				if more, _ := appendSQSEvent(nil, testARN, messages[:n+1], 1<<30); len(more) <= limit {
					t.Fatalf("%d messages would have fitted", n+1)
				}
			}
			in, err := Decode(payload)
			if err != nil || len(in.Deliveries) != n || in.Deliveries[n-1].ID != messages[n-1].ID {
				t.Fatalf("%d messages decode as %+v, %v", n, in, err)
			}
			messages = messages[n:]
		}
		records := genRecords(t)
		for len(records) > 0 {
			payload, n := appendKafkaEvent(nil, []string{"a:1"}, records, limit)
			checkLimit(t, len(payload), n, limit)
			if n < len(records) {
				if more, _ := appendKafkaEvent(nil, []string{"a:1"}, records[:n+1], 1<<30); len(more) <= limit {
					t.Fatalf("%d records would have fitted", n+1)
				}
			}
			in, err := Decode(payload)
			if err != nil || len(in.Deliveries) != n || in.Deliveries[n-1].ID != records[n-1].delivery().ID {
				t.Fatalf("%d records decode as %+v, %v", n, in, err)
			}
			records = records[n:]
		}
	})
}

// TestLimitToTheByte: at every limit there is, none is passed by a byte.
func TestLimitToTheByte(t *testing.T) {
	messages := slices.Repeat([]queue.Received{{ID: "id", Body: []byte("body")}}, 5)
	records := []KafkaRecord{kafkaRecord("t", 0, 1), kafkaRecord("t", 0, 2), kafkaRecord("t", 1, 1), kafkaRecord("t", 2, 1)}
	sqs, _ := AppendSQSEvent(nil, testARN, messages)
	kafka, _ := AppendKafkaEvent(nil, nil, records)
	for limit := range max(len(sqs), len(kafka)) + 1 {
		if b, n := appendSQSEvent(nil, testARN, messages, limit); n > 1 && len(b) > limit || (n == len(messages)) != (limit >= len(sqs)) {
			t.Fatalf("%d messages in %d bytes, the limit is %d, of all %d", n, len(b), limit, len(sqs))
		}
		if b, n := appendKafkaEvent(nil, nil, records, limit); n > 1 && len(b) > limit || (n == len(records)) != (limit >= len(kafka)) {
			t.Fatalf("%d records in %d bytes, the limit is %d, of all %d", n, len(b), limit, len(kafka))
		}
	}
}

func checkLimit(t *rapid.T, size, n, limit int) {
	if n == 0 || n > 1 && size > limit {
		t.Fatalf("%d items in %d bytes, the limit is %d", n, size, limit)
	}
}

func TestMaxPayloadHolds(t *testing.T) {
	big := queue.Received{ID: "a", Body: []byte(strings.Repeat("x", queue.MaxMessageBytes)), Sent: ms(1)}
	payload, n := AppendSQSEvent(nil, testARN, slices.Repeat([]queue.Received{big}, 10))
	if n != 5 || len(payload) > MaxPayload {
		t.Fatalf("%d messages of 1 MiB in %d bytes", n, len(payload))
	}
	record := kafkaRecord("t", 0, 1)
	record.Value = make([]byte, 5<<20) // alone above the limit in base64: it goes alone
	payload, n = AppendKafkaEvent(nil, nil, []KafkaRecord{record, kafkaRecord("t", 0, 2)})
	if in, err := Decode(payload); n != 1 || err != nil || len(in.Deliveries[0].Body) != 5<<20 {
		t.Fatalf("%d records in %d bytes: %v", n, len(payload), err)
	}
}

// A partition that comes back would be a name given twice in the JSON object, of which
// most readers keep one: half of the records would be acknowledged unseen.
func TestPartitionThatComesBackEndsTheEvent(t *testing.T) {
	records := []KafkaRecord{kafkaRecord("t", 0, 1), kafkaRecord("t", 1, 1), kafkaRecord("t", 0, 2)}
	payload, n := AppendKafkaEvent(nil, nil, records)
	if n != 2 {
		t.Fatalf("%d records in %s", n, payload)
	}
	checkOracle(t, payload)
	payload, n = AppendKafkaEvent(nil, nil, nil)
	if in, err := Decode(payload); n != 0 || err != nil || in.Kind != Kafka || len(in.Deliveries) != 0 {
		t.Fatalf("no records: %s, %v", payload, err)
	}
	payload, n = AppendSQSEvent(nil, testARN, nil)
	if in, err := Decode(payload); n != 0 || err != nil || in.Kind != SQS || len(in.Deliveries) != 0 {
		t.Fatalf("no messages: %s, %v", payload, err)
	}
}
