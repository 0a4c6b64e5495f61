package main

import (
	"math"
	"time"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// month is what a bill is of.
const month = 30 * 24 * time.Hour

// How events travel between the stages, two hops each.
const (
	hops      = 2 // ingest to process, process to persist
	functions = 3 // ingest, process, persist

	unit   = 64 << 10 // bytes that SNS and SQS bill as one
	sqsMax = 10       // messages in one SQS or SNS batch request
)

// What our own measurements say, and no price list.
const (
	// zstdRatio is how much smaller a pack is than its events, base64 included: 3.56 at
	// 542 bytes an event and 3.38 at 1,100, and little else in between.
	zstdRatio = 3.4
	// logLine is the bytes of an invocation's lines: its metrics, and what Lambda itself
	// writes.
	logLine = 1120
	// computeEvent is how long a function takes for one event, its part of the invocation's
	// overhead and of the waiting for SNS and the store included, at the memory of spec.Stages.
	computeEvent = 114 * time.Microsecond
	// invocationMax is the most bytes of one invocation's payload.
	invocationMax = 6 << 20
)

// transport is a way to carry events over the hops.
type transport struct {
	name        string
	message     float64 // bytes of one message; 0: one event each
	ratio       float64 // by which packing makes the events smaller
	publishEach bool    // a Publish for each message instead of a PublishBatch for ten
	batch       float64 // messages of one invocation
}

// transports that are compared; the first is Millrace's.
var transports = []transport{
	{name: "packs of 64 KiB, zstd", message: unit, ratio: zstdRatio, batch: 10},
	{name: "packs of 1 MiB, zstd", message: 1 << 20, ratio: zstdRatio, batch: 5},
	{name: "packs of 64 KiB, not compressed", message: unit, ratio: 1, batch: 10},
	{name: "one event per message, PublishBatch", ratio: 1, batch: 100},
	{name: "one event per message, Publish", ratio: 1, publishEach: true, batch: 100},
}

// load is what a pipeline has to carry.
type load struct {
	rate float64 // events a second
	size float64 // bytes of one
}

func (l load) events() float64 { return l.rate * month.Seconds() }

// costLine is one line of a bill.
type costLine struct {
	Item     string  `json:"item"`
	Quantity float64 `json:"quantity"`
	Unit     string  `json:"unit"`
	USD      float64 `json:"usd"`
}

// carried are the lines of a bill that come of the events themselves: topics, queues,
// functions and their logs. SQS bills a delivery from SNS like a send, the receive of each
// 64 KiB, and deletes in batches.
func carried(p *prices, l load, t transport) []costLine {
	size := l.size / t.ratio // of an event on the way
	perMessage := 1.0
	if t.message > 0 {
		perMessage = max(math.Floor(t.message/size), 1)
	}
	bytes := perMessage * size
	messages := hops * l.events() / perMessage
	units := math.Ceil(bytes / unit) // of one message

	// A batch request is billed for the units of its bytes together, at least one.
	batched := max(bytes*sqsMax/unit, 1) / sqsMax
	published := messages * batched
	if t.publishEach {
		published = messages * units
	}
	sqs := messages * (units + batched + 1.0/sqsMax) // send, receive, delete

	batch := max(min(t.batch, math.Floor(invocationMax/bytes)), 1)
	invocations := messages / batch
	gbSeconds := functions * l.events() * computeEvent.Seconds() * float64(spec.Stages[0].Memory) / 1024
	logs := invocations * logLine / 1e9
	return []costLine{
		{"SNS: publish", published, "64 KiB units", published * p.sns},
		{"SQS: send, receive, delete", sqs, "requests of 64 KiB", tiered(p.sqs, sqs)},
		{"Lambda: requests", invocations, "invocations", invocations * p.lambdaRequest},
		{"Lambda: compute, arm64", gbSeconds, "GB-seconds", tiered(p.lambdaGBSecond, gbSeconds)},
		{"CloudWatch Logs: one line an invocation", logs, "GB", tiered(p.logGB, logs)},
	}
}

// Kafka's own limits.
const (
	pollerUnitBytes = 20e6   // a second, of one event poller unit
	brokerBytes     = 15.6e6 // a second in, of one express.m7g.large
	brokersLeast    = 3
)

// standing are the lines that do not come of how the events travel: the door from Kafka,
// and what watches the pipeline.
func standing(p *prices, l load, msk bool) []costLine {
	in := l.rate * l.size
	units := math.Ceil(in / pollerUnitBytes)
	lines := []costLine{{"Lambda: provisioned Kafka pollers", units, "units", units * p.kafkaPollerHour * month.Hours()}}
	if msk {
		brokers := max(math.Ceil(in/brokerBytes), brokersLeast)
		gb := in * month.Seconds() / 1e9
		lines = append(lines,
			costLine{"MSK: express.m7g.large", brokers, "brokers", brokers * p.brokerHour * month.Hours()},
			costLine{"MSK: data in", gb, "GB", gb * p.brokerGBIn})
	}
	metrics, alarmMetrics, composites := watched()
	return append(lines,
		costLine{"CloudWatch: metrics", metrics, "metrics", metrics * p.metric},
		costLine{"CloudWatch: alarms", alarmMetrics, "metrics in alarms", alarmMetrics * p.alarmMetric},
		costLine{"CloudWatch: composite alarms", composites, "alarms", composites * p.composite},
		costLine{"CloudWatch: dashboard", 1, "dashboard", p.dashboard})
}

// watched counts what the tables of package spec make in CloudWatch, with Kafka and
// MongoDB.
func watched() (metrics, alarmMetrics, composites float64) {
	for _, m := range spec.Metrics {
		metrics += float64(len(m.Stages))
	}
	for _, p := range spec.Pagers(func(spec.Need) bool { return true }) {
		composites++
		for _, a := range p.Alarms {
			if len(a.When) > 1 {
				composites++
			}
			for _, c := range a.When {
				alarmMetrics += float64(len(spec.Render(c.Value, c.Scope(p.Stage, nil, 1)).Series))
			}
		}
	}
	return metrics, alarmMetrics, composites
}

func total(lines []costLine) float64 {
	sum := 0.0
	for _, l := range lines {
		sum += l.USD
	}
	return sum
}
