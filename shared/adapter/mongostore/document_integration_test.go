//go:build integration

package mongostore

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/eventtest"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// numbered is a batch of n events with ids from prefix-0 on.
func numbered(t tb, prefix string, n int) []event.Event {
	batch := make([]event.Event, n)
	for i := range batch {
		batch[i] = parse(t, fmt.Sprintf(`{"specversion":"1.0","id":"%s-%06d","source":"/s","type":"kind.%d","subject":"p%d","tenantid":"t%d",`+
			`"time":"2026-03-01T%02d:00:00Z","data":{"i":%d}}`, prefix, i, i%3, i%20, i%5, i%24, i))
	}
	return batch
}

// TestIntegrationSpellings: the server takes every event that has ever been odd, and gives
// it back byte for byte.
func TestIntegrationSpellings(t *testing.T) {
	s := newStore(t, Options{})
	var batch []event.Event
	for i, json := range spellings {
		batch = append(batch, parse(t, strings.Replace(json, `"source":"/s"`, fmt.Sprintf(`"source":"/s/%d"`, i), 1)))
	}
	mustWrite(t, s, batch)
	for i := range batch {
		rec, err := s.Get(t.Context(), batch[i].Key())
		if err != nil || string(rec.Event.JSON()) != string(batch[i].JSON()) {
			t.Errorf("%.200s\ncame back as %.200s, %v", batch[i].JSON(), rec.Event.JSON(), err)
		}
	}
}

// TestIntegrationFieldNames: MongoDB gives no name inside data a meaning, and what a
// client looks for it finds.
func TestIntegrationFieldNames(t *testing.T) {
	s := newStore(t, Options{})
	var batch []event.Event
	for i, data := range []string{
		`{"$set":1}`, `{"$ref":"x","$id":1,"$db":"y"}`, `{"$id":1}`, `{"$where":"f"}`, `{"":1}`, `{".":1,"..":2}`, `{"$.$":1}`,
		`{"_id":[1]}`, `[{"_id":{"$gt":1}}]`, `{"a.b":{"c.d":1}}`, `{"$oid":"x"}`, `{"$date":1}`, `{"$numberLong":"x"}`,
	} {
		batch = append(batch, parse(t, fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"/s","type":"t","data":%s}`, i, data)))
	}
	mustWrite(t, s, batch)
	if n := count(t, s, collEvents, bson.D{{Key: "data", Value: exists}}); n != int64(len(batch)) {
		t.Errorf("%d of %d events have the field data", n, len(batch))
	}
	dotted := bson.D{{Key: "$expr", Value: bson.D{{Key: "$eq", Value: bson.A{
		bson.D{{Key: "$getField", Value: bson.D{{Key: "field", Value: "a.b"}, {Key: "input", Value: "$data"}}}}, bson.D{{Key: "$literal", Value: bson.D{{Key: "c.d", Value: 1}}}},
	}}}}}
	if n := count(t, s, collEvents, dotted); n != 1 {
		t.Errorf("%d events found by a field with dots, want 1", n)
	}
}

// TestIntegrationQueries: any client can query the data, by an index of its own.
func TestIntegrationQueries(t *testing.T) {
	s := newStore(t, Options{})
	var batch []event.Event
	for i, data := range []string{
		`{"carrier":"UA","delay":12,"amount":12.50,"big":9007199254740993}`,
		`{"carrier":"AA","delay":-3,"amount":12.5,"big":9007199254740992}`,
		`{"carrier":"DL","delay":7,"amount":1e3,"big":18446744073709551615,"legs":[{"to":"SFO"},{"to":"LAX"}]}`,
	} {
		batch = append(batch, parse(t, fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"/s","type":"t","time":"2026-03-0%dT00:00:00Z","data":%s}`, i, i+1, data)))
	}
	mustWrite(t, s, batch)
	big, err := bson.ParseDecimal128("18446744073709551615")
	if err != nil {
		t.Fatal(err)
	}
	for field, value := range map[string]any{
		"data.carrier": "UA", "data.delay": bson.D{{Key: "$gt", Value: 10}}, "data.big": int64(9007199254740993), "data.amount": 1000,
		"data.legs.to": "LAX", "time": "2026-03-02T00:00:00Z",
		fieldTime: bson.D{{Key: "$gte", Value: batch[2].Time()}},
	} {
		if n := count(t, s, collEvents, bson.D{{Key: field, Value: value}}); n != 1 {
			t.Errorf("%d events where %s is %v, want 1", n, field, value)
		}
	}
	if n := count(t, s, collEvents, bson.D{{Key: "data.amount", Value: 12.5}}); n != 2 {
		t.Errorf("%d events of an amount of 12.5, want 2, however they spell it", n)
	}
	if n := count(t, s, collEvents, bson.D{{Key: "data.big", Value: big}}); n != 1 {
		t.Errorf("%d events of a number beyond 64 bits, want 1", n)
	}
	if _, err := s.collection(collEvents).Indexes().CreateOne(t.Context(), mongo.IndexModel{Keys: bson.D{{Key: "data.carrier", Value: 1}}}); err != nil {
		t.Fatal(err)
	}
	plan := explain(t, s, bson.D{{Key: "find", Value: collEvents}, {Key: "filter", Value: bson.D{{Key: "data.carrier", Value: "UA"}}}})
	if !slices.Contains(plan, "IXSCAN") {
		t.Errorf("a query by a field with an index: %v", plan)
	}
}

