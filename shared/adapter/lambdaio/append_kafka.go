package lambdaio

import (
	"strconv"
	"strings"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

// KafkaRecord is one record to send to a handler. A nil key or value is null in Kafka: a
// record without a key, a tombstone.
type KafkaRecord struct {
	pipeline.KafkaRecord
	Value         []byte
	Timestamp     time.Time // zero: none
	LogAppendTime bool      // Timestamp is the broker's, not the producer's
}

// AppendKafkaEvent appends the payload that Lambda's poller of a self-managed Kafka sends
// for the records; n says how many of them, from the first on. Records of a partition
// must follow one another in the order of their offsets, as a fetch returns them: a
// partition that comes a second time ends the event, and so does MaxPayload, but the
// event has at least one record.
func AppendKafkaEvent(dst []byte, servers []string, records []KafkaRecord) (payload []byte, n int) {
	return appendKafkaEvent(dst, servers, records, MaxPayload)
}

func appendKafkaEvent(dst []byte, servers []string, records []KafkaRecord, limit int) ([]byte, int) {
	const open, end = `{"eventSource":"SelfManagedKafka","bootstrapServers":`, `]}}`
	limit += len(dst) - len(end)
	dst = appendString(append(dst, open...), strings.Join(servers, ","))
	dst = append(dst, `,"records":{`...)
	if len(records) == 0 {
		return append(dst, `}}`...), 0
	}
	var done []position // partitions before the current one, at offset 0
	for i := range records {
		r := &records[i]
		before := len(dst)
		if i > 0 && r.Topic == records[i-1].Topic && r.Partition == records[i-1].Partition {
			dst = append(dst, ',')
		} else {
			here := position{topic: r.Topic, partition: r.Partition}
			for _, p := range done {
				if p == here {
					return append(dst, end...), i
				}
			}
			done = append(done, here)
			if i > 0 {
				dst = append(dst, "],"...)
			}
			dst = append(appendPartition(dst, r.Topic, r.Partition), ":["...)
		}
		dst = appendRecord(dst, r)
		if i > 0 && len(dst) > limit {
			return append(dst[:before], end...), i
		}
	}
	return append(dst, end...), len(records)
}

func appendRecord(b []byte, r *KafkaRecord) []byte {
	b = appendString(append(b, `{"topic":`...), r.Topic)
	b = strconv.AppendInt(append(b, `,"partition":`...), int64(r.Partition), 10)
	b = strconv.AppendInt(append(b, `,"offset":`...), r.Offset, 10)
	b = append(b, `,"timestamp":`...)
	if r.Timestamp.IsZero() {
		b = append(b, "-1"...) // RecordBatch.NO_TIMESTAMP
	} else {
		b = strconv.AppendInt(b, r.Timestamp.UnixMilli(), 10)
	}
	if r.LogAppendTime {
		b = append(b, `,"timestampType":"LOG_APPEND_TIME"`...)
	} else {
		b = append(b, `,"timestampType":"CREATE_TIME"`...)
	}
	b = appendBytes(append(b, `,"key":`...), r.Key)
	b = appendBytes(append(b, `,"value":`...), r.Value)
	return append(appendHeaders(append(b, `,"headers":[`...), r.Headers), "]}"...)
}

// appendBytes appends p as a string of base64, or null.
func appendBytes(b, p []byte) []byte {
	if p == nil {
		return append(b, "null"...)
	}
	return append(encodeBase64(append(b, '"'), p), '"')
}

// appendHeaders appends {"name":[byte …]}, one object per header. The bytes are signed:
// aws-lambda-go refuses 128 to 255.
func appendHeaders(b []byte, headers []event.Header) []byte {
	for i := range headers {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(append(b, '{'), headers[i].Name), ":["...)
		for j, c := range headers[i].Value {
			if j > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(int8(c)), 10)
		}
		b = append(b, "]}"...)
	}
	return b
}
