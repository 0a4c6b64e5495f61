package event_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	sdk "github.com/cloudevents/sdk-go/v2/event"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/eventtest"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

// seeds are events and near-events.
func seeds() (in []string) {
	for _, c := range refusals {
		in = append(in, c.in)
	}
	in = append(in, slices.Collect(maps.Values(accepted))...)
	for _, e := range eventtest.JSON(3, 4, 600) {
		in = append(in, string(e))
	}
	return slices.DeleteFunc(in, func(s string) bool { return len(s) > 4096 })
}

// FuzzParse holds Parse against encoding/json and against the SDK.
func FuzzParse(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		e, err := event.Parse(in)
		if !bytes.Equal(in, before) {
			t.Fatal("Parse wrote to its input")
		}
		if err != nil {
			checkRefusal(t, in, err)
			return
		}
		checkEvent(t, in, e)
		checkChanges(t, e)
	})
}

// checkEvent checks an accepted event against encoding/json.
func checkEvent(t fataler, in []byte, e event.Event) {
	t.Helper()
	if !json.Valid(in) || !utf8.Valid(in) {
		t.Fatalf("accepted %q, which is not JSON", in)
	}
	if !bytes.Equal(e.JSON(), bytes.Trim(in, " \t\r\n")) {
		t.Fatalf("JSON is %q of %q", e.JSON(), in)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(in, &members); err != nil {
		t.Fatalf("%v", err)
	}
	want := map[string]string{}
	for name, raw := range members {
		switch {
		case name == "data", name == "data_base64", raw[0] == 'n':
		case raw[0] == '"':
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				t.Fatalf("%v", err)
			}
			want[name] = s
		case raw[0] == 't', raw[0] == 'f':
			want[name] = string(raw)
		default:
			n, err := strconv.ParseInt(string(raw), 10, 32)
			if err != nil {
				t.Fatalf("accepted %s = %s", name, raw)
			}
			want[name] = strconv.FormatInt(n, 10)
		}
	}
	if got := attributes(&e); !maps.Equal(got, want) {
		t.Fatalf("attributes are %q, encoding/json has %q", got, want)
	}
	if !bytes.Equal(e.Data(), members["data"]) {
		t.Fatalf("data is %q, encoding/json has %q", e.Data(), members["data"])
	}
	if b64 := members["data_base64"]; b64 != nil && b64[0] == '"' {
		var p []byte
		if err := json.Unmarshal(b64, &p); err != nil || !bytes.Equal(p, e.Bytes()) {
			t.Fatalf("payload is %q, encoding/json has %q, %v", e.Bytes(), p, err)
		}
	}
	named := map[string]string{"id": e.ID(), "source": e.Source(), "type": e.Type(), "subject": e.Subject(), "datacontenttype": e.ContentType(),
		"dataschema": e.Schema(), "tenantid": e.Tenant(), "partitionkey": e.PartitionKey(), "traceparent": e.TraceParent(),
		"userid": e.User(), "priority": e.Priority()}
	for name, got := range named {
		if got != want[name] {
			t.Fatalf("%s is %q, want %q", name, got, want[name])
		}
	}
	if at, err := time.Parse(time.RFC3339, want["time"]); err == nil && !at.Equal(e.Time()) {
		t.Fatalf("time %s is %s, package time has %s", want["time"], e.Time(), at)
	}
}

// checkChanges checks that what is made of a valid event is valid and says the same.
func checkChanges(t fataler, e event.Event) {
	t.Helper()
	assertSame(t, mustParse(t, string(e.JSON())), e)
	stamped := e.Stamp(1764000000123)
	assertSame(t, mustParse(t, string(stamped.JSON())), stamped)
	if stamped.Received().UnixMilli() != 1764000000123 {
		t.Fatalf("received is %s", stamped.Received())
	}
	edited := mustBuild(t, e.Edit().Set("userid", "me"))
	got, want := attributes(&edited), attributes(&e)
	want["userid"] = "me"
	if !maps.Equal(got, want) || !bytes.Equal(edited.Bytes(), e.Bytes()) {
		t.Fatalf("edited %s is %s", e.JSON(), edited.JSON())
	}
	_, value, headers := e.ToKafkaBinary()
	back, err := event.FromKafka(value, headers)
	if err != nil {
		t.Fatalf("as a Kafka record: %v", err)
	}
	if !bytes.Equal(back.Bytes(), e.Bytes()) || back.Key() != e.Key() {
		t.Fatalf("%s came back from Kafka as %s", e.JSON(), back.JSON())
	}
	mustBuild(t, event.New(e.Source(), e.DeriveID(3), e.Type()))
}

