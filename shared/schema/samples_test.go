package schema

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	samples "github.com/millrace-pipeline/millrace/events-samples"
	"github.com/millrace-pipeline/millrace/shared/event"
)

const sampleDir = "../../events-samples"

// sampleEvents are all sample events: <type>/event.json, every *.ndjson and the flights.
func sampleEvents(t testing.TB) []event.Event {
	t.Helper()
	var texts [][]byte
	single, err := filepath.Glob(sampleDir + "/*/event.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range single {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, b)
	}
	many, err := filepath.Glob(sampleDir + "/*/*.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range many {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, lines(t, bytes.NewReader(b))...)
	}
	z, err := gzip.NewReader(bytes.NewReader(samples.Flights))
	if err != nil {
		t.Fatal(err)
	}
	texts = append(texts, lines(t, z)...)
	events := make([]event.Event, len(texts))
	for i, b := range texts {
		if events[i], err = event.Parse(b); err != nil {
			t.Fatal(err)
		}
	}
	return events
}

func lines(t testing.TB, r io.Reader) (out [][]byte) {
	t.Helper()
	s := bufio.NewScanner(r)
	for s.Scan() {
		out = append(out, bytes.Clone(s.Bytes()))
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func shipped(t testing.TB) *Registry {
	t.Helper()
	r, err := Load(samples.Schemas, false)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Every schema that ships has a fast path, and that accepts every sample of its type that
// the library accepts, which are all: nothing falls back unnoticed.
func TestFastAcceptsTheSamples(t *testing.T) {
	r := shipped(t)
	for _, s := range r.Schemas() {
		if why := s.LeftToLibrary(); why != "" {
			t.Errorf("%s is left to the library: %s", s.File, why)
		}
	}
	accepted := make(map[string]int)
	for _, e := range sampleEvents(t) {
		s := r.latest[e.Type()]
		if s == nil {
			continue
		}
		f := s.validate.(fast)
		if f.slow.Validate(e.Data()) != nil {
			continue // there are samples of what a schema refuses
		}
		if !f.accepts(e.Data()) {
			t.Errorf("%s %s is left to the library", e.Type(), e.ID())
		}
		accepted[e.Type()]++
	}
	for typ, n := range map[string]int{"gov.bts.flight.recorded": 843, "org.hl7.patient.admitted": 2, "org.hl7.appointment.booked": 1} {
		if accepted[typ] < n {
			t.Errorf("%s: %d samples, want %d at least", typ, accepted[typ], n)
		}
	}
}

// What is accepted costs no allocation: less than one a run, since the pools of regexp drop
// some of theirs under the race detector.
func TestFastAllocatesNothing(t *testing.T) {
	r := shipped(t)
	measured := 0
	for _, e := range sampleEvents(t) {
		s := r.latest[e.Type()]
		if s == nil || !s.validate.(fast).accepts(e.Data()) || measured == 20 {
			continue
		}
		measured++
		data := e.Data()
		if n := testing.AllocsPerRun(100, func() { _ = s.validate.Validate(data) }); n > 0 {
			t.Errorf("%s %s: %v allocations", e.Type(), e.ID(), n)
		}
	}
	if measured == 0 {
		t.Error("no event")
	}
}

func FuzzFast(f *testing.F) {
	r := shipped(f)
	odd, err := Load(files(map[string]string{"odd/schema-v1.json": schemaDoc("odd", oddRules)}), false)
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range sampleEvents(f)[:20] {
		f.Add(e.Data())
	}
	f.Add([]byte(`{"sched_dep_time":515,"dep_time":null,"carrier":"UA","flight":1,"origin":"EWR","dest":"IAH","x":["\u00e9",1e3]}`))
	f.Add([]byte(`{"k":"a","v":-1.50,"list":["x",{"k":"b","v":7}],"\u006b":"b","when":"2024-02-29T23:59:60Z"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range append(r.Schemas(), odd.all...) {
			v := s.validate.(fast)
			want := v.slow.Validate(data)
			if v.accepts(data) && want != nil {
				t.Errorf("%s: %q: %v", s.File, data, want)
			}
		}
	})
}

// oddRules has the keywords that the schemas that ship have not.
const oddRules = `,"oneOf":[{"type":"object","properties":{"k":{"const":"a"},"v":{"minimum":-1.5,"exclusiveMaximum":7.25},
	"list":{"prefixItems":[{"minLength":1,"maxLength":2}],"items":{"$ref":"#"},"maxItems":3},"when":{"format":"date-time"}},"additionalProperties":false},
	{"anyOf":[{"enum":["x",3,null]},{"properties":{"k":{"pattern":"^b+$"},"v":{"type":"integer"}},"required":["k","v"]}]}]`

// orderRules is a schema for the orders of shared/bench.
const orderRules = `,"type":"object","required":["order","currency","items"],"properties":{
	"order":{"type":"integer","minimum":0},"currency":{"type":"string","pattern":"^[A-Z]{3}$"},
	"items":{"type":"array","minItems":1,"items":{"type":"object","required":["sku","count","price"],"additionalProperties":false,"properties":{
		"sku":{"type":"string","minLength":8,"maxLength":8},"name":{"type":"string","minLength":1},
		"count":{"type":"integer","minimum":1},"price":{"type":"number","minimum":0}}}}}`

// orderData is the data of an order event of about 1.1 KB.
func orderData() []byte {
	b := []byte(`{"order":731904412,"currency":"EUR","items":[`)
	for i := range 11 {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"sku":"%08x","name":"dressing stone","count":%d,"price":%d.%02d}`, i*0x1234567, 1+i%9, 40*i, 7*i)
	}
	return append(b, `]}`...)
}

func BenchmarkValidate(b *testing.B) {
	text, err := fs.ReadFile(os.DirFS(sampleDir), "gov.bts.flight.recorded/event.json")
	if err != nil {
		b.Fatal(err)
	}
	flight, err := event.Parse(compact(b, text))
	if err != nil {
		b.Fatal(err)
	}
	orders, err := Load(files(map[string]string{"order/schema-v1.json": schemaDoc("order", orderRules)}), false)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		s    *Schema
		data []byte
	}{
		{"flight", shipped(b).latest[flight.Type()], flight.Data()},
		{"order", orders.latest["order"], orderData()},
	} {
		f := c.s.validate.(fast)
		if !f.accepts(c.data) {
			b.Fatalf("%s is left to the library", c.name)
		}
		for _, way := range []struct {
			name string
			v    Validator
		}{{"fast", f}, {"library", f.slow}} {
			b.Run(c.name+"/"+way.name, func(b *testing.B) {
				b.SetBytes(int64(len(c.data)))
				b.ReportAllocs()
				for b.Loop() {
					if err := way.v.Validate(c.data); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func compact(tb testing.TB, text []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}
