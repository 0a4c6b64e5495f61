package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

var sampleFiles = os.DirFS("../../events-samples")

// compiled is a schema both ways; f is nil where the fast path does not know a keyword.
func compiled(t interface{ Fatalf(string, ...any) }, text string) (library, *fast) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	v, err := compile("https://schemas.example/test", doc)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if f, ok := v.(fast); ok {
		return f.slow.(library), &f
	}
	return v.(library), nil
}

func (f *fast) accepts(data []byte) bool {
	s := scanner{text: data}
	return s.document(f.root)
}

// The table says of each pair whether the fast path accepts by itself; what the library
// refuses it must not.
func TestFast(t *testing.T) {
	for _, c := range []struct {
		schema string
		yes    string // instances that it accepts, separated by blanks
		no     string // that are refused
		unsure string // that the library accepts and the fast path leaves to it
	}{
		{`{}`, `1 "a" null true false [] {} [1,[2]] {"a":{"b":[]}} -0 1.5 "\u00e9\n"`, `01 1. .5 +1 1e tru nul "a [1,] {"a"} {"a":1,} "\x" "\u12g4" 1,2 [1 {`, `1.5e-3`},
		{`true`, `1`, ``, ``},
		{`false`, ``, `1 null`, ``},
		{`{"type":"integer"}`, `0 -7 12345678901234567890123`, `1.5 "1" null`, `1.0 1e2`},
		{`{"type":"number"}`, `0 -7.5`, `"1" true 1e9999999999`, `1e400`},
		{`{"type":["string","null"]}`, `"" null`, `0 false [] {}`, ``},
		{`{"type":"boolean"}`, `true false`, `null 1`, ``},
		{`{"minimum":2,"exclusiveMaximum":5}`, `2 4 "x"`, `1 5 -3 1e-9999999999`, `2.5`},
		{`{"exclusiveMinimum":2,"maximum":5}`, `3 5`, `2 6`, ``},
		{`{"minimum":0}`, `0 9223372036854775807`, `-1`, `9223372036854775808`},
		{`{"minLength":2,"maxLength":3}`, `"ab" "abc" "äöü" 1`, `"a" "abcd"`, `"a\n"`},
		{`{"pattern":"^[A-Z]{3}$"}`, `"EWR" 3`, `"EW" "EWRx"`, `"EW\u0052"`},
		{`{"format":"date"}`, `"2013-01-28" "2013-01-31" "2012-02-29" 5`, `"2013-02-29" "2013-13-01" "2013-1-1" "x"`, ``},
		{`{"format":"date-time"}`, `"2013-01-01T05:15:00Z" "2013-01-01T05:15:00.25+01:00" "2013-01-31t23:59:59z" "2016-12-31T23:59:60Z"`,
			`"2013-01-01" "2013-01-01T24:00:00Z" "2013-01-01T00:60:00Z" "2013-01-01T00:00:00" "2013-01-01T00:00:00.Z" "2013-01-01T00:00:00+0100"`, ``},
		{`{"format":"ipv4"}`, `"127.0.0.1"`, `"127.0.0"`, ``},
		{`{"enum":["a","ö",null,true]}`, `"a" "ö" null true`, `"b" false 1 [] {}`, `"\u0061"`},
		{`{"enum":["a\\b"]}`, ``, `"a\b" "a"`, `"a\\b"`},
		{`{"const":"x"}`, `"x"`, `"y" null`, ``},
		{`{"required":["a","b"],"properties":{"a":{"type":"string"}}}`, `{"a":"1","b":2} {"b":[],"a":"","c":1} 1`, `{} {"a":"1"} {"b":1} {"a":1,"b":2}`, `{"\u0061":"1","b":2} {"a":1,"a":"1","b":2}`},
		{`{"properties":{"a":{}},"additionalProperties":false}`, `{} {"a":1}`, `{"b":1} {"a":1,"A":2}`, ``},
		{`{"required":["r"],"additionalProperties":false}`, ``, `{} {"r":1}`, ``},
		{`{"properties":{"a":true},"additionalProperties":{"type":"integer"}}`, `{"a":"x","b":1}`, `{"a":"x","b":"y"}`, ``},
		{`{"items":{"type":"integer"},"minItems":1,"maxItems":2}`, `[1] [1,2] {}`, `[] [1,2,3] ["a"]`, ``},
		{`{"minItems":1}`, `[1]`, `[]`, ``},
		{`{"prefixItems":[{"type":"string"},{"type":"integer"}],"items":false}`, `["a"] ["a",1] []`, `[1] ["a",1,2] ["a","b"]`, ``},
		{`{"$ref":"#/$defs/n","maximum":9,"$defs":{"n":{"type":"integer","minimum":1}}}`, `1 9`, `0 10 "x"`, ``},
		{`{"allOf":[{"minimum":1},{"maximum":3}]}`, `1 3`, `0 4`, ``},
		{`{"anyOf":[{"type":"string"},{"type":"integer","minimum":5}]}`, `"x" 7`, `3 null`, ``},
		{`{"properties":{"next":{"$ref":"#"},"v":{"type":"integer"}},"required":["v"]}`, `{"v":1,"next":{"v":2}}`, `{"v":1,"next":{}}`, ``},
	} {
		l, f := compiled(t, c.schema)
		if f == nil {
			t.Errorf("%s: left to the library", c.schema)
			continue
		}
		for _, x := range []struct {
			instances     string
			fast, library bool
		}{{c.yes, true, true}, {c.no, false, false}, {c.unsure, false, true}} {
			for _, instance := range strings.Fields(x.instances) {
				if got := f.accepts([]byte(instance)); got != x.fast {
					t.Errorf("%s: %s: the fast path says %v", c.schema, instance, got)
				}
				for name, v := range map[string]Validator{"library": l, "both": *f} {
					if err := v.Validate([]byte(instance)); (err == nil) != x.library {
						t.Errorf("%s: %s: %s says %v", c.schema, instance, name, err)
					}
				}
			}
		}
	}
}