// stricter are the rules in which Millrace goes beyond the SDK: limits, and what the
// specification says and the SDK does not check.
var stricter = []fault.Reason{
	fault.BadAttribute, fault.DuplicateAttribute, fault.AttributeTooLong, fault.ControlCharacter, fault.TooDeep, fault.InvalidData,
}

// rfc3339 is the grammar, which the SDK and time.Parse extend: by a decimal comma, an hour
// of one digit, a zone of 24 hours.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[-+]([01]\d|2[0-3]):[0-5]\d)$`)

// checkRefusal checks that a refusal has a reason, and one that holds.
func checkRefusal(t fataler, in []byte, err error) {
	t.Helper()
	reason := fault.ReasonOf(err)
	if !reason.Known() || reason == fault.Unknown || fault.KindOf(err) != fault.Permanent {
		t.Fatalf("%q was refused without a reason: %v", in, err)
	}
	if len(err.Error()) > 300 {
		t.Fatalf("an error text of %d bytes", len(err.Error()))
	}
	valid := json.Valid(in)
	switch {
	case reason == fault.NotJSON && valid && len(in) < 10000: // encoding/json has a limit of depth
		t.Fatalf("%q is JSON, but %v", in, err)
	case reason == fault.InvalidUTF8 && utf8.Valid(in):
		t.Fatalf("%q is UTF-8, but %v", in, err)
	case !valid || !utf8.Valid(in) || slices.Contains(stricter, reason):
		return
	}
	var e sdk.Event
	if json.Unmarshal(in, &e) != nil || e.Validate() != nil || e.SpecVersion() != sdk.CloudEventsVersionV1 {
		return
	}
	if reason == fault.InvalidTime {
		var m map[string]any
		_ = json.Unmarshal(in, &m)
		if s, ok := m["time"].(string); !ok || !rfc3339.MatchString(s) {
			return
		}
	}
	t.Fatalf("the SDK accepts %q, but %v", in, err)
}

// FuzzParseBatch holds ParseBatch against Parse and encoding/json.
func FuzzParseBatch(f *testing.F) {
	all := seeds()
	for i, s := range all {
		f.Add([]byte("[" + s + "]"))
		f.Add([]byte(" [" + s + "," + all[(i+1)%len(all)] + "]"))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		items, err := event.ParseBatch(in)
		if err != nil {
			if items != nil {
				t.Fatal("an error and items")
			}
			var raw []json.RawMessage
			if json.Unmarshal(in, &raw) == nil && raw != nil {
				t.Fatalf("%q is an array, but %v", in, err)
			}
			return
		}
		for _, it := range items {
			e, err := event.Parse(it.Raw)
			if fault.ReasonOf(err) != fault.ReasonOf(it.Err) || (err == nil) != (it.Err == nil) {
				t.Fatalf("%q: %v in the batch, %v alone", it.Raw, it.Err, err)
			}
			if err == nil {
				assertSame(t, it.Event, e)
			}
		}
		var raw []json.RawMessage
		if json.Unmarshal(in, &raw) != nil { // control characters in an attribute are that item's matter
			if !slices.ContainsFunc(items, func(it event.Item) bool {
				return fault.ReasonOf(it.Err) == fault.ControlCharacter || !json.Valid(it.Raw)
			}) {
				t.Fatalf("%q is no array of JSON, but every item is", in)
			}
			return
		}
		if len(raw) != len(items) {
			t.Fatalf("%d items, encoding/json has %d", len(items), len(raw))
		}
		for i := range raw {
			if !bytes.Equal(raw[i], items[i].Raw) {
				t.Fatalf("item %d is %q, encoding/json has %q", i, items[i].Raw, raw[i])
			}
		}
	})
}

