package functions_test

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/millrace-pipeline/millrace/functions/internal/awsstub"
	"github.com/millrace-pipeline/millrace/functions/internal/runtimeapi"
	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/adapter/mongostore"
	"github.com/millrace-pipeline/millrace/shared/bench"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/pack"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// noBound on the messages of an invocation but Lambda's 6 MB.
const noBound = 1 << 20

// sqsPayload is an invocation with n flights as the stage before sends them, in packs, the
// ids counted from first on; or with as many whole packs as Lambda's 6 MB and a bound on
// the messages allow. It says how many events are in it.
func sqsPayload(tb testing.TB, first, n, messagesAtMost int) ([]byte, int) {
	tb.Helper()
	now := time.Now()
	flights := realFlights(tb)
	events := make([]event.Event, n)
	for i := range events {
		e, err := event.Parse(flights(first + i))
		if err != nil {
			tb.Fatal(err)
		}
		events[i] = e.Stamp(now.UnixMilli())
	}
	packs := pack.Encode(events, pack.Options{Encoding: pack.Zstd})
	packs = packs[:min(len(packs), messagesAtMost)]
	messages := make([]queue.Received, len(packs))
	for i, p := range packs {
		a := pipeline.Attrs{ContentType: p.ContentType, Encoding: p.Encoding, Count: p.End - p.First}
		messages[i] = queue.Received{ID: "m" + strconv.Itoa(i), Body: p.Body, ReceiveCount: 1, Sent: now, Attributes: a.Map()}
	}
	payload, taken := lambdaio.AppendSQSEvent(nil, "arn:aws:sqs:us-east-1:000000000000:own", messages)
	return payload, packs[taken-1].End
}

// realFlights returns the i-th of as many flights as are wanted: those of one day with ids
// of their own. Packs of them compress as production's do; of one flight repeated they
// would have no size.
func realFlights(tb testing.TB) func(i int) []byte {
	tb.Helper()
	templates, err := bench.Flights()
	if err != nil {
		tb.Fatal(err)
	}
	return func(i int) []byte { return bench.WithID(templates[i%len(templates)], int64(i)) }
}

// BenchmarkInvoke measures real bootstraps by events per invocation and memory setting:
// ingest from Kafka, process and persist from SQS in packs as in production. Time is of an
// invocation through the Runtime API, CPU of the function's process. scripts/perf reads
// its output. persist needs a MongoDB: MONGODB_URI.
func BenchmarkInvoke(b *testing.B) {
	same := func(payload []byte, n int) func() ([]byte, int) {
		return func() ([]byte, int) { return payload, n }
	}
	for _, memory := range []int{128, 256, 512} {
		for _, n := range []int{10, 100, 1000, 10_000} {
			name := fmt.Sprintf("%dMB/%d", memory, n)
			b.Run("ingest/"+name, func(b *testing.B) {
				benchmarkInvoke(b, "ingest", memory, same(kafkaPayload(b, n)))
			})
			b.Run("process/"+name, func(b *testing.B) {
				benchmarkInvoke(b, "process", memory, same(sqsPayload(b, 0, n, noBound)))
			})
			b.Run("persist/"+name, func(b *testing.B) {
				next := 0
				benchmarkInvoke(b, "persist", memory, func() ([]byte, int) { // each event once: a duplicate is another write
					payload, events := sqsPayload(b, next, n, noBound)
					next += events
					return payload, events
				}, "MONGODB_URI="+database(b))
			})
		}
	}
}

// database is a MongoDB of the benchmark's own on the server of MONGODB_URI.
func database(b *testing.B) string {
	b.Helper()
	uri := os.Getenv("MONGODB_URI")
	if uri == "" {
		b.Skip("MONGODB_URI is not set")
	}
	u, err := url.Parse(uri)
	if err != nil {
		b.Fatal("MONGODB_URI is no URI") // err has the string, and so the password
	}
	name := fmt.Sprintf("millrace_functions_%d_%d", os.Getpid(), time.Now().UnixNano())
	u.Path = "/" + name
	if err := mongostore.Init(b.Context(), mongostore.Options{URI: u.String()}); err != nil {
		b.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(u.String()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		ctx := context.WithoutCancel(b.Context()) // which is done by now
		if err := client.Database(name).Drop(ctx); err != nil {
			b.Error(err)
		}
		_ = client.Disconnect(ctx)
	})
	return u.String()
}

// benchmarkInvoke invokes a function with what payload returns, and reports the time and
// the CPU of an invocation and an event, how long the environment took to start, and the
// most memory that it had.
func benchmarkInvoke(b *testing.B, name string, memoryMB int, payload func() ([]byte, int), env ...string) {
	s := awsstub.Start(b)
	e := start(b, name, memoryMB, s, env...)
	p, events := payload()
	invoke(b, e, p) // the first one connects
	s.Take(topicARN)
	cpu, err := e.CPU()
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		b.StopTimer()
		p, events = payload()
		b.StartTimer()
		invoke(b, e, p)
		s.Take(topicARN)
		n += events
	}
	elapsed := b.Elapsed()
	end, err := e.CPU()
	if err != nil {
		b.Fatal(err)
	}
	peak, err := e.PeakMemory()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(events), "events/op")
	b.ReportMetric(float64(elapsed.Nanoseconds())/1000/float64(b.N), "µs/op")
	b.ReportMetric(float64(elapsed.Nanoseconds())/1000/float64(n), "µs/event")
	b.ReportMetric(float64((end-cpu).Microseconds())/float64(n), "cpu-µs/event")
	b.ReportMetric(float64(peak)/(1<<20), "peak-MB")
	b.ReportMetric(float64(e.Init.Microseconds())/1000, "init-ms")
}

func invoke(tb testing.TB, e *runtimeapi.Environment, payload []byte) {
	tb.Helper()
	answer, err := e.Invoke(payload, timeout)
	if err != nil || !bytes.Equal(answer, []byte(`{"batchItemFailures":[]}`)) {
		tb.Fatalf("%s, %v", answer, err)
	}
}
