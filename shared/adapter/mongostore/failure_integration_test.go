//go:build integration

package mongostore

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

// TestIntegrationKilledServer: kill -9 of mongod, several times while six writers write.
func TestIntegrationKilledServer(t *testing.T) {
	server := harness.OwnMongo(t)
	survives(t, server.Addr, 4, func(ctx context.Context, _ *Store) error {
		if err := server.Kill(ctx); err != nil {
			return err
		}
		return server.Start(ctx)
	})
}

// TestIntegrationSteppedDownPrimary: the primary steps down and is elected again.
func TestIntegrationSteppedDownPrimary(t *testing.T) {
	survives(t, harness.OwnMongo(t).Addr, 4, func(ctx context.Context, s *Store) error {
		stepDown := bson.D{{Key: "replSetStepDown", Value: 1}, {Key: "force", Value: true}}
		return s.client.Database("admin").RunCommand(ctx, stepDown).Err()
	})
}

// survives writes while disrupt is called so many times. Writers try again until each event
// is stored. In the end nothing is lost and nothing is counted twice.
func survives(t *testing.T, uri string, times int, disrupt func(ctx context.Context, s *Store) error) {
	const writers, perBatch, between = 6, 50, 60
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	o := Options{URI: uri, Aggregate: asksForAggregates, Timeout: 2 * time.Second, ConnectTimeout: time.Minute}
	s := newStore(t, o)
	var batches atomic.Int64
	var failures atomic.Int64
	written := make([][]event.Event, writers)
	stop := make(chan struct{})
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-ctx.Done():
					return
				default:
				}
				// Two writers each write the same events.
				batch := numbered(t, fmt.Sprintf("%d-%d", w/2, i), perBatch)
				for !writeOnce(ctx, t, s, batch) && ctx.Err() == nil {
					failures.Add(1)
				}
				written[w] = append(written[w], batch...)
				batches.Add(1)
			}
		})
	}
	for i := range times {
		awaitBatches(ctx, t, &batches, int64(between*(i+1)))
		if err := disrupt(ctx, s); err != nil {
			t.Errorf("disruption %d: %v", i, err)
		}
	}
	awaitBatches(ctx, t, &batches, int64(between*(times+1)))
	close(stop)
	writing.Wait()
	if failures.Load() == 0 {
		t.Error("no write failed: the disruptions disrupted nothing")
	}
	distinctEvents := map[event.Key]event.Event{}
	for _, all := range written {
		for _, e := range all {
			distinctEvents[e.Key()] = e
		}
	}
	t.Logf("%d batches, %d failed attempts, %d events, %d batches incomplete", batches.Load(), failures.Load(), len(distinctEvents),
		count(t, s, collBatches, bson.D{{Key: "keys", Value: exists}}))
	exactAtRest(t, s, int64(len(distinctEvents)))
	for k := range distinctEvents {
		if _, err := s.Get(ctx, k); err != nil {
			t.Fatalf("event %v: %v", k, err)
		}
	}
}

// writeOnce reports whether all events are stored. What fails must be worth another try.
func writeOnce(ctx context.Context, t *testing.T, s *Store, batch []event.Event) bool {
	results, err := s.Write(ctx, batch)
	if err == nil {
		for _, r := range results {
			if r.Err != nil {
				err = r.Err
			}
		}
	}
	if reason := fault.ReasonOf(err); err != nil && reason != fault.StoreUnavailable && reason != fault.StoreUnreachable {
		t.Errorf("Write: %v, want a fault that passes", err)
	}
	return err == nil
}

func awaitBatches(ctx context.Context, t *testing.T, done *atomic.Int64, want int64) {
	t.Helper()
	for tick := time.NewTicker(10 * time.Millisecond); done.Load() < want; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%d batches, want %d", done.Load(), want)
		}
	}
}

// TestIntegrationUnreachable: one clear line, soon.
func TestIntegrationUnreachable(t *testing.T) {
	uri := harness.Mongo(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	silent := l.Addr().String() // it accepts, and says nothing
	defer l.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := closed.Addr().String()
	_ = closed.Close()
	for name, test := range map[string]struct{ uri, want string }{
		"nobody listens":    {"mongodb://u:hunter2@" + refusing + "/", "connection refused"},
		"nobody answers":    {"mongodb://u:hunter2@" + silent + "/", silent},
		"wrong replica set": {strings.Replace(uri, "rs0", "rs1", 1), "rs1"},
		"wrong password":    {strings.Replace(uri, "mongodb://", "mongodb://u:hunter2@", 1), "uthentication"},
		"no such host":      {"mongodb://no-such-host.invalid/", "no-such-host.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := Open(t.Context(), Options{URI: test.uri, ConnectTimeout: time.Second})
			if err == nil {
				t.Fatal("no error")
			}
			text := err.Error()
			if strings.Contains(text, "\n") || strings.Contains(text, "hunter2") || len(text) > 300 || !strings.Contains(text, test.want) {
				t.Errorf("error %q, want one short line with %q", text, test.want)
			}
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("it took %v", d)
			}
			t.Log(text)
		})
	}
}

// TestIntegrationMissingIndex: Open says which one, and Init makes it.
func TestIntegrationMissingIndex(t *testing.T) {
	o := Options{URI: harness.Mongo(t)}
	o.Database = harness.Database(t, o.URI)
	refuses := func(want string) {
		t.Helper()
		s, err := Open(t.Context(), o)
		if err == nil {
			_ = s.Close()
			t.Errorf("Open: no error, want %q", want)
		} else if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "millrace store init") || strings.Contains(err.Error(), "\n") {
			t.Errorf("Open: %v, want %q", err, want)
		}
	}
	refuses("collection events has no index")
	s := newStore(t, o)
	if err := Init(t.Context(), o); err != nil {
		t.Errorf("Init of a database that is ready: %v", err)
	}
	for _, x := range indexes {
		c := s.collection(x.collection).Indexes()
		if err := c.DropOne(t.Context(), x.name()); err != nil {
			t.Fatal(err)
		}
		refuses("collection " + x.collection + " has no index " + x.name())
		other := x
		other.only = bson.D{{Key: "other", Value: exists}}
		if _, err := c.CreateOne(t.Context(), other.model()); err != nil {
			t.Fatal(err)
		}
		refuses("index " + x.name() + " of collection " + x.collection + " is not the one")
		if err := Init(t.Context(), o); err == nil {
			t.Error("Init with another index of that name: no error")
		}
		if err := c.DropOne(t.Context(), x.name()); err != nil {
			t.Fatal(err)
		}
		if err := Init(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	open(t, o)
}