// Space is allowed wherever JSON has it, and nowhere else.
func TestFastSpace(t *testing.T) {
	_, f := compiled(t, `{"type":"object","properties":{"a":{"items":{"type":"integer"}}}}`)
	if !f.accepts([]byte(" { \"a\" :\t[ 1 ,\r\n2 ] } ")) || !f.accepts([]byte(`{"a":[ ],"b":{ }}`)) {
		t.Error("space")
	}
	for _, no := range []string{"{\"a\":1 2}", "{} {}", "\v{}", "{\"a\n\":1}", "", " "} {
		if f.accepts([]byte(no)) {
			t.Errorf("%q", no)
		}
	}
}

// Keywords that the fast path does not know, and values whose JSON text has several forms,
// are the library's from the start.
func TestFastLeavesToTheLibrary(t *testing.T) {
	for _, schema := range []string{
		`{"not":{}}`, `{"oneOf":[{}]}`, `{"if":{},"then":{}}`, `{"patternProperties":{"a":{}}}`, `{"propertyNames":{"maxLength":2}}`,
		`{"minProperties":1}`, `{"uniqueItems":true}`, `{"contains":{}}`, `{"multipleOf":2}`, `{"enum":[1]}`, `{"const":{"a":1}}`,
		`{"minimum":1.5}`, `{"maximum":1e300}`, `{"dependentRequired":{"a":["b"]}}`, `{"unevaluatedProperties":false}`, `{"format":"regex"}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","type":"string"}`, `{"properties":{"deep":{"items":{"not":{}}}}}`,
	} {
		if _, f := compiled(t, schema); f != nil {
			t.Errorf("%s has a fast path", schema)
		}
	}
}

// Neither data nor a schema that refers to itself for ever exhausts the stack.
func TestFastNesting(t *testing.T) {
	l, f := compiled(t, `{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}`)
	if f == nil || f.accepts([]byte(`1`)) || l.Validate([]byte(`1`)) == nil {
		t.Error("a circle of references")
	}
	_, f = compiled(t, `{}`)
	for depth, want := range map[int]bool{maxNesting + 1: true, maxNesting + 2: false, 100_000: false} {
		if got := f.accepts([]byte(strings.Repeat("[", depth) + strings.Repeat("]", depth))); got != want {
			t.Errorf("%d arrays: %v", depth, got)
		}
	}
}

