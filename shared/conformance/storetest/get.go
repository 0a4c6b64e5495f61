package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// oddEvents are valid events that stores have been known to change.
func oddEvents() map[string]string {
	const head = `{"specversion":"1.0","type":"odd","source":"/odd",`
	return map[string]string{
		"unicode":            head + `"id":"größe-🚀","subject":"日本/東京","data":{"ключ":"значение","emoji":"👩‍⚕️","escaped":"\u00e9\ud83d\ude00"}}`,
		"escaped attributes": head + `"id":"a\"b\\c\/d","tenantid":"\u00fc"}`,
		"white space":        "{ \"specversion\" : \"1.0\" ,\n\t\"id\":\"spaces\", \"source\":\"/odd\" , \"type\":\"odd\", \"data\" : [ 1 , 2 ] }",
		"member order":       `{"data":{"z":1,"a":2},"zext":"z","type":"odd","id":"order","aext":"a","source":"/odd","specversion":"1.0"}`,
		"data_base64":        head + `"id":"b64","datacontenttype":"application/octet-stream","data_base64":"AAH/gP8="}`,
		"null data":          head + `"id":"null","data":null}`,
		"string data":        head + `"id":"string","datacontenttype":"text/plain","data":"line\nline"}`,
		"no data":            head + `"id":"nodata"}`,
		"unknown extensions": head + `"id":"ext","comacmeflag":true,"comacmecount":42,"comacmetext":"x","data":1}`,
		"dots and dollars":   head + `"id":"fields","data":{"a.b":{"$set":1,"":{"$where":"x"},"$":2,"_id":3,"a.b":4}}}`,
		"64-bit integers":    head + `"id":"ints","data":[9007199254740993,9223372036854775807,-9223372036854775808,18446744073709551615,123456789012345678901234567890]}`,
		"decimals":           head + `"id":"decimals","data":[1.0,1.10,1e400,0.1000000000000000055511151231257827,-0,1E+2]}`,
		"id of a path":       head + `"id":"2013-01-01/UA/1545/EWR/0515"}`,
		"id of dots":         head + `"id":"$a.b.$c..d."}`,
		"id of a number":     head + `"id":"007"}`,
		"id of spaces":       head + `"id":" a  b "}`,
		"id in a URL":        head + `"id":"a%2Fb?c=d&e#f+g"}`,
		"long id":            head + `"id":"` + strings.Repeat("i", event.MaxIDBytes) + `"}`,
		"long id, same head": head + `"id":"` + strings.Repeat("i", event.MaxIDBytes-1) + `j"}`,
		"long source":        `{"specversion":"1.0","type":"odd","id":"src","source":"urn:` + strings.Repeat("s", event.MaxSourceBytes-4) + `"}`,
		"long attributes":    head + `"id":"attrs","subject":"` + strings.Repeat("s", 4000) + `","tenantid":"` + strings.Repeat("t", 4000) + `"}`,
		"1 MB":               head + `"id":"1mb","data":{"text":"` + strings.Repeat("0123456789abcdef", 1<<16) + `"}}`,
		"old":                head + `"id":"old","time":"0001-01-02T00:00:00Z"}`,
		"far future":         head + `"id":"future","time":"9999-12-31T23:59:59.999999999Z"}`,
		"time zone":          head + `"id":"zone","time":"2026-01-01T00:30:00.123456789+05:45"}`,
		"duplicate members":  head + `"id":"dup","data":{"a":1,"a":2}}`,
	}
}

