package event_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	sdk "github.com/cloudevents/sdk-go/v2/event"
	sdkhttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	sdktest "github.com/cloudevents/sdk-go/v2/test"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/eventtest"
)

// The reference SDK is the oracle, both ways: it reads what we write, and we read what
// it writes.

// sdkRead has the SDK read an event in the JSON format.
func sdkRead(t fataler, b []byte) sdk.Event {
	t.Helper()
	var e sdk.Event
	if err := json.Unmarshal(b, &e); err != nil {
		t.Fatalf("the SDK does not read %s: %v", b, err)
	}
	if err := e.Validate(); err != nil {
		t.Fatalf("the SDK finds %s not valid: %v", b, err)
	}
	return e
}

// assertAgrees checks that e says what the SDK reads in the same event.
func assertAgrees(t fataler, e event.Event, want sdk.Event) {
	t.Helper()
	got := attributes(&e)
	if d := cmp.Diff(sdkAttributes(t, want), got); d != "" {
		t.Fatalf("attributes (-SDK +ours):\n%s", d)
	}
	if !e.Time().Equal(want.Time()) {
		t.Fatalf("time is %s, the SDK has %s", e.Time(), want.Time())
	}
	payload := e.Bytes()
	if isJSON := want.DataContentType() == "" || strings.HasSuffix(want.DataContentType(), "json"); isJSON && e.Data() != nil {
		assertSameJSON(t, payload, want.Data())
	} else if !bytes.Equal(payload, want.Data()) {
		t.Fatalf("payload is %q, the SDK has %q", payload, want.Data())
	}
}

// sdkAttributes are the attributes in canonical string form, time as it is written in
// UTC: the SDK does not keep how it was written.
func sdkAttributes(t fataler, e sdk.Event) map[string]string {
	t.Helper()
	m := map[string]string{"specversion": e.SpecVersion(), "id": e.ID(), "source": e.Source(), "type": e.Type()}
	for name, v := range map[string]string{"subject": e.Subject(), "datacontenttype": e.DataContentType(), "dataschema": e.DataSchema()} {
		if v != "" {
			m[name] = v
		}
	}
	if !e.Time().IsZero() {
		m["time"] = types.FormatTime(e.Time())
	}
	for name, v := range e.Extensions() {
		s, err := types.Format(v)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m[name] = s
	}
	return m
}

func assertSameJSON(t fataler, a, b []byte) {
	t.Helper()
	var x, y bytes.Buffer
	if err := json.Compact(&x, a); err != nil {
		t.Fatalf("%q: %v", a, err)
	}
	if err := json.Compact(&y, b); err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	if !bytes.Equal(x.Bytes(), y.Bytes()) {
		t.Fatalf("%s is not %s", a, b)
	}
}

// canonicalTime makes e's time look as the SDK writes it.
func canonicalTime(t fataler, e event.Event) event.Event {
	t.Helper()
	if e.Time().IsZero() {
		return e
	}
	return mustBuild(t, e.Edit().Set("time", types.FormatTime(e.Time())))
}

func TestSDKReadsOurs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := canonicalTime(t, drawEvent(t, sdkCompatible))
		assertAgrees(t, e, sdkRead(t, e.JSON()))
		stamped := e.Stamp(1764000000123)
		assertAgrees(t, stamped, sdkRead(t, stamped.JSON()))
	})
}

func TestWeReadTheSDK(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawSDKEvent(t)
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatalf("%v", err)
		}
		assertAgrees(t, mustParse(t, string(b)), want)
	})
}

func TestSDKSamples(t *testing.T) {
	for _, want := range append(sdktest.Events(), sdktest.FullEvent(), sdktest.MinEvent()) {
		if want.SpecVersion() != sdk.CloudEventsVersionV1 {
			continue
		}
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		e := mustParse(t, string(b))
		assertAgrees(t, canonicalTime(t, e), want)
		sdktest.AssertEventEquals(t, sdkRead(t, b), sdkRead(t, e.JSON()))
	}
}

func TestSDKGeneratedEvents(t *testing.T) {
	for _, b := range eventtest.JSON(7, 50, 900) {
		e := mustParse(t, string(b))
		assertAgrees(t, canonicalTime(t, e), sdkRead(t, b))
	}
}

// drawSDKEvent makes an event with the SDK's own setters.
func drawSDKEvent(t *rapid.T) sdk.Event {
	e := sdk.New()
	e.SetID(word().Draw(t, "id"))
	e.SetSource("/" + word().Draw(t, "source"))
	e.SetType(word().Draw(t, "type"))
	if rapid.Bool().Draw(t, "with optional attributes") {
		e.SetSubject(word().Draw(t, "subject"))
		e.SetTime(time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, "time")).UTC())
		e.SetDataSchema("https://x.example/" + word().Draw(t, "schema"))
		e.SetExtension("tenantid", word().Draw(t, "tenant"))
		e.SetExtension("number", rapid.Int32().Draw(t, "number"))
		e.SetExtension("flag", rapid.Bool().Draw(t, "flag"))
		e.SetExtension("binary", rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "binary"))
	}
	var err error
	switch rapid.IntRange(0, 3).Draw(t, "data") {
	case 1:
		err = e.SetData("application/json", map[string]any{"a": word().Draw(t, "a"), "n": rapid.Int().Draw(t, "n")})
	case 2:
		err = e.SetData("application/octet-stream", rapid.SliceOfN(rapid.Byte(), 1, 50).Draw(t, "bytes"))
	case 3:
		err = e.SetData("text/plain", word().Draw(t, "text"))
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return e
}

