package event_test

import (
	"testing"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

// headers makes Kafka headers of names and values in turn.
func headers(s ...string) (out []event.Header) {
	for i := 0; i < len(s); i += 2 {
		out = append(out, event.Header{Name: s[i], Value: []byte(s[i+1])})
	}
	return out
}

// binaryHead are the required attributes, and more headers.
func binaryHead(more ...string) []event.Header {
	return append(headers("ce_specversion", "1.0", "ce_id", "1", "ce_source", "/s", "ce_type", "t"), headers(more...)...)
}

const binaryJSON = `"specversion":"1.0","id":"1","source":"/s","type":"t"`

func TestFromKafka(t *testing.T) {
	each(t, map[string]struct {
		value   string
		headers []event.Header
		want    string
	}{
		"structured":             {head + "}", headers("content-type", "application/cloudevents+json; charset=UTF-8"), head + "}"},
		"structured, upper case": {head + "}", headers("Content-Type", "Application/CloudEvents+JSON"), head + "}"},
		"structured, with ce_":   {head + "}", append(headers("content-type", event.ContentTypeJSON), headers("ce_id", "other")...), head + "}"},
		"no format named":        {head + "}", headers("content-type", "application/cloudevents"), head + "}"},
		"console producer":       {" " + head + "}\n", nil, head + "}"},
		"object of a JSON type":  {head + "}", headers("content-type", "application/json"), head + "}"},
		"other headers":          {head + "}", headers("traceparent", "00-", "\xff", "\xff"), head + "}"},

		"JSON":               {` {"a": 1} `, binaryHead("content-type", "application/json"), `{"datacontenttype":"application/json",` + binaryJSON + `,"data": {"a": 1} }`},
		"JSON suffix":        {`1`, binaryHead("content-type", "text/x+json;a=b"), `{"datacontenttype":"text/x+json;a=b",` + binaryJSON + `,"data":1}`},
		"no type, JSON":      {`"x"`, binaryHead(), `{` + binaryJSON + `,"data":"x"}`},
		"no type, text":      {`hi`, binaryHead(), `{` + binaryJSON + `,"data_base64":"aGk="}`},
		"no type, bytes":     {"\"\xff\"", binaryHead(), `{` + binaryJSON + `,"data_base64":"Iv8i"}`},
		"no type, members":   {`1,"a":2`, binaryHead(), `{` + binaryJSON + `,"data_base64":"MSwiYSI6Mg=="}`},
		"other type":         {`{}`, binaryHead("content-type", "text/plain"), `{"datacontenttype":"text/plain",` + binaryJSON + `,"data_base64":"e30="}`},
		"other type, empty":  {``, binaryHead("content-type", "text/plain"), `{"datacontenttype":"text/plain",` + binaryJSON + `,"data_base64":""}`},
		"JSON type, empty":   {``, binaryHead("content-type", "application/json"), `{"datacontenttype":"application/json",` + binaryJSON + `}`},
		"upper-case headers": {`1`, append(headers("CE_ID", "1", "Ce_Source", "/s", "ce_Type", "t", "ce_specversion", "1.0"), headers("CONTENT-TYPE", "x/json")...), `{"datacontenttype":"x/json","id":"1","source":"/s","type":"t","specversion":"1.0","data":1}`},
		"quotes":             {`1`, binaryHead("ce_subject", `a"\b`), `{` + binaryJSON + `,"subject":"a\"\\b","data":1}`},
		"type said twice":    {`1`, binaryHead("content-type", "x/json", "ce_datacontenttype", "x/json", "content-type", "x/json"), `{"datacontenttype":"x/json",` + binaryJSON + `,"data":1}`},
		"type as attribute":  {`1`, binaryHead("ce_datacontenttype", "x/json"), `{` + binaryJSON + `,"datacontenttype":"x/json","data":1}`},
	}, func(t *testing.T, c struct {
		value   string
		headers []event.Header
		want    string
	}) {
		e, err := event.FromKafka([]byte(c.value), c.headers)
		if err != nil {
			t.Fatal(err)
		}
		assertSame(t, e, mustParse(t, c.want))
	})
}

func TestFromKafkaTombstone(t *testing.T) {
	for _, contentType := range []string{"application/json", "text/plain"} {
		e, err := event.FromKafka(nil, binaryHead("content-type", contentType))
		if err != nil {
			t.Fatal(err)
		}
		if e.Bytes() != nil {
			t.Errorf("%s: payload %q", contentType, e.Bytes())
		}
		if _, value, _ := e.ToKafkaBinary(); value != nil {
			t.Errorf("%s: a tombstone came back as %q", contentType, value)
		}
	}
	_, err := event.FromKafka(nil, nil)
	assertReason(t, err, fault.NotJSON)
}

func TestFromKafkaRefuses(t *testing.T) {
	each(t, map[string]struct {
		value   string
		headers []event.Header
		want    fault.Reason
	}{
		"avro":                     {"x", headers("content-type", "application/cloudevents+avro"), fault.UnsupportedContent},
		"batch":                    {"[]", headers("content-type", event.ContentTypeBatch), fault.UnsupportedContent},
		"not for us":               {"x", headers("content-type", "text/plain"), fault.UnsupportedContent},
		"garbage":                  {"x", nil, fault.NotJSON},
		"some other object":        {`{"a":1}`, nil, fault.NotCloudEvent},
		"structured, no JSON":      {"x", headers("content-type", event.ContentTypeJSON), fault.NotJSON},
		"attribute twice":          {"1", binaryHead("ce_a", "1", "ce_a", "1"), fault.DuplicateAttribute},
		"twice, other case":        {"1", binaryHead("CE_ID", "1"), fault.DuplicateAttribute},
		"two content types":        {"1", binaryHead("content-type", "a/json", "content-type", "b/json"), fault.DuplicateAttribute},
		"two content types, ce_":   {"1", binaryHead("content-type", "a/json", "ce_datacontenttype", "b/json"), fault.DuplicateAttribute},
		"attribute data":           {"1", binaryHead("ce_data", "1"), fault.BadAttribute},
		"attribute data_base64":    {"1", binaryHead("ce_data_base64", "1"), fault.BadAttribute},
		"name with a quote":        {"1", binaryHead(`ce_a":1,"b`, "1"), fault.BadAttribute},
		"empty name":               {"1", binaryHead("ce_", "1"), fault.BadAttribute},
		"long name":                {"1", binaryHead("ce_"+long(65), "1"), fault.BadAttribute},
		"no id":                    {"1", headers("ce_specversion", "1.0", "ce_source", "/s", "ce_type", "t"), fault.MissingAttribute},
		"empty id":                 {"1", headers("ce_specversion", "1.0", "ce_id", "", "ce_source", "/s", "ce_type", "t"), fault.MissingAttribute},
		"wrong specversion":        {"1", headers("ce_specversion", "0.3", "ce_id", "1", "ce_source", "/s", "ce_type", "t"), fault.BadSpecVersion},
		"header not UTF-8":         {"1", binaryHead("ce_subject", "\xff"), fault.InvalidUTF8},
		"header with NUL":          {"1", binaryHead("ce_subject", "a\x00"), fault.ControlCharacter},
		"bad time":                 {"1", binaryHead("ce_time", "noon"), fault.InvalidTime},
		"long id":                  {"1", headers("ce_specversion", "1.0", "ce_id", long(10<<10), "ce_source", "/s", "ce_type", "t"), fault.AttributeTooLong},
		"JSON type, no JSON":       {"hi", binaryHead("content-type", "application/json"), fault.InvalidData},
		"JSON type, two values":    {"1 2", binaryHead("content-type", "application/json"), fault.InvalidData},
		"JSON type, members":       {`1,"a":2`, binaryHead("content-type", "application/json"), fault.InvalidData},
		"JSON type, attributes":    {`1,"id":"2"`, binaryHead("content-type", "application/json"), fault.InvalidData},
		"JSON type, end of object": {`1}`, binaryHead("content-type", "application/json"), fault.InvalidData},
		"JSON type, bad UTF-8":     {"\"\xff\"", binaryHead("content-type", "application/json"), fault.InvalidUTF8},
		"JSON type, deep":          {nested(513), binaryHead("content-type", "application/json"), fault.TooDeep},
		"no type, deep":            {nested(513), binaryHead(), fault.TooDeep},
	}, func(t *testing.T, c struct {
		value   string
		headers []event.Header
		want    fault.Reason
	}) {
		_, err := event.FromKafka([]byte(c.value), c.headers)
		assertReason(t, err, c.want)
	})
}

func TestToKafka(t *testing.T) {
	e := mustParse(t, head+`,"partitionkey":"p","size":5,"none":null,"data":{"a":1}}`)
	key, value, h := e.ToKafka()
	if string(key) != "p" || string(value) != string(e.JSON()) || len(h) != 1 || h[0].Name != "content-type" || string(h[0].Value) != event.ContentTypeJSON {
		t.Errorf("key %q, value %s, headers %q", key, value, h)
	}
	back, err := event.FromKafka(value, h)
	if err != nil {
		t.Fatal(err)
	}
	assertSame(t, back, e)

	key, value, h = e.ToKafkaBinary()
	if string(key) != "p" || string(value) != `{"a":1}` {
		t.Errorf("key %q, value %s", key, value)
	}
	back, err = event.FromKafka(value, h)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"datacontenttype":"application/json",` + binaryJSON + `,"partitionkey":"p","size":"5","data":{"a":1}}`
	assertSame(t, back, mustParse(t, want))
	bare := mustParse(t, head+"}")
	if key, _, _ := bare.ToKafka(); key != nil {
		t.Errorf("key %q of an event without partitionkey", key)
	}
}
