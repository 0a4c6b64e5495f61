package schema

import (
	"strings"
	"testing"
	"testing/fstest"

	samples "github.com/millrace-pipeline/millrace/events-samples"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

func files(docs map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, doc := range docs {
		m[name] = &fstest.MapFile{Data: []byte(doc)}
	}
	return m
}

func schemaDoc(id, rest string) string {
	return `{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://x.test/` + id + `"` + rest + `}`
}

func parse(t *testing.T, typ, extra string) event.Event {
	t.Helper()
	e, err := event.Parse([]byte(`{"specversion":"1.0","id":"1","source":"/s","type":"` + typ + `"` + extra + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestCheck(t *testing.T) {
	f := files(map[string]string{
		"a/schema-v1.json": schemaDoc("a1", `,"type":"object","properties":{"n":{"type":"integer","minimum":0},"s":{"type":"string","format":"date"}}`),
		"a/schema-v2.json": schemaDoc("a2", `,"type":"object","properties":{"n":{"type":"integer","minimum":-5},"list":{"items":{"enum":["x"]}}}`),
		"b/schema-v1.json": schemaDoc("b1", `,"required":["k"]`),
	})
	for _, c := range []struct {
		typ, extra string
		refuse     bool
		reason     fault.Reason // "": accepted
		text       string
	}{
		{typ: "a", extra: `,"data":{"n":-1}`},
		{typ: "a", extra: `,"data":{"n":9007199254740993}`},
		{typ: "a", extra: `,"dataschema":"https://x.test/a1","data":{"n":-1}`, reason: fault.SchemaViolation, text: "a v1: /n: minimum"},
		{typ: "a", extra: `,"dataschema":"https://x.test/a1","data":{"s":"secret"}`, reason: fault.SchemaViolation, text: "/s: format"},
		{typ: "a", extra: `,"data":{"list":["x","secret"]}`, reason: fault.SchemaViolation, text: "/list/1: enum"},
		{typ: "a", extra: `,"data":{"n":"secret","list":["secret"]}`, reason: fault.SchemaViolation, text: "; "},
		{typ: "a", reason: fault.SchemaViolation, text: "no JSON data"},
		{typ: "a", extra: `,"data_base64":"AAAA"`, reason: fault.SchemaViolation, text: "no JSON data"},
		{typ: "a", extra: `,"dataschema":"https://x.test/b1","data":{}`, reason: fault.SchemaViolation, text: "type b"},
		{typ: "b", extra: `,"data":{}`, reason: fault.SchemaViolation, text: "data: required"},
		{typ: "c", extra: `,"data":1`},
		{typ: "c", extra: `,"data":1`, refuse: true, reason: fault.UnknownType, text: "type c"},
		{typ: "a", extra: `,"dataschema":"https://x.test/a9","data":1`},
		{typ: "a", extra: `,"dataschema":"https://x.test/a9","data":1`, refuse: true, reason: fault.UnknownType, text: "a9"},
	} {
		r, err := Load(f, c.refuse)
		if err != nil {
			t.Fatal(err)
		}
		e := parse(t, c.typ, c.extra)
		err = r.Check(&e)
		switch {
		case c.reason == "" && err != nil:
			t.Errorf("%s%s: %v", c.typ, c.extra, err)
		case c.reason == "":
		case fault.ReasonOf(err) != c.reason || fault.KindOf(err) != fault.Permanent || !strings.Contains(err.Error(), c.text):
			t.Errorf("%s%s: %v, want %s with %q", c.typ, c.extra, err, c.reason, c.text)
		case strings.Contains(err.Error(), "secret"):
			t.Errorf("the error quotes the data: %v", err)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	for want, f := range map[string]map[string]string{
		"version 1":     {"a/schema-v2.json": schemaDoc("a", "")},
		"no $id":        {"a/schema-v1.json": `{}`},
		"is that of":    {"a/schema-v1.json": schemaDoc("a", ""), "b/schema-v1.json": schemaDoc("a", "")},
		"want the name": {"a/schema-v01.json": schemaDoc("a", "")},
		"whole in its":  {"a/schema-v1.json": schemaDoc("a", `,"$ref":"https://elsewhere.test/s"`)},
		"schema a/":     {"a/schema-v1.json": schemaDoc("a", `,"type":"strin"`)},
	} {
		if _, err := Load(files(f), false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// The schemas that ship: every version keeps what was valid valid, and the sample
// events satisfy the latest.
func TestShippedSchemas(t *testing.T) {
	r, err := Load(samples.Schemas, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Compatible() {
		t.Error(p)
	}
	if len(r.Schemas()) < 4 {
		t.Errorf("%d schemas", len(r.Schemas()))
	}
}

func TestCompatible(t *testing.T) {
	for _, c := range []struct {
		name, v1, v2 string
		where        string // path of the problem, "" for none
	}{
		{"same", `,"type":"object"`, `,"type":"object"`, ""},
		{"optional property added", `,"type":"object","properties":{"a":{"type":"string"}}`, `,"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}`, ""},
		{"property required", `,"type":"object"`, `,"type":"object","required":["a"]`, "/required"},
		{"requirement dropped", `,"required":["a"]`, ``, ""},
		{"type narrowed", `,"type":["string","null"]`, `,"type":"string"`, "/type"},
		{"type appears", ``, `,"type":"string"`, "/type"},
		{"integer to number", `,"type":"integer"`, `,"type":"number"`, ""},
		{"number to integer", `,"type":"number"`, `,"type":"integer"`, "/type"},
		{"enum grows", `,"enum":["a"]`, `,"enum":["a","b"]`, ""},
		{"enum shrinks", `,"enum":["a","b"]`, `,"enum":["a"]`, "/"},
		{"const to enum", `,"const":1`, `,"enum":[1,2]`, ""},
		{"bound tighter", `,"maximum":10`, `,"maximum":9.5`, "/maximum"},
		{"bound wider", `,"minLength":3`, `,"minLength":2`, ""},
		{"bound new", ``, `,"minItems":1`, "/minItems"},
		{"nested", `,"properties":{"a/b":{"properties":{"c":{"type":"integer"}}}}`, `,"properties":{"a/b":{"properties":{"c":{"type":"string"}}}}`, "/properties/a~1b/properties/c/type"},
		{"closed with all named", `,"properties":{"a":{}}`, `,"properties":{"a":{}},"additionalProperties":false`, ""},
		{"closed and one gone", `,"properties":{"a":{},"b":{}}`, `,"properties":{"a":{}},"additionalProperties":false`, "/additionalProperties"},
		{"items", `,"items":{"type":"string"}`, `,"items":{"type":"integer"}`, "/items/type"},
		{"pattern new", ``, `,"pattern":"x"`, "/pattern"},
		{"pattern dropped", `,"pattern":"x"`, ``, ""},
		{"anyOf differs", `,"anyOf":[{"type":"string"}]`, `,"anyOf":[{"type":"integer"}]`, "/anyOf"},
		{"reference", `,"$ref":"#/$defs/d","$defs":{"d":{"type":"string"}}`, `,"$ref":"#/$defs/d","$defs":{"d":{"type":"integer"}}`, "/type"},
		{"recursive", `,"properties":{"a":{"$ref":"#"}}`, `,"properties":{"a":{"$ref":"#"}},"required":["z"]`, "/required"},
	} {
		r, err := Load(files(map[string]string{"t/schema-v1.json": schemaDoc("1", c.v1), "t/schema-v2.json": schemaDoc("2", c.v2)}), false)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := r.Compatible()
		if c.where == "" && len(got) > 0 {
			t.Errorf("%s: %v", c.name, got)
		}
		if c.where != "" && (len(got) == 0 || got[0].Path != c.where) {
			t.Errorf("%s: %v, want a problem at %s", c.name, got, c.where)
		}
	}
}
