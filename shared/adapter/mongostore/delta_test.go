package mongostore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/event"
)

func TestHourOf(t *testing.T) {
	for _, at := range []string{"1969-12-31T23:30:00Z", "1969-12-31T23:00:00Z", "1970-01-01T00:00:00Z", "0001-01-02T00:59:59Z", "2026-03-01T12:30:00Z"} {
		want, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := hourStart(hourOf(want.UnixMilli())); !got.Equal(want.Truncate(time.Hour)) {
			t.Errorf("hour of %s begins %s", at, got)
		}
	}
}

func TestFieldNameOfType(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.StringMatching(`[a%.$252E4é]{1,12}`).Draw(t, "type")
		name := fieldName(typ)
		if typeOf(name) != typ || strings.ContainsAny(name, ".$") {
			t.Fatalf("type %q has the field %q, which is of type %q", typ, name, typeOf(name))
		}
	})
}

func TestDeltaOrder(t *testing.T) {
	someEvent := rapid.Custom(func(t *rapid.T) event.Event {
		pick := func(of ...string) string { return rapid.SampledFrom(of).Draw(t, "value") }
		return parse(t, fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"%s","type":"%s","subject":"%s","tenantid":"%s"}`,
			rapid.IntRange(0, 99).Draw(t, "id"), pick("/a", "/b"), pick("x", "x.y", "$x", "100%"), pick("s", "t"), pick("p", "q")))
	})
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfNDistinct(someEvent, 1, 20, func(e event.Event) event.Key { return e.Key() }).Draw(t, "events")
		asks := func(e *event.Event) bool { return e.Type() != "x" }
		whole := newDelta()
		for i := range events {
			whole.add(&events[i], int64(i%5), asks(&events[i]))
		}
		order := rapid.Permutation(indexesOf(events)).Draw(t, "order")
		cut := rapid.IntRange(0, len(order)).Draw(t, "cut")
		parts := newDelta()
		for _, part := range [][]int{order[:cut], order[cut:]} {
			d := newDelta()
			for _, i := range part {
				d.add(&events[i], int64(i%5), asks(&events[i]))
			}
			raw, err := bson.Marshal(d.document(testStored))
			if err != nil {
				t.Fatalf("%v", err)
			}
			var b batch
			if err := bson.Unmarshal(raw, &b); err != nil || !b.complete() {
				t.Fatalf("%v, %+v", err, b)
			}
			parts.merge(b.delta())
		}
		if diff := cmp.Diff(whole, parts, cmp.AllowUnexported(delta{}, counterKey{}, subjectKey{}, summary{}, latest{})); diff != "" {
			t.Fatalf("in one (-), in parts (+):\n%s", diff)
		}
	})
}

func indexesOf(events []event.Event) []int {
	all := make([]int, len(events))
	for i := range all {
		all[i] = i
	}
	return all
}