// word draws what every binding of the SDK can carry: it does not percent-encode.
func word() *rapid.Generator[string] { return rapid.StringMatching(`[A-Za-z0-9._~-]{1,20}`) }

// request is what an HTTP server hands to FromHTTP.
func request(t fataler, r *http.Request) (map[string]string, []byte) {
	t.Helper()
	headers := map[string]string{}
	for name, v := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(v, ",")
	}
	if r.Body == nil {
		return headers, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return headers, body
}

func TestHTTPOfTheSDK(t *testing.T) {
	structured := binding.WithForceStructured(context.Background())
	rapid.Check(t, func(t *rapid.T) {
		want := drawSDKEvent(t)
		for mode, ctx := range map[string]context.Context{"binary": context.Background(), "structured": structured} {
			r, err := sdkhttp.NewHTTPRequestFromEvent(ctx, "http://localhost/", want)
			if err != nil {
				t.Fatalf("%s: %v", mode, err)
			}
			headers, body := request(t, r)
			items, err := event.FromHTTP(headers, body)
			if err != nil || len(items) != 1 {
				t.Fatalf("%s: %v, %d events", mode, err, len(items))
			}
			assertAgrees(t, items[0].Event, want)
		}
	})
}

func TestHTTPBatchOfTheSDK(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := make([]sdk.Event, rapid.IntRange(0, 5).Draw(t, "events"))
		for i := range want {
			want[i] = drawSDKEvent(t)
		}
		r, err := sdkhttp.NewHTTPRequestFromEvents(context.Background(), "http://localhost/", want)
		if err != nil {
			t.Fatalf("%v", err)
		}
		headers, body := request(t, r)
		items, err := event.FromHTTP(headers, body)
		if err != nil || len(items) != len(want) {
			t.Fatalf("%v, %d events of %d", err, len(items), len(want))
		}
		for i := range want {
			if items[i].Err != nil {
				t.Fatalf("%d: %v", i, items[i].Err)
			}
			assertAgrees(t, items[i].Event, want[i])
		}
	})
}

// kafkaRecord writes an event of the SDK by the Kafka binding in binary mode, by hand:
// the SDK's own Kafka modules are not dependencies of this one.
func kafkaRecord(t fataler, e sdk.Event) (value []byte, headers []event.Header) {
	for name, v := range sdkAttributes(t, e) {
		if name == "datacontenttype" {
			headers = append(headers, event.Header{Name: "content-type", Value: []byte(v)})
		} else {
			headers = append(headers, event.Header{Name: "ce_" + name, Value: []byte(v)})
		}
	}
	return e.Data(), headers
}

func TestKafkaOfTheSDK(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawSDKEvent(t)
		value, headers := kafkaRecord(t, want)
		e, err := event.FromKafka(value, headers)
		if err != nil {
			t.Fatalf("binary: %v", err)
		}
		assertAgrees(t, e, want)

		b, err := json.Marshal(want)
		if err != nil {
			t.Fatalf("%v", err)
		}
		e, err = event.FromKafka(b, []event.Header{{Name: "content-type", Value: []byte("application/cloudevents+json; charset=UTF-8")}})
		if err != nil {
			t.Fatalf("structured: %v", err)
		}
		assertAgrees(t, e, want)
	})
}

// A Kafka record of ours is, but for its prefix, an HTTP request that the SDK reads.
func TestSDKReadsOurRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := canonicalTime(t, drawEvent(t, sdkCompatible))
		_, value, headers := e.ToKafkaBinary()
		r, _ := http.NewRequest(http.MethodPost, "http://localhost/", bytes.NewReader(value))
		for _, h := range headers {
			r.Header.Set(strings.Replace(h.Name, "ce_", "ce-", 1), string(h.Value))
		}
		got, err := sdkhttp.NewEventFromHTTPRequest(r)
		if err != nil {
			t.Fatalf("%v", err)
		}
		if e.ContentType() == "" && e.Data() != nil { // section 3.1.2 of the JSON format
			e = mustBuild(t, e.Edit().Set("datacontenttype", "application/json"))
		}
		if d := cmp.Diff(sdkAttributes(t, *got), attributes(&e)); d != "" {
			t.Fatalf("attributes (-SDK +ours):\n%s", d)
		}
		if !bytes.Equal(got.Data(), e.Bytes()) {
			t.Fatalf("payload is %q, the SDK has %q", e.Bytes(), got.Data())
		}

		key, value, headers := e.ToKafka()
		if string(key) != e.PartitionKey() || len(headers) != 1 {
			t.Fatalf("key %q, headers %v", key, headers)
		}
		assertAgrees(t, e, sdkRead(t, value))
	})
}