// Every schema that ships has a fast path, and it accepts every sample of its type.
func TestFastAcceptsTheSamples(t *testing.T) {
	r, err := Load(sampleFiles, false)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, s := range r.Schemas() {
		f, ok := s.validate.(fast)
		if !ok {
			t.Errorf("%s is left to the library", s.File)
			continue
		}
		text, err := fs.ReadFile(sampleFiles, s.Type+"/event.json")
		if err != nil {
			continue
		}
		var event struct{ Data json.RawMessage }
		if err := json.Unmarshal(text, &event); err != nil {
			t.Fatal(err)
		}
		seen++
		if !f.accepts(event.Data) {
			t.Errorf("%s: the sample is left to the library", s.File)
		}
	}
	if seen == 0 {
		t.Error("no sample seen")
	}
}

// schemas draws one of the keywords that the fast path knows.
func schemas(depth int) *rapid.Generator[map[string]any] {
	return rapid.Custom(func(t *rapid.T) map[string]any {
		s := make(map[string]any)
		maybe := func(label string) bool { return rapid.IntRange(0, 3).Draw(t, label) == 0 }
		sub := func() any {
			if depth == 0 || maybe("bool") {
				return rapid.Bool().Draw(t, "true")
			}
			return schemas(depth-1).Draw(t, "sub")
		}
		if maybe("typed") {
			s["type"] = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"null", "boolean", "integer", "number", "string", "array", "object"}), 1, 3, rapid.ID).Draw(t, "types")
		}
		for _, bound := range []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"} {
			if maybe(bound) {
				s[bound] = rapid.IntRange(-3, 3).Draw(t, bound)
			}
		}
		for _, size := range []string{"minLength", "maxLength", "minItems", "maxItems"} {
			if maybe(size) {
				s[size] = rapid.IntRange(0, 3).Draw(t, size)
			}
		}
		if maybe("pattern") {
			s["pattern"] = rapid.SampledFrom([]string{"^a", "b$", "^[ab]{1,2}$", "ö"}).Draw(t, "re")
		}
		if maybe("format") {
			s["format"] = rapid.SampledFrom([]string{"date", "date-time", "ipv4"}).Draw(t, "f")
		}
		if maybe("enum") {
			s["enum"] = rapid.SliceOfN(rapid.SampledFrom([]any{"a", "b", "ö", nil, true, false}), 1, 3).Draw(t, "values")
		}
		if depth > 0 {
			if maybe("properties") {
				s["properties"] = rapid.MapOfN(rapid.SampledFrom(names), rapid.Custom(func(*rapid.T) any { return sub() }), 1, 3).Draw(t, "props")
			}
			if maybe("required") {
				s["required"] = rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 3, rapid.ID).Draw(t, "names")
			}
			if maybe("additional") {
				s["additionalProperties"] = sub()
			}
			if maybe("items") {
				s["items"] = sub()
			}
			for _, list := range []string{"prefixItems", "allOf", "anyOf"} {
				if maybe(list) {
					s[list] = []any{sub(), sub()}
				}
			}
		}
		return s
	})
}

var names = []string{"a", "b", "c", "ö", "\uFFFD"}

