package mongostore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/store"
)

func TestDatabaseOf(t *testing.T) {
	for uri, want := range map[string]string{
		"mongodb://h":                                "millrace",
		"mongodb://h/":                               "millrace",
		"mongodb://h/?replicaSet=rs0":                "millrace",
		"mongodb://h:1,i:2/events?replicaSet=rs0":    "events",
		"mongodb+srv://u:p%2Fq@h.example.com/events": "events",
		"mongodb://u:p@h/my%20db?a=b/c":              "my db",
		"mongodb://%2Ftmp%2Fmongodb-1.sock/events":   "events",
		"events": "millrace",
	} {
		if got := databaseOf(uri); got != want {
			t.Errorf("databaseOf(%q) = %q, want %q", uri, got, want)
		}
	}
}

// TestSecretsStayHidden: whatever is wrong with a connection string, no error has its
// password.
func TestSecretsStayHidden(t *testing.T) {
	for _, uri := range []string{
		"mongodb://user:hunter2@",
		"mongodb://user:hunter2@h:notaport/",
		"mongodb://user:hunter2@h:1/?replicaSet",
		"mongodb://user:hunter2@h:1/?w=-1",
		"mongodb://user:hunter2@h:1/?ssl=maybe",
		"mongodb://user:hunter2@h:1/?authMechanism=hunter2",
		"mongodb://user:hun/ter2@h:1/",
		"mongodb://user:hun@ter2@h:1/",
		"mongodb://user:hun%ter2@h:1/",
		"mongodb://user:hun%zzter2@h:1/",
		"mongodb://user:hun:ter2@h:1/",
		"mongodb://:hunter2@h:1/",
		"http://user:hunter2@h:1/",
		"user:hunter2@h:1/",
		"mongodb://user:hunter%32@h:1/?compressors=x&tlsCAFile=/does/not/exist",
		"mongodb+srv://user:hunter2@no-such-host.invalid:1/",
	} {
		o := Options{URI: uri, ConnectTimeout: 10 * time.Millisecond}
		for name, err := range map[string]error{"Open": openErr(t, o), "Init": Init(t.Context(), o)} {
			if err == nil {
				t.Errorf("%s(%s): no error", name, uri)
				continue
			}
			text := err.Error()
			for _, secret := range []string{"hunter2", "ter2", "hunter%32", "hun"} {
				if strings.Contains(text, secret) {
					t.Errorf("%s: the error shows the password: %s", name, text)
				}
			}
			if strings.Contains(text, "\n") {
				t.Errorf("%s: the error has several lines: %s", name, text)
			}
		}
	}
}

func openErr(t *testing.T, o Options) error {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err == nil {
		_ = s.Close()
	}
	return err
}

func TestOptions(t *testing.T) {
	if _, err := (Options{}).withDefaults(); err == nil {
		t.Error("no connection string: no error")
	}
	o, err := Options{URI: "mongodb://h/x", Timeout: time.Hour}.withDefaults()
	if err != nil || o.Database != "x" || o.Timeout != maxTimeout || o.MaxConnections == 0 || o.ConnectTimeout == 0 || o.Aggregate("t") || o.Now().IsZero() {
		t.Errorf("defaults: %+v, %v", o, err)
	}
	if recoverAfter < 3*maxTimeout {
		t.Errorf("a batch is recovered after %v, while its insert may still run for %v", recoverAfter, maxTimeout)
	}
}

func TestResultOfRefusedDocument(t *testing.T) {
	refused := func(code int, pattern bson.D) *mongo.WriteError {
		raw, err := bson.Marshal(bson.D{{Key: "code", Value: code}, {Key: "keyPattern", Value: pattern}})
		if err != nil {
			t.Fatal(err)
		}
		return &mongo.WriteError{Code: code, Message: "dup key: { email: \"a@b.c\" }", Raw: raw}
	}
	if r := resultOf(refused(codeDuplicateKey, bson.D{{Key: "_id", Value: 1}})); r.Err != nil || !r.Duplicate {
		t.Errorf("the event is there already: %+v", r)
	}
	r := resultOf(refused(codeDuplicateKey, bson.D{{Key: "data.email", Value: 1}, {Key: "type", Value: 1}}))
	if r.Duplicate || fault.ReasonOf(r.Err) != fault.StoreRejected || !strings.Contains(r.Err.Error(), "data.email, type") || strings.Contains(r.Err.Error(), "a@b.c") {
		t.Errorf("a unique index of the user's: %+v", r)
	}
	for code, want := range map[int]fault.Kind{121: fault.Permanent, 10334: fault.Permanent, 11602: fault.Transient, 10107: fault.Transient, 50: fault.Transient} {
		if r := resultOf(refused(code, bson.D{})); r.Duplicate || r.Err == nil || fault.KindOf(r.Err) != want {
			t.Errorf("code %d: %+v, want %s", code, r, want)
		}
	}
}

