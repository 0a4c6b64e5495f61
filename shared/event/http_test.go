package event_test

import (
	"maps"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

// request headers by lower-case name: the required attributes, and more.
func httpHead(more ...string) map[string]string {
	m := map[string]string{"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t", "host": "x", "content-length": "1"}
	for i := 0; i < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

func TestFromHTTP(t *testing.T) {
	structured := map[string]string{"content-type": "application/cloudevents+json; charset=utf-8", "ce-id": "ignored"}
	each(t, map[string]struct {
		headers map[string]string
		body    string
		want    map[string]string
		payload string
	}{
		"structured": {structured, head + `,"data":1}`, nil, "1"},
		"binary":     {httpHead("content-type", "application/json"), `{"a": 1}`, map[string]string{"datacontenttype": "application/json"}, `{"a": 1}`},
		"text":       {httpHead("content-type", "text/plain"), "hi", map[string]string{"datacontenttype": "text/plain"}, "hi"},
		"no data":    {httpHead("content-type", "text/plain"), "", map[string]string{"datacontenttype": "text/plain"}, ""},
		"escapes":    {httpHead("ce-subject", "Euro%20%E2%82%AC%20%F0%9F%98%80"), "", map[string]string{"subject": "Euro € 😀"}, ""},
		"needless":   {httpHead("ce-subject", "%61%2d%2D"), "", map[string]string{"subject": "a--"}, ""},
		"one round":  {httpHead("ce-subject", "%2541"), "", map[string]string{"subject": "%41"}, ""},
		"no escape":  {httpHead("ce-subject", "100% %zz %4"), "", map[string]string{"subject": "100% %zz %4"}, ""},
		"quoted":     {httpHead("ce-subject", ` "a \"b\" \\ %41" `), "", map[string]string{"subject": `a "b" \ A`}, ""},
		"one quote":  {httpHead("ce-subject", `"`), "", map[string]string{"subject": `"`}, ""},
		"raw UTF-8":  {httpHead("ce-subject", "é"), "", map[string]string{"subject": "é"}, ""},
	}, func(t *testing.T, c struct {
		headers map[string]string
		body    string
		want    map[string]string
		payload string
	}) {
		items, err := event.FromHTTP(c.headers, []byte(c.body))
		if err != nil || len(items) != 1 || items[0].Err != nil {
			t.Fatalf("%v, %v", err, items)
		}
		e := items[0].Event
		want := map[string]string{"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
		maps.Copy(want, c.want)
		if got := attributes(&e); !maps.Equal(got, want) {
			t.Errorf("attributes are %q, want %q", got, want)
		}
		if string(e.Bytes()) != c.payload {
			t.Errorf("payload is %q, want %q", e.Bytes(), c.payload)
		}
	})
}

func TestFromHTTPRefuses(t *testing.T) {
	contentType := func(s string) map[string]string { return map[string]string{"content-type": s} }
	each(t, map[string]struct {
		headers map[string]string
		body    string
		want    fault.Reason
	}{
		"nothing":             {nil, "", fault.UnsupportedContent},
		"JSON without ce-":    {contentType("application/json"), head + "}", fault.UnsupportedContent},
		"form":                {contentType("application/x-www-form-urlencoded"), "a=b", fault.UnsupportedContent},
		"other format":        {contentType("application/cloudevents+xml"), "<x/>", fault.UnsupportedContent},
		"other batch":         {contentType("application/cloudevents-batch+avro"), "", fault.UnsupportedContent},
		"structured, no JSON": {contentType(event.ContentTypeJSON), "x", fault.NotJSON},
		"structured, empty":   {contentType(event.ContentTypeJSON), "", fault.NotJSON},
		"batch, no JSON":      {contentType(event.ContentTypeBatch), "[{]", fault.NotJSON},
		"batch, no array":     {contentType(event.ContentTypeBatch), head + "}", fault.NotCloudEvent},
		"no id":               {map[string]string{"ce-specversion": "1.0", "ce-source": "/s", "ce-type": "t"}, "", fault.MissingAttribute},
		"overlong UTF-8":      {httpHead("ce-subject", "%C0%A0"), "", fault.InvalidUTF8},
		"raw, no UTF-8":       {httpHead("ce-subject", "\xe9"), "", fault.InvalidUTF8},
		"escaped NUL":         {httpHead("ce-subject", "%00"), "", fault.ControlCharacter},
		"bad name":            {httpHead("ce-my_name", "x"), "", fault.BadAttribute},
		"upper-case name":     {httpHead("ce-Name", "x"), "", fault.BadAttribute},
		"data as attribute":   {httpHead("ce-data", "x"), "", fault.BadAttribute},
		"type twice":          {httpHead("ce-datacontenttype", "x/y", "content-type", "x/z"), "", fault.DuplicateAttribute},
		"JSON type, no JSON":  {httpHead("content-type", "application/json"), "hi", fault.InvalidData},
	}, func(t *testing.T, c struct {
		headers map[string]string
		body    string
		want    fault.Reason
	}) {
		items, err := event.FromHTTP(c.headers, []byte(c.body))
		assertReason(t, err, c.want)
		if items != nil {
			t.Errorf("and %d items", len(items))
		}
	})
}

func TestFromHTTPBatch(t *testing.T) {
	headers := map[string]string{"content-type": "application/cloudevents-batch+json; charset=utf-8"}
	items, err := event.FromHTTP(headers, []byte(`[`+head+`},`+head+`,"a":[]}]`))
	if err != nil || len(items) != 2 || items[0].Err != nil {
		t.Fatalf("%v, %v", err, items)
	}
	assertReason(t, items[1].Err, fault.BadAttribute)
}
