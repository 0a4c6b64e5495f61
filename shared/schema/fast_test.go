package schema

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compiled is a schema both ways; f is nil where the fast path does not know a keyword.
func compiled(t interface{ Fatalf(string, ...any) }, text string) (library, *fast) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	l, err := compile("https://schemas.example/test", doc)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	v, err := quick(l)
	if err != nil {
		return l, nil
	}
	f := v.(fast)
	return l, &f
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
		{`{}`, `1 "a" null true false [] {} [1,[2]] {"a":{"b":[]}} -0 1.5 1.5e-3 9E+9999 "\u00e9\n"`, `01 1. .5 +1 1e tru nul "a [1,] {"a"} {"a":1,} "\x" "\u12g4" 1,2 [1 { {"a":1e12345} 1e-999999999`, `1e0000001`},
		{`true`, `1`, ``, ``},
		{`false`, ``, `1 null`, ``},
		{`{"type":"integer"}`, `0 -7 12345678901234567890123 1.0 -20.00 -0.0`, `1.5 -0.25 "1" null`, `1e2 1234567890123456.0`},
		{`{"type":"number"}`, `0 -7.5 1e400`, `"1" true 1e9999999999`, ``},
		{`{"type":["string","null"]}`, `"" null`, `0 false [] {}`, ``},
		{`{"type":"boolean"}`, `true false`, `null 1`, ``},
		{`{"minimum":2,"exclusiveMaximum":5}`, `2 4 "x" 2.5 4.999 2.0`, `1 5 -3 1.999 5.0 5.001 1e-9999999999`, `3e0 2.0000000000000000001`},
		{`{"exclusiveMinimum":2,"maximum":5}`, `3 5 2.001`, `2 6 2.0 5.5`, ``},
		{`{"minimum":0.5,"maximum":2.5}`, `1 2 0.75`, `0 3 0.4 2.6`, `0.5 2.5 0.50`},
		{`{"exclusiveMinimum":0.5,"exclusiveMaximum":2.5}`, `1 2`, `0 3 0.5 2.5`, ``},
		{`{"minimum":-2.5,"exclusiveMaximum":-0.5}`, `-1 -2 -0.6`, `-3 0 -0.4`, ``},
		{`{"maximum":1e300,"minimum":-1e300}`, `5 -5.5 999999999999999999`, ``, `1e299`},
		{`{"minimum":1e300}`, `"x"`, `1 999999999999999999 1.5 1e299`, `1e300`},
		{`{"minimum":0}`, `0 9223372036854775807 0.01 0.0 -0.0`, `-1 -9223372036854775807 -0.01`, `9223372036854775808 99999999999999999999`},
		{`{"minLength":2,"maxLength":3}`, `"ab" "abc" "äöü" 1 "a\n"`, `"a" "abcd" "\n" "\ud83d\ude00"`, ``},
		{`{"minLength":2,"type":"string"}`, `"a\n" "\ud83d\ude00x" "\ud83dx"`, `"\u00e9" "\\"`, ``},
		{`{"pattern":"^[A-Z]{3}$"}`, `"EWR" 3 "EW\u0052"`, `"EW" "EWRx" "EW\u0032"`, ``},
		{`{"format":"date"}`, `"2013-01-28" "2013-01-31" "2012-02-29" 5`, `"2013-02-29" "2013-04-31" "2013-06-00" "2013-13-01" "2013-1-1" "x"`, ``},
		{`{"format":"date-time"}`, `"2013-01-01T05:15:00Z" "2013-01-01T05:15:00.25+01:00" "2013-01-31t23:59:59z" "2016-12-31T23:59:60Z"`,
			`"2013-01-01" "2013-01-01T24:00:00Z" "2013-01-01T00:60:00Z" "2013-01-01T00:00:00" "2013-01-01T00:00:00.Z" "2013-01-01T00:00:00+0100"`, ``},
		{`{"format":"ipv4"}`, `"127.0.0.1"`, `"127.0.0"`, ``},
		{`{"enum":["a","ö",null,true]}`, `"a" "ö" null true "\u0061"`, `"b" false 1 [] {}`, ``},
		{`{"enum":["a\"b","\\n",7,-2,3.0]}`, `"a\"b" "\\n" 7 -2 3 7.0 3.0`, `"a" "\n" 6 7.5 "7"`, `7e0`},
		{`{"enum":["\ufffd"]}`, "\"\xff\" \"\xef\xbf\xbd\"", `"x"`, ``},
		{`{"enum":["a\\b"]}`, `"a\\b" "a\u005cb"`, `"a\b" "a"`, ``},
		{`{"minimum":9223372036854775808}`, `""`, `9223372036854775807 1.5`, `9223372036854775808`},
		{`{"maximum":-9223372036854775809}`, `""`, `-9223372036854775807 -1.5`, `-9223372036854775809`},
		{`{"minimum":-1e30,"maximum":9223372036854775807}`, `9223372036854775807 -9223372036854775807`, ``, `-9223372036854775808`},
		{`{"const":1,"type":"integer"}`, `1 1.0`, `2 "1" true`, ``},
		{`{"const":1,"type":"string"}`, ``, `1 "1"`, ``},
		{`{"const":"x"}`, `"x"`, `"y" null`, ``},
		{`{"required":["a","b"],"properties":{"a":{"type":"string"}}}`, `{"a":"1","b":2} {"b":[],"a":"","c":1} 1 {"\u0061":"1","b":2} {"a":"1","a":"2","b":1}`, `{} {"a":"1"} {"b":1} {"a":1,"b":2} {"\u0061":1,"b":2}`, `{"a":1,"a":"1","b":2}`},
		{`{"properties":{"a":{}},"additionalProperties":false}`, `{} {"a":1}`, `{"b":1} {"a":1,"A":2}`, ``},
		{`{"required":["r"],"additionalProperties":false}`, ``, `{} {"r":1}`, ``},
		{`{"properties":{"a":true},"additionalProperties":{"type":"integer"}}`, `{"a":"x","b":1}`, `{"a":"x","b":"y"}`, ``},
		{`{"items":{"type":"integer"},"minItems":1,"maxItems":2}`, `[1] [1,2] {}`, `[] [1,2,3] ["a"]`, ``},
		{`{"minItems":1}`, `[1]`, `[]`, ``},
		{`{"prefixItems":[{"type":"string"},{"type":"integer"}],"items":false}`, `["a"] ["a",1] []`, `[1] ["a",1,2] ["a","b"]`, ``},
		{`{"$ref":"#/$defs/n","maximum":9,"$defs":{"n":{"type":"integer","minimum":1}}}`, `1 9`, `0 10 "x"`, ``},
		{`{"allOf":[{"minimum":1},{"maximum":3}]}`, `1 3`, `0 4`, ``},
		{`{"anyOf":[{"type":"string"},{"type":"integer","minimum":5}]}`, `"x" 7`, `3 null`, ``},
		{`{"oneOf":[{"type":"string"},{"type":["integer","array","object"],"minimum":5},{"const":"x"}]}`, `"y" 7 {"a":1} [1] [] {}`, `3 "x" null`, ``},
		{`{"oneOf":[{"properties":{"k":{"const":"a"}},"required":["k"]},{"properties":{"k":{"const":"b"}}}]}`,
			`{"k":"a"} {"k":"b"} {} {"x":[{"y":1}],"k":"a"}`, `{"k":"c"} {"k":"a","k":"c"} {"k":`, `{"k":"b","k":"a"} {"\u006b":"a"} {"k":"b","x":[{"y":1,"y":1}]}`},
		{`{"oneOf":[{"properties":{"k":{"const":"a"}}},{"properties":{"k":{"enum":["a","b"]}}}]}`, `{"k":"b"}`, `{"k":"b","k":"a"} {"k":"a"} {"k":"c"}`, `{"k":"a","k":"b"}`},
		{`{"oneOf":[{"minimum":0.5},{"type":"number"}]}`, `0.4 0`, `0.5 1 0.50 5e-1`, ``},
		{`{"oneOf":[{"items":{"properties":{"k":{"const":1}}}},{"type":"array"}]}`, `[{"k":2}]`, `[{"k":2,"k":1}] [[],{"k":1}]`, `[{"k":1,"k":2}]`},
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
		`{"not":{}}`, `{"if":{},"then":{}}`, `{"patternProperties":{"a":{}}}`, `{"propertyNames":{"maxLength":2}}`,
		`{"minProperties":1}`, `{"uniqueItems":true}`, `{"contains":{}}`, `{"multipleOf":2}`, `{"enum":[1.5]}`, `{"const":{"a":1}}`, `{"enum":[1e2]}`, `{"enum":[[]]}`, `{"enum":["a"],"const":"a"}`,
		`{"dependentRequired":{"a":["b"]}}`, `{"unevaluatedProperties":false}`, `{"format":"regex"}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","type":"string"}`, `{"properties":{"deep":{"items":{"not":{}}}}}`,
	} {
		if _, f := compiled(t, schema); f != nil {
			t.Errorf("%s has a fast path", schema)
		}
	}
}

