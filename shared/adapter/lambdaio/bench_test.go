package lambdaio

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

const benchRecords = 1000

// sizes are those of facts: events of about 0.5 and 1.1 KB.
var sizes = []int{542, 1100}

// benchValue is a CloudEvent of the given size.
func benchValue(r *rand.Rand, size int) []byte {
	head := fmt.Sprintf(`{"specversion":"1.0","id":"%08x","source":"/bench","type":"com.example.bench","tenantid":"t%d","data":{"text":"`,
		r.Uint32(), r.IntN(50))
	const tail = `"}}`
	fill := make([]byte, size-len(head)-len(tail))
	for i := range fill {
		fill[i] = "abcdefghijklmnop 0123456789"[r.IntN(27)]
	}
	return []byte(head + string(fill) + tail)
}

func benchKafkaRecords(size int) []KafkaRecord {
	r := rand.New(rand.NewPCG(1, 2))
	records := make([]KafkaRecord, benchRecords)
	for i := range records {
		records[i] = KafkaRecord{
			KafkaRecord: pipeline.KafkaRecord{
				Topic: "events", Partition: int32(i / 250), Offset: int64(1_000_000 + i), Key: []byte("tenant-17"),
				Headers: []event.Header{{Name: "content-type", Value: []byte(event.ContentTypeJSON)}},
			},
			Value:     benchValue(r, size),
			Timestamp: time.UnixMilli(1_790_000_000_000 + int64(i)),
		}
	}
	return records
}

func perEvent(b *testing.B, events int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(events), "ns/event")
}

func BenchmarkDecodeKafka(b *testing.B) {
	for _, size := range sizes {
		payload, _ := AppendKafkaEvent(nil, []string{"127.0.0.1:9092"}, benchKafkaRecords(size))
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				in, err := Decode(payload)
				if err != nil || len(in.Deliveries) != benchRecords {
					b.Fatal(err)
				}
			}
			perEvent(b, benchRecords)
		})
	}
}

// BenchmarkDecodeKafkaEncodingJSON is what BenchmarkDecodeKafka is measured against.
func BenchmarkDecodeKafkaEncodingJSON(b *testing.B) {
	for _, size := range sizes {
		payload, _ := AppendKafkaEvent(nil, []string{"127.0.0.1:9092"}, benchKafkaRecords(size))
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				var e events.KafkaEvent
				if err := json.Unmarshal(payload, &e); err != nil {
					b.Fatal(err)
				}
				for _, records := range e.Records {
					for _, r := range records {
						if _, err := base64.StdEncoding.DecodeString(r.Value); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
			perEvent(b, benchRecords)
		})
	}
}

func BenchmarkAppendKafka(b *testing.B) {
	for _, size := range sizes {
		records := benchKafkaRecords(size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			for b.Loop() {
				buf, _ = AppendKafkaEvent(buf[:0], []string{"127.0.0.1:9092"}, records)
			}
			b.SetBytes(int64(len(buf)))
			perEvent(b, benchRecords)
		})
	}
}

// benchMessages are ten packs, or ten plain events.
func benchMessages(plain bool) []queue.Received {
	r := rand.New(rand.NewPCG(1, 2))
	messages := make([]queue.Received, 10)
	for i := range messages {
		body := []byte(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00\x10\x83", 15<<10))))
		if plain {
			body = benchValue(r, 1100)
		}
		messages[i] = queue.Received{
			ID: fmt.Sprintf("059f36b4-87a3-44ab-83d2-66197500%04d", i), Receipt: strings.Repeat("AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a", 4),
			Body: body, ReceiveCount: 1, Sent: time.UnixMilli(1_790_000_000_000), FirstReceive: time.UnixMilli(1_790_000_000_100),
			Attributes: pipeline.Attrs{
				ContentType: event.ContentTypeBatch, Encoding: "s2+base64", Count: 250,
				TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
			}.Map(),
		}
	}
	return messages
}

func BenchmarkDecodeSQS(b *testing.B) {
	for _, kind := range []string{"packs", "plain"} {
		payload, _ := AppendSQSEvent(nil, "arn:aws:sqs:eu-west-1:123456789012:process", benchMessages(kind == "plain"))
		b.Run(kind, func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendSQS(b *testing.B) {
	for _, kind := range []string{"packs", "plain"} {
		messages := benchMessages(kind == "plain")
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			for b.Loop() {
				buf, _ = AppendSQSEvent(buf[:0], "arn:aws:sqs:eu-west-1:123456789012:process", messages)
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}

func BenchmarkAnswer(b *testing.B) {
	payload, _ := AppendKafkaEvent(nil, []string{"127.0.0.1:9092"}, benchKafkaRecords(542))
	in, err := Decode(payload)
	if err != nil {
		b.Fatal(err)
	}
	for _, failed := range [][]int{nil, {500}} {
		b.Run(fmt.Sprintf("failed=%d", len(failed)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := in.Answer(pipeline.Result{Failed: failed}, nil); err != nil {
					b.Fatal(err)
				}
			}
			perEvent(b, benchRecords)
		})
	}
}