// instances draws JSON texts, most of them valid.
func instances(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		kind := rapid.IntRange(0, 6).Draw(t, "kind")
		switch {
		case kind == 5 && depth > 0:
			items := rapid.SliceOfN(instances(depth-1), 0, 4).Draw(t, "items")
			return "[" + strings.Join(items, ", ") + "]"
		case kind == 6 && depth > 0:
			var members []string
			for range rapid.IntRange(0, 4).Draw(t, "members") {
				key := rapid.SampledFrom([]string{`"a"`, `"b"`, `"c"`, `"ö"`, `"\u0061"`, "\"\xff\"", `"x"`}).Draw(t, "key")
				members = append(members, key+": "+instances(depth-1).Draw(t, "value"))
			}
			return "{" + strings.Join(members, ",") + "}"
		case kind < 2:
			return rapid.SampledFrom([]string{`"a"`, `"b"`, `"ab"`, `"ö"`, `"öb"`, `""`, `"\u0061"`, `"a\nb"`, "\"\xff\"", `"\ud800"`, `"2013-02-29"`, `"2013-02-28"`, `"2013-01-01T00:00:00Z"`, `"2013-01-01T24:00:00Z"`, `"127.0.0.1"`}).Draw(t, "string")
		case kind < 4:
			return rapid.SampledFrom([]string{"0", "-0", "1", "-2", "3", "4", "1.0", "2.5", "1e0", "-1E+2", "3e1234567", "9007199254740993", "12345678901234567890"}).Draw(t, "number")
		default:
			return rapid.SampledFrom([]string{"null", "true", "false", "[]", "{}"}).Draw(t, "word")
		}
	})
}

// Whatever the schema and the text: what the fast path accepts the library accepts, and
// both together answer what the library alone does, with the same message.
func TestFastAgreesWithTheLibrary(t *testing.T) {
	accepted, plain := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		text, err := json.Marshal(schemas(3).Draw(t, "schema"))
		if err != nil {
			t.Fatal(err)
		}
		l, f := compiled(t, string(text))
		if f == nil {
			t.Fatalf("%s: left to the library", text)
		}
		instance := []byte(instances(3).Draw(t, "instance"))
		if rapid.IntRange(0, 9).Draw(t, "mutate") == 0 {
			i := rapid.IntRange(0, len(instance)-1).Draw(t, "at")
			instance[i] = rapid.Byte().Draw(t, "byte")
		}
		want := l.Validate(bytes.Clone(instance))
		got := f.accepts(instance)
		if got && want != nil {
			t.Fatalf("%s: %q is accepted; the library says %v", text, instance, want)
		}
		if both := f.Validate(instance); fmt.Sprint(both) != fmt.Sprint(want) {
			t.Fatalf("%s: %q: %v, want %v", text, instance, both, want)
		}
		if want == nil {
			plain++
			if got {
				accepted++
			}
		}
	})
	if accepted < plain*6/10 { // the rest has escapes, fractions, bytes that are no text
		t.Errorf("the fast path accepts %d of %d", accepted, plain)
	}
}

func FuzzFast(f *testing.F) {
	r, err := Load(sampleFiles, false)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range r.Schemas() {
		if text, err := fs.ReadFile(sampleFiles, s.Type+"/event.json"); err == nil {
			var event struct{ Data json.RawMessage }
			if err := json.Unmarshal(text, &event); err != nil {
				f.Fatal(err)
			}
			f.Add([]byte(event.Data))
		}
	}
	f.Add([]byte(`{"sched_dep_time":515,"dep_time":null,"carrier":"UA","flight":1,"origin":"EWR","dest":"IAH","x":["\u00e9",1.5]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range r.Schemas() {
			v := s.validate.(fast)
			if v.accepts(data) && v.slow.Validate(data) != nil {
				t.Errorf("%s: %q", s.File, data)
			}
		}
	})
}

func BenchmarkValidate(b *testing.B) {
	r, err := Load(sampleFiles, false)
	if err != nil {
		b.Fatal(err)
	}
	data := []byte(`{"year":2013,"month":1,"day":1,"date":"2013-01-01","dep_time":517,"sched_dep_time":515,"dep_delay":2,"arr_time":830,"sched_arr_time":819,"arr_delay":11,"carrier":"UA","flight":1545,"tailnum":"N14228","origin":"EWR","dest":"IAH","air_time":227,"distance":1400,"hour":5,"minute":15,"time_hour":"2013-01-01T10:00:00Z"}`)
	v := r.latest["gov.bts.flight.recorded"].validate.(fast)
	for name, v := range map[string]Validator{"fast": v, "library": v.slow} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := v.Validate(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