// getByteForByte: every event comes back as it was, through a handle opened later,
// alone and in a listing.
func getByteForByte(t *testing.T, open Opener) {
	ctx, w := testContext(t), handle(t, open, Options{Aggregate: func(string) bool { return true }})
	events := make(map[event.Key]string)
	var batch []event.Event
	for _, s := range oddEvents() {
		e := parse(t, []byte(s))
		events[e.Key()] = s
		batch = append(batch, e)
	}
	for _, source := range []string{"/odd", "/odd/", "/ODD"} { // one id of three sources
		s := fmt.Sprintf(`{"specversion":"1.0","type":"odd","source":%q,"id":"same","data":%q}`, source, source)
		e := parse(t, []byte(s))
		events[e.Key()] = s
		batch = append(batch, e)
	}
	if fresh := write(ctx, t, w, batch); fresh != len(events) {
		t.Fatalf("%d of %d distinct events counted as new", fresh, len(events))
	}
	r := handle(t, open, Options{})
	for key, want := range events {
		if got := get(ctx, t, r, key); string(got.Event.JSON()) != want {
			t.Errorf("Get(%.80q):\n got %.300s\nwant %.300s", key, got.Event.JSON(), want)
		}
	}
	listed := listAll(ctx, t, r, store.Filter{}, 5)
	if len(listed) != len(events) {
		t.Errorf("%d events listed, want %d", len(listed), len(events))
	}
	for i := range listed {
		if e := &listed[i].Event; string(e.JSON()) != events[e.Key()] {
			t.Errorf("List: %.80q came as %.300s", e.Key(), e.JSON())
		}
	}
}

func getByIDAlone(t *testing.T, open Opener) {
	ctx, s := testContext(t), handle(t, open, Options{})
	write(ctx, t, s, batchOf(t, spec{ID: "one", Source: "/a"}, spec{ID: "two", Source: "/a"}, spec{ID: "two", Source: "/b"}))
	acquire(ctx, t, s, store.LeaseRequest{Event: spec{ID: "leased", Source: "/a"}.event(t), Owner: "o", Until: start.Add(time.Minute)})
	acquire(ctx, t, s, store.LeaseRequest{Event: spec{ID: "one", Source: "/a"}.event(t), Owner: "o", Until: start.Add(time.Minute)})

	for _, id := range []string{"one", "leased"} {
		if got := get(ctx, t, s, event.Key{ID: id}); got.Event.Key() != (event.Key{Source: "/a", ID: id}) {
			t.Errorf("Get of id %q: %v", id, got.Event.Key())
		}
	}
	notFound := func(k event.Key, want error) {
		t.Helper()
		if _, err := s.Get(ctx, k); !errors.Is(err, want) {
			t.Errorf("Get(%v): %v, want %v", k, err, want)
		}
	}
	notFound(event.Key{ID: "two"}, store.ErrAmbiguous)
	notFound(event.Key{ID: "none"}, store.ErrNotFound)
	notFound(event.Key{ID: "tw"}, store.ErrNotFound)
	notFound(event.Key{ID: "one", Source: "/b"}, store.ErrNotFound)
	notFound(event.Key{ID: "one", Source: "/never"}, store.ErrNotFound)

	acquire(ctx, t, s, store.LeaseRequest{Event: spec{ID: "one", Source: "/c"}.event(t), Owner: "o", Until: start.Add(time.Minute)})
	notFound(event.Key{ID: "one"}, store.ErrAmbiguous)
}

func getReceivedAndStored(t *testing.T, open Opener) {
	ctx, c := testContext(t), newClock()
	s := handle(t, open, Options{Now: c.Now})
	received := start.Add(-time.Hour)
	write(ctx, t, s, batchOf(t, spec{ID: "1", Received: received}, spec{ID: "2"}))
	c.advance(time.Minute)
	write(ctx, t, s, batchOf(t, spec{ID: "3", Received: received}, spec{ID: "1", Received: start}))
	for _, want := range []struct {
		id               string
		received, stored time.Time
	}{{"1", received, start}, {"2", time.Time{}, start}, {"3", received, start.Add(time.Minute)}} {
		got := get(ctx, t, s, event.Key{Source: defaultSource, ID: want.id})
		if !got.Received.Equal(want.received) || !got.Stored.Equal(want.stored) || got.Status != store.Completed || got.Lease != nil {
			t.Errorf("record of %s: %+v, want received %v, stored %v, completed, no lease", want.id, got, want.received, want.stored)
		}
	}
}
