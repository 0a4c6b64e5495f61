package event_test

import (
	"strings"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/eventtest"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

// A bad element of a batch does not touch its neighbours.
func TestParseBatchItems(t *testing.T) {
	bad := []struct {
		in   string
		want fault.Reason
	}{
		{`1`, fault.NotCloudEvent}, {`"x"`, fault.NotCloudEvent}, {`null`, fault.NotCloudEvent}, {`[]`, fault.NotCloudEvent}, {`{}`, fault.NotCloudEvent},
		{attr(`"a":{"b":[1]}`), fault.BadAttribute},
		{`{"specversion":"1.0","source":"/s","type":"t"}`, fault.MissingAttribute},
		{attr("\"data\":\"\xff\""), fault.InvalidUTF8},
		{attr("\"a\":\"\x00\""), fault.ControlCharacter},
		{attr(`"data":` + nested(600)), fault.TooDeep},
		{attr(`"data":1,"data":2`), fault.DuplicateAttribute},
	}
	good := head + `,"data":{"a":"]}"}}`
	var b strings.Builder
	b.WriteString(" [ ")
	for _, c := range bad {
		b.WriteString(good + " ,\n" + c.in + ",")
	}
	b.WriteString(good + "\t] ")
	items, err := event.ParseBatch([]byte(b.String()))
	if err != nil || len(items) != 2*len(bad)+1 {
		t.Fatalf("%v, %d items", err, len(items))
	}
	for i, it := range items {
		if i%2 == 0 {
			if it.Err != nil || string(it.Raw) != good {
				t.Fatalf("item %d: %v, raw %s", i, it.Err, it.Raw)
			}
			assertSame(t, it.Event, mustParse(t, good))
			continue
		}
		c := bad[i/2]
		assertReason(t, it.Err, c.want)
		if string(it.Raw) != c.in || it.Event.JSON() != nil {
			t.Errorf("raw %q, event %s; want raw %q and no event", it.Raw, it.Event.JSON(), c.in)
		}
	}
}

func TestParseBatchRefuses(t *testing.T) {
	each(t, map[string]refusal{
		"nothing":          {"", fault.NotJSON},
		"text":             {"x", fault.NotJSON},
		"one event":        {head + "}", fault.NotCloudEvent},
		"number":           {"1", fault.NotCloudEvent},
		"number, then":     {"1 2", fault.NotJSON},
		"open":             {"[", fault.NotJSON},
		"open after one":   {"[" + head + "}", fault.NotJSON},
		"comma, no item":   {"[" + head + "},]", fault.NotJSON},
		"no comma":         {"[" + head + "}" + head + "}]", fault.NotJSON},
		"trailing":         {"[]x", fault.NotJSON},
		"trailing, one":    {"[" + head + "}]]", fault.NotJSON},
		"bad JSON inside":  {"[" + head + "}," + head + `,"data":tru}]`, fault.NotJSON},
		"NDJSON":           {head + "}\n" + head + "}\n", fault.NotJSON},
		"deep, not closed": {"[" + nested(600)[:900] + "]", fault.NotJSON},
	}, func(t *testing.T, c refusal) {
		items, err := event.ParseBatch([]byte(c.in))
		assertReason(t, err, c.want)
		if items != nil {
			t.Errorf("and %d items", len(items))
		}
	})
}

func TestParseBatchEmpty(t *testing.T) {
	for _, in := range []string{"[]", " [ ] "} {
		if items, err := event.ParseBatch([]byte(in)); err != nil || len(items) != 0 {
			t.Errorf("%q: %v, %d items", in, err, len(items))
		}
	}
}

// The events of a batch share its memory: one allocation for the items, whatever their number.
func TestParseBatchAllocs(t *testing.T) {
	var parts []string
	for _, e := range eventtest.JSON(1, 200, 600) {
		parts = append(parts, string(e))
	}
	b := []byte("[" + strings.Join(parts, ",") + "]")
	n := testing.AllocsPerRun(20, func() {
		if _, err := event.ParseBatch(b); err != nil {
			t.Fatal(err)
		}
	})
	if n > 3 {
		t.Errorf("%v allocations for 200 events", n)
	}
}

func TestParseAllocs(t *testing.T) {
	for _, e := range eventtest.JSON(2, 20, 600) {
		n := testing.AllocsPerRun(5, func() {
			ev, err := event.Parse(e)
			if err != nil || ev.ID() == "" || ev.Tenant() == "" || ev.Time().IsZero() || ev.Data() == nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}
