//go:build integration && linux

package mongostore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/eventtest"
	"github.com/millrace-pipeline/millrace/shared/store"
)

const (
	benchBatch   = 2000
	benchWriters = 2
)

// BenchmarkWrite is the cost of one new event, written in batches by two writers: wall
// time (ns/op), and the CPU time of this process and of mongod. What is left out shows
// what each index costs, and the bookkeeping of counters.
func BenchmarkWrite(b *testing.B) {
	for _, size := range []int{550, 1100} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) { benchmarkWrite(b, size, (*Store).write, nil) })
	}
	b.Run("1100B-without-bookkeeping", func(b *testing.B) { benchmarkWrite(b, 1100, (*Store).insertOnly, nil) })
	var all []string
	for _, x := range indexes {
		if x.collection == collEvents {
			all = append(all, x.name())
			b.Run("1100B-without-"+x.name(), func(b *testing.B) { benchmarkWrite(b, 1100, (*Store).write, []string{x.name()}) })
		}
	}
	b.Run("1100B-without-indexes", func(b *testing.B) { benchmarkWrite(b, 1100, (*Store).write, all) })
}

func (s *Store) write(ctx context.Context, batch []event.Event) error {
	_, err := s.Write(ctx, batch)
	return err
}

// insertOnly is a Write without the two other steps of a batch.
func (s *Store) insertOnly(ctx context.Context, batch []event.Event) error {
	w := s.writer()
	defer s.release(w)
	s.fill(w, batch, distinct(batch, sortedByKey(batch)), nil, make([]store.Result, len(batch)))
	_, err := s.insert(ctx, w)
	return err
}

func benchStore(b *testing.B) *Store {
	b.Helper()
	uri := harness.Mongo(b)
	o := Options{URI: uri, Database: harness.Database(b, uri)}
	if err := Init(b.Context(), o); err != nil {
		b.Fatal(err)
	}
	s, err := Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// benchEvents come in the order of their time, nearly, 50,000 in a second; half of them are
// of one of 50,000 users, and each has a subject of its own.
func benchEvents(b *testing.B, n, size int) []event.Event {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	start := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	events := parseAll(b, eventtest.JSON(1, n, size))
	for i := range events {
		at := start.Add(time.Duration(i)*20*time.Microsecond + time.Duration(r.IntN(100))*time.Millisecond)
		change := events[i].Edit().Set("time", at.Truncate(time.Millisecond))
		if i%2 == 0 {
			change.Set("userid", fmt.Sprintf("u-%05d", r.IntN(50_000)))
		}
		e, err := change.Build()
		if err != nil {
			b.Fatal(err)
		}
		events[i] = e
	}
	return events
}

func benchmarkWrite(b *testing.B, size int, write func(*Store, context.Context, []event.Event) error, without []string) {
	s := benchStore(b)
	for _, name := range without {
		if err := s.collection(collEvents).Indexes().DropOne(b.Context(), name); err != nil {
			b.Fatal(err)
		}
	}
	server := mongodPID(b, s)
	batches := make(chan []event.Event, b.N/benchBatch+1)
	events := benchEvents(b, b.N, size)
	for len(events) > 0 {
		n := min(len(events), benchBatch)
		batches <- events[:n]
		events = events[n:]
	}
	close(batches)
	client, mongod := selfCPU(b), processCPU(b, server)
	b.ResetTimer()
	var wg sync.WaitGroup
	for range benchWriters {
		wg.Go(func() {
			for batch := range batches {
				if err := write(s, b.Context(), batch); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(selfCPU(b)-client)/float64(b.N), "client-cpu-ns/op")
	b.ReportMetric(float64(processCPU(b, server)-mongod)/float64(b.N), "mongod-cpu-ns/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func mongodPID(b *testing.B, s *Store) int {
	b.Helper()
	var status struct {
		PID int `bson:"pid"`
	}
	if err := s.client.Database("admin").RunCommand(b.Context(), bson.D{{Key: "serverStatus", Value: 1}}).Decode(&status); err != nil {
		b.Fatal(err)
	}
	if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", status.PID)); err != nil || !strings.HasPrefix(string(name), "mongod") {
		b.Skip("mongod runs on another machine: its CPU time is not known")
	}
	return status.PID
}

func selfCPU(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// processCPU is the CPU time that a process has used, in steps of 10 ms (proc(5), stat).
func processCPU(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		tb.Fatal(err)
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			tb.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// BenchmarkRead is the latency of one call on a store of 100,000 events.
func BenchmarkRead(b *testing.B) {
	s := benchStore(b)
	events := benchEvents(b, 100_000, 550)
	for i := 0; i < len(events); i += benchBatch {
		if _, err := s.Write(b.Context(), events[i:i+benchBatch]); err != nil {
			b.Fatal(err)
		}
	}
	last := &events[len(events)-1]
	b.Run("Get", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Get(b.Context(), last.Key()); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, f := range map[string]store.Filter{
		"All": {}, "Tenant": {Tenant: last.Tenant()}, "Type": {Type: last.Type()}, "Types": {Type: "com.millrace.*"},
		"Subject": {Subject: last.Subject()}, "None": {Subject: "none"},
	} {
		b.Run("List/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.List(b.Context(), f, 100, ""); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("Count/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Count(b.Context(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("Counters", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Counters(b.Context(), last.Tenant(), time.Time{}, time.Time{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
