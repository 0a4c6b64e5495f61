//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/millrace-pipeline/millrace/localstack/harness/deployed"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/ops"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/redrive"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// poisonType is the type that MongoDB refuses while refusePoison holds.
const poisonType = "com.example.poison"

// bad are events that die, each in another way.
var bad = []struct {
	value string
	dlq   string
	fault.Reason
}{
	{`{"specversion":"1.0","id":"cut off","source":"/dea`, "ingest-dlq", fault.NotJSON},
	{`{"specversion":"1.0","source":"/dead","type":"com.example.no.id"}`, "ingest-dlq", fault.MissingAttribute},
	{`{"specversion":"1.0","id":"no carrier","source":"/dead","type":"gov.bts.flight.recorded","data":{"dep_time":517}}`, "ingest-dlq", fault.SchemaViolation},
	{`{"specversion":"1.0","id":"no delay","source":"/dead","type":"gov.bts.flight.recorded","data":{"sched_dep_time":515,"dep_time":517,"dep_delay":null,"carrier":"UA","flight":1545,"origin":"EWR","dest":"IAH"}}`, "process-dlq", fault.HandlerRejected},
	{poison("poison 1"), "persist-dlq", fault.StoreRejected},
}

func poison(id string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":"%s","source":"/dead","type":"%s","data":{}}`, id, poisonType)
}

// deadLetters: bad events among good ones die in the right queue, for the right reason,
// with their bytes, and the good ones pass. When the cause is gone they come back, by
// SQS's own move task and by the function dlq-redrive.
func (d *deployment) deadLetters(t *testing.T) {
	d.refusePoison(t, true)
	t.Cleanup(func() { d.refusePoison(t, false) })
	const good = 500
	var records []*kgo.Record
	for i := range good {
		if i%100 == 50 {
			records = append(records, &kgo.Record{
				Key: []byte("the key"), Value: []byte(bad[i/100].value),
				Headers: []kgo.RecordHeader{{Key: "from", Value: []byte("a test")}},
			})
		}
		records = append(records, &kgo.Record{Value: fmt.Appendf(nil, `{"specversion":"1.0","id":"good %d","source":"/good","type":"com.example.order.placed","data":{"n":%d}}`, i, i)})
	}
	large := strings.Repeat("large ", 60_000) // does not fit into a message: goes by claim check
	records = append(records, &kgo.Record{Value: fmt.Appendf(nil, `{"specversion":"1.0","id":"large","source":"/good","type":"com.example.order.placed","data":"%s"}`, large)})
	d.produce(t, records...)
	d.awaitStored(t, "/good", good+1, time.Minute)
	d.awaitDead(t, len(bad))
	d.checkLetters(t)

	d.refusePoison(t, false)
	// The destination has to be named: of messages that were sent to a dead-letter queue, and
	// not moved there by SQS, it does not know the source.
	if _, err := d.Broker().StartMove(t.Context(), "persist-dlq", queue.MoveOptions{Dest: spec.Persist}); err != nil {
		t.Fatalf("StartMessageMoveTask: %v", err)
	}
	d.awaitStored(t, "/dead", 1, time.Minute)
	d.awaitDead(t, len(bad)-1)

	d.refusePoison(t, true)
	d.produce(t, &kgo.Record{Value: []byte(poison("poison 2"))})
	d.awaitDead(t, len(bad))
	d.refusePoison(t, false)
	if r := d.redrive(t, redrive.Request{Stage: spec.Persist, Reasons: []fault.Reason{fault.StoreRejected}}); r.Redriven != 1 {
		t.Errorf("dlq-redrive: %+v, want 1 redriven", r)
	}
	d.awaitStored(t, "/dead", 2, time.Minute)
	d.awaitDead(t, len(bad)-1)
	for _, name := range []string{"ingest-dlq", "process-dlq"} {
		if err := d.Broker().Purge(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
	d.awaitDead(t, 0)
}

func (d *deployment) awaitDead(t *testing.T, want int) {
	t.Helper()
	deployed.Await(t, "dead letters", time.Minute, func(ctx context.Context) error {
		n, err := d.Dead(ctx)
		if err == nil && n != want {
			err = fmt.Errorf("there are %d, want %d", n, want)
		}
		return err
	})
}

// checkLetters looks at what the dead-letter queues hold as `millrace dlq show` does.
func (d *deployment) checkLetters(t *testing.T) {
	t.Helper()
	letters := d.DeadLetters()
	list, err := letters.List(t.Context(), ops.DeadLetterFilter{}, 2*len(bad))
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[fault.Reason]ops.Original)
	for _, l := range list.Letters {
		o, err := letters.Find(t.Context(), l.ID)
		if err != nil || len(o) != 1 {
			t.Fatalf("dead letter %s: %d found, %v", l.ID, len(o), err)
		}
		found[l.Reason] = o[0]
	}
	for _, b := range bad {
		o, ok := found[b.Reason]
		if !ok {
			t.Errorf("no dead letter with the reason %s: %+v", b.Reason, list.Counts)
			continue
		}
		stage := strings.TrimSuffix(b.dlq, "-dlq")
		if o.Queue != b.dlq || o.Stage != stage || o.Problem != "" && o.Stage != spec.Ingest {
			t.Errorf("%s: in %s, stage %s, %s; want %s", b.Reason, o.Queue, o.Stage, o.Problem, b.dlq)
		}
		if stage == spec.Ingest {
			if string(o.Body) != b.value || o.Kafka == nil || string(o.Kafka.Key) != "the key" || len(o.Kafka.Headers) != 1 {
				t.Errorf("%s: the record was not kept: %q, %+v", b.Reason, o.Body, o.Kafka)
			}
		} else if !sameEvent(o.Body, b.value) {
			t.Errorf("%s: %s, was %s", b.Reason, o.Body, b.value)
		}
	}
}

// sameEvent compares an event inside the pipeline, which was stamped at the door.
func sameEvent(got []byte, want string) bool {
	var g, w map[string]any
	if json.Unmarshal(got, &g) != nil || json.Unmarshal([]byte(want), &w) != nil {
		return false
	}
	delete(g, "receivedtime")
	return fmt.Sprint(g) == fmt.Sprint(w)
}

func (d *deployment) produce(t *testing.T, records ...*kgo.Record) {
	t.Helper()
	if err := d.Produce(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
}

// redrive invokes the function dlq-redrive as an operator does.
func (d *deployment) redrive(t *testing.T, q redrive.Request) (r redrive.Result) {
	t.Helper()
	payload, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := d.Function(spec.Redrive).Invoke(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		t.Fatalf("dlq-redrive answers %s", answer)
	}
	return r
}

// refusePoison makes MongoDB refuse events of poisonType, as a rule that an administrator
// has put on the collection would.
func (d *deployment) refusePoison(t *testing.T, refuse bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // it is a clean-up too
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(d.MongoURI))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(ctx) }()
	rule := bson.D{}
	if refuse {
		rule = bson.D{{Key: "type", Value: bson.D{{Key: "$ne", Value: poisonType}}}}
	}
	command := bson.D{{Key: "collMod", Value: "events"}, {Key: "validator", Value: rule}}
	if err := client.Database(d.Env).RunCommand(ctx, command).Err(); err != nil {
		t.Fatal(err)
	}
}