// Neither data nor a schema that refers to itself for ever exhausts the stack, or the time.
func TestFastNesting(t *testing.T) {
	if _, f := compiled(t, `{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}`); f != nil {
		t.Error("a circle of references has a fast path")
	}
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		l, f := compiled(t, `{"`+keyword+`":[{"$ref":"#"},{"$ref":"#"}]}`)
		if f == nil || f.accepts([]byte(`1`)) || l.Validate([]byte(`1`)) == nil {
			t.Errorf("%s: a circle", keyword)
		}
	}
	_, f := compiled(t, `{}`)
	for depth, want := range map[int]bool{maxNesting + 1: true, maxNesting + 2: false, 100_000: false} {
		if got := f.accepts([]byte(strings.Repeat("[", depth) + strings.Repeat("]", depth))); got != want {
			t.Errorf("%d arrays: %v", depth, got)
		}
	}
	// Each level of the data doubles the work here: 2 to the 30 steps without a limit.
	_, f = compiled(t, `{"anyOf":[{"properties":{"c":{"$ref":"#"}},"required":["x"]},{"properties":{"c":{"$ref":"#"}}}]}`)
	for depth, want := range map[int]bool{5: true, 30: false} {
		if got := f.accepts([]byte(strings.Repeat(`{"c":`, depth) + "1" + strings.Repeat("}", depth))); got != want {
			t.Errorf("%d objects: %v", depth, got)
		}
	}
}