// FuzzFromKafka checks binary mode: an accepted record says what its headers say, and
// its value is the payload.
func FuzzFromKafka(f *testing.F) {
	f.Add([]byte(`{"a":1}`), "application/json", "subject", "x")
	f.Add([]byte(`1,"id":"2"`), "application/json", "id", `"`)
	f.Add([]byte(`1,"a":2`), "", "data", "\\")
	f.Add([]byte("\xff"), "", "time", "2026-11-24T00:00:00Z")
	f.Add([]byte(head+"}"), "application/cloudevents+json", "a", "\x00")
	f.Add([]byte(`1}`), "x/y+json; q=1", "datacontenttype", "x/y+json; q=1")
	f.Fuzz(func(t *testing.T, value []byte, contentType, name, attribute string) {
		h := []event.Header{{Name: "ce_specversion", Value: []byte("1.0")}, {Name: "ce_id", Value: []byte("1")},
			{Name: "ce_source", Value: []byte("/s")}, {Name: "ce_type", Value: []byte("t")}, {Name: "ce_" + name, Value: []byte(attribute)}}
		if contentType != "" {
			h = append(h, event.Header{Name: "content-type", Value: []byte(contentType)})
		}
		e, err := event.FromKafka(value, h)
		if err != nil {
			if !fault.ReasonOf(err).Known() || fault.KindOf(err) != fault.Permanent {
				t.Fatalf("refused without a reason: %v", err)
			}
			return
		}
		if len(contentType) >= 23 && strings.EqualFold(contentType[:23], "application/cloudevents") {
			assertSame(t, e, mustParse(t, string(value)))
			return
		}
		want := map[string]string{"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
		want[strings.ToLower(name)] = attribute
		if contentType != "" {
			want["datacontenttype"] = contentType
		}
		if got := attributes(&e); !maps.Equal(got, want) {
			t.Fatalf("attributes are %q, want %q", got, want)
		}
		if got := e.Bytes(); !bytes.Equal(bytes.TrimSpace(got), bytes.TrimSpace(value)) {
			t.Fatalf("payload is %q, want %q", got, value)
		}
		checkEvent(t, e.JSON(), e)
		checkChanges(t, e)
	})
}

// FuzzFromHTTP checks that binary mode undoes the encoding of the specification, and
// that any request is either refused with a reason or makes valid events.
func FuzzFromHTTP(f *testing.F) {
	f.Add([]byte("{}"), "application/json", "subject", "Euro € 😀")
	f.Add([]byte("hi"), "", "a", `"quoted \" 100% "`)
	f.Add([]byte("["+head+"},{}]"), "application/cloudevents-batch+json", "a", "b")
	f.Add([]byte(head+"}"), "application/cloudevents+json", "a", "b")
	f.Fuzz(func(t *testing.T, body []byte, contentType, name, attribute string) {
		h := httpHead("ce-"+name, percentEncode(attribute), "content-type", contentType)
		items, err := event.FromHTTP(h, body)
		if err != nil {
			if !fault.ReasonOf(err).Known() || fault.KindOf(err) != fault.Permanent {
				t.Fatalf("refused without a reason: %v", err)
			}
			return
		}
		for _, it := range items {
			if it.Err == nil {
				checkEvent(t, it.Event.JSON(), it.Event)
			}
		}
		if len(contentType) >= 23 && strings.EqualFold(contentType[:23], "application/cloudevents") {
			return
		}
		if got, ok := items[0].Event.Attr(name); len(items) != 1 || !ok || got != attribute {
			t.Fatalf("%s is %q, want %q", name, got, attribute)
		}
		h["ce-"+name] = attribute // not encoded, as older producers send it: no panic, no nonsense
		if items, err = event.FromHTTP(h, body); err == nil {
			checkEvent(t, items[0].Event.JSON(), items[0].Event)
		}
	})
}

// percentEncode is section 3.1.3.2 of the HTTP binding.
func percentEncode(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c > 0x20 && c < 0x7f && c != '"' && c != '%' {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + strings.ToUpper(strconv.FormatInt(0x100+int64(c), 16)[1:]))
		}
	}
	return b.String()
}