// TestIntegrationAttributesThatAreNoStrings: a filter finds an extension in its canonical
// form, whatever type its producer has given it.
func TestIntegrationAttributesThatAreNoStrings(t *testing.T) {
	s := newStore(t, Options{})
	var batch []event.Event
	for i, attrs := range []string{`"tenantid":7`, `"tenantid":"7"`, `"tenantid":true,"userid":-1`, `"tenantid":null`, `"userid":"true"`} {
		batch = append(batch, parse(t, fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"/s","type":"t",%s}`, i, attrs)))
	}
	mustWrite(t, s, batch)
	for f, want := range map[store.Filter]int64{{Tenant: "7"}: 2, {Tenant: "true"}: 1, {User: "-1"}: 1, {User: "true"}: 1, {Tenant: "7.0"}: 0} {
		n, err := s.Count(t.Context(), f)
		page, err2 := s.List(t.Context(), f, 10, "")
		if err != nil || err2 != nil || n != want || int64(len(page.Records)) != want {
			t.Errorf("%+v: %d counted, %d listed, want %d (%v, %v)", f, n, len(page.Records), want, err, err2)
		}
	}
	exactAtRest(t, s, int64(len(batch)))
}

// TestIntegrationRefused: an event that the server does not take is refused alone, for
// good, and by name.
func TestIntegrationRefused(t *testing.T) {
	s := newStore(t, Options{Aggregate: func(string) bool { return true }})
	ctx, events := t.Context(), s.collection(collEvents)
	unique := mongo.IndexModel{Keys: bson.D{{Key: "data.order", Value: 1}},
		Options: options.Index().SetUnique(true).SetPartialFilterExpression(bson.D{{Key: "data.order", Value: exists}})}
	if _, err := events.Indexes().CreateOne(ctx, unique); err != nil {
		t.Fatal(err)
	}
	validator := bson.D{{Key: "data.bad", Value: bson.D{{Key: "$exists", Value: false}}}}
	if err := s.db.RunCommand(ctx, bson.D{{Key: "collMod", Value: collEvents}, {Key: "validator", Value: validator}}).Err(); err != nil {
		t.Fatal(err)
	}
	of := func(id, data string) event.Event {
		return parse(t, fmt.Sprintf(`{"specversion":"1.0","id":"%s","source":"/s","type":"t","data":%s}`, id, data))
	}
	batch := []event.Event{
		of("1", `1`), of("2", `{"order":"a@b.c"}`), of("3", `{"order":"a@b.c"}`), of("4", `{"bad":1}`),
		of("5", `"`+strings.Repeat("x", 17<<20)+`"`), of("6", `1`), of("5", `1`),
	}
	results, err := s.Write(ctx, batch)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "", "unique index on data.order", "validator", "its document would have", "", "its document would have"} {
		err := results[i].Err
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("event %d: %v, want %q", i, err, want)
		case want != "" && (fault.KindOf(err) != fault.Permanent || fault.ReasonOf(err) != fault.StoreRejected || strings.Contains(err.Error(), "a@b.c")):
			t.Errorf("event %d: %v, want a permanent fault without the data", i, err)
		}
	}
	exactAtRest(t, s, 3)
	if n := count(t, s, collBatches, bson.D{{Key: "keys", Value: exists}}); n != 0 {
		t.Errorf("%d batches are incomplete", n)
	}
}

// TestIntegrationLargeEvents: several events that only just fit, in one batch.
func TestIntegrationLargeEvents(t *testing.T) {
	s := newStore(t, Options{Aggregate: func(string) bool { return true }})
	var batch []event.Event
	for i, n := range []int{15 << 20, 1, 16<<20 - 4096, 8 << 20, 8 << 20, 1} {
		batch = append(batch, parse(t, fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"/s","type":"t","subject":"p","data":"%s"}`, i, strings.Repeat("x", n))))
	}
	mustWrite(t, s, batch)
	for i := range batch {
		rec, err := s.Get(t.Context(), batch[i].Key())
		if err != nil || string(rec.Event.JSON()) != string(batch[i].JSON()) {
			t.Errorf("event %d came back with %d bytes, %v", i, len(rec.Event.JSON()), err)
		}
	}
	if a, err := s.Aggregate(t.Context(), "/s", "p"); err != nil || a.Version != int64(len(batch)) {
		t.Errorf("aggregate: version %d, %v", a.Version, err)
	}
	exactAtRest(t, s, int64(len(batch)))
}

// TestIntegrationRedelivery: what was written is known when it comes again, in part, in
// another order, and through both ways of finding out.
func TestIntegrationRedelivery(t *testing.T) {
	s := newStore(t, Options{})
	all := parseAll(t, eventtest.JSON(5, 2*chunkEvents+100, 550))
	half := len(all) / 2
	for i, step := range []struct {
		batch []event.Event
		fresh int
	}{
		{all[:half], half},
		{all[:half], 0}, // refused inserts
		{all[:half], 0}, // looked up
		{all[half-10 : half+10], 10},
		{all[:half+10], 0},
		{all, len(all) - half - 10}, // the second chunk is first looked up, and is new
		{all[:1], 0},
	} {
		if fresh := mustWrite(t, s, step.batch); fresh != step.fresh {
			t.Errorf("step %d: %d of %d events are new, want %d", i, fresh, len(step.batch), step.fresh)
		}
	}
	exactAtRest(t, s, int64(len(all)))
}