// The library takes lengths modulo 2 to the 64: the fast path must not be more generous.
func TestFastHugeBounds(t *testing.T) {
	for _, schema := range []string{`{"maxItems":18446744073709551615}`, `{"maxLength":18446744073709551615}`} {
		l, f := compiled(t, schema)
		for _, data := range []string{`[]`, `[1]`, `""`, `"x"`} {
			if f.accepts([]byte(data)) && l.Validate([]byte(data)) != nil {
				t.Errorf("%s: %s", schema, data)
			}
		}
	}
}

// No number costs the library much: 1e1000000 would be 0.15 s.
func TestLibraryRefusesHugeExponents(t *testing.T) {
	l, _ := compiled(t, `{"type":"integer","minimum":1}`)
	for text, want := range map[string]bool{"1e9999": true, "1e+0009999": true, "1e10000": false, "1E-10000": false, "1e4000000": false} {
		begin := time.Now()
		if err := l.Validate([]byte(text)); (err == nil) != want || time.Since(begin) > time.Second {
			t.Errorf("%s: %v after %s", text, err, time.Since(begin))
		}
	}
}

// The schema of an event type says which keyword leaves it to the library.
func TestLeftToLibrary(t *testing.T) {
	r, err := Load(files(map[string]string{
		"a/schema-v1.json": schemaDoc("a1", `,"type":"object"`),
		"b/schema-v1.json": schemaDoc("b1", `,"properties":{"p":{"multipleOf":2}}`),
	}), false)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "https://x.test/b1#/properties/p: multipleOf"} {
		if got := r.Schemas()[i].LeftToLibrary(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// The known fields are those of the library that is linked: a misspelt one would leave
// every schema that uses it to the library.
func TestKnownFields(t *testing.T) {
	schema := reflect.TypeFor[jsonschema.Schema]()
	for _, name := range append(slices.Clone(ruled), ignored...) {
		if f, ok := schema.FieldByName(name); !ok || !f.IsExported() {
			t.Errorf("the library has no %s", name)
		}
	}
}