func TestFailedKeepsTheContractsErrors(t *testing.T) {
	for _, err := range []error{store.ErrNotFound, store.ErrAmbiguous, store.ErrBadCursor} {
		if got := failed(fmt.Errorf("get: %w", err), "op"); !errors.Is(got, err) || fault.ReasonOf(got) != fault.Unknown {
			t.Errorf("%v became %v", err, got)
		}
	}
	if err := failed(nil, "op"); err != nil {
		t.Errorf("no error became %v", err)
	}
	if err := failed(errors.New("x"), "op"); fault.ReasonOf(err) != fault.StoreUnavailable || fault.KindOf(err) != fault.Transient {
		t.Errorf("an unknown error became %v", err)
	}
}

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

// TestDeltaOrder: the sum of some events is the same in any order, in any parts, and when
// it has been a batch's document in between.
func TestDeltaOrder(t *testing.T) {
	someEvent := rapid.Custom(func(t *rapid.T) event.Event {
		pick := func(of ...string) string { return rapid.SampledFrom(of).Draw(t, "value") }
		return parse(t, fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"%s","type":"%s","subject":"%s","tenantid":"%s"}`,
			rapid.IntRange(0, 99).Draw(t, "id"), pick("/a", "/b"), pick("x", "x.y", "$x", "100%"), pick("s", "t"), pick("p", "q")))
	})
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(someEvent, 1, 20).Draw(t, "events")
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

// TestOrderOfKeys: writers sort as the server does, by the bytes of _id.
func TestOrderOfKeys(t *testing.T) {
	word := rapid.StringMatching(`[a !é~]{1,3}`)
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) event.Event {
			source := strings.ReplaceAll(word.Draw(t, "source"), " ", "-")
			return parse(t, fmt.Sprintf(`{"specversion":"1.0","id":"%s","source":"%s","type":"t"}`, word.Draw(t, "id"), source))
		}), 1, 20).Draw(t, "events")
		sorted := sortedByKey(events)
		keys := make([]string, len(events))
		for i, place := range sorted {
			keys[i] = keyOf(events[place].Key())
		}
		if !slices.IsSorted(keys) {
			t.Fatalf("%q", keys)
		}
		if got, want := len(distinct(events, sorted)), len(slices.Compact(keys)); got != want {
			t.Fatalf("%d distinct events, want %d", got, want)
		}
	})
}

// TestDuplicatesOfARefusedEvent share its fate: they are not stored either.
func TestDuplicatesOfARefusedEvent(t *testing.T) {
	one := parse(t, withData("1"))
	two := parse(t, `{"specversion":"1.0","id":"2","source":"/s","type":"t"}`)
	events := []event.Event{one, two, one, two, one}
	refused := errors.New("refused")
	results := make([]store.Result, len(events))
	results[0].Err = refused
	settleDuplicates(events, sortedByKey(events), results)
	want := []store.Result{{Err: refused}, {}, {Err: refused}, {Duplicate: true}, {Err: refused}}
	if !slices.Equal(results, want) {
		t.Errorf("%+v, want %+v", results, want)
	}
}

func TestAttributeValue(t *testing.T) {
	for v, other := range map[string]any{"acme": nil, "7": int32(7), "-7": int32(-7), "007": nil, "true": true, "false": false, "1.0": nil, "99999999999": nil} {
		want := any(v)
		if other != nil {
			want = bson.D{{Key: "$in", Value: bson.A{v, other}}}
		}
		if diff := cmp.Diff(want, attributeValue(v)); diff != "" {
			t.Errorf("attributeValue(%q) (-want +got):\n%s", v, diff)
		}
	}
}

// TestChunkLimits: a chunk ends before one of its three documents is too large.
func TestChunkLimits(t *testing.T) {
	long := strings.Repeat("t.", 4000)
	for name, c := range map[string]struct {
		json string // with the number of the event
		most int
	}{
		"small":      {`{"specversion":"1.0","id":"%d","source":"/s","type":"t"}`, chunkEvents},
		"large data": {`{"specversion":"1.0","id":"%d","source":"/s","type":"t","data":"` + strings.Repeat("x", 1<<20) + `"}`, 12},
		"long types": {`{"specversion":"1.0","id":"%d","source":"/s","type":"` + long + `"}`, chunkBytes / (4 * len(long))},
	} {
		var w chunkWriter
		w.reset(testStored)
		n := 0
		for ; n <= chunkEvents; n++ {
			e := parse(t, fmt.Sprintf(c.json, n))
			full, err := w.add(n, &e, func(string) bool { return true })
			if err != nil {
				t.Fatal(err)
			}
			if full {
				break
			}
		}
		if n > c.most || n < c.most/2 {
			t.Errorf("%s: a chunk of %d events, want about %d", name, n, c.most)
		}
		if err := w.finish().Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
