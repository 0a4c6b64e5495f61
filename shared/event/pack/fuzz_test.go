package pack

import (
	"bytes"
	stdbase64 "encoding/base64"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/eventtest"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

// FuzzDecode: any body is refused with a reason, or gives events within the limit that
// travel again unchanged.
func FuzzDecode(f *testing.F) {
	var events []event.Event
	for _, raw := range eventtest.JSON(11, 3, 600) {
		e, err := event.Parse(raw)
		if err != nil {
			f.Fatal(err)
		}
		events = append(events, e)
	}
	for _, encoding := range []string{Plain, S2, Zstd} {
		for n := range len(events) + 1 {
			for _, p := range Encode(events[:n], Options{Encoding: encoding}) {
				f.Add(p.Body, p.ContentType, p.Encoding)
			}
		}
	}
	f.Add(encodeBase64(events[0].JSON()), "", Base64)
	f.Add([]byte("[{}]"), event.ContentTypeBatch, "gzip")
	f.Fuzz(func(t *testing.T, body []byte, contentType, encoding string) {
		fuzzDecode(t, body, contentType, encoding)
		// The same bytes behind the base64, which mutation seldom leaves valid.
		fuzzDecode(t, encodeBase64(body), contentType, encoding)
	})
}

func fuzzDecode(t *testing.T, body []byte, contentType, encoding string) {
	const limit = 1 << 16
	items, err := Decode(body, contentType, encoding, limit)
	if err != nil {
		if reason := fault.ReasonOf(err); !reason.Known() || reason == fault.Unknown || fault.KindOf(err) != fault.Permanent || items != nil {
			t.Fatalf("refused with %v and %d items", err, len(items))
		}
		return
	}
	var events []event.Event
	size := 0
	for _, it := range items {
		size += len(it.Raw)
		if it.Err == nil {
			events = append(events, it.Event)
		}
	}
	if size > limit {
		t.Fatalf("%d bytes, the limit is %d", size, limit)
	}
	var back []event.Item
	for _, p := range Encode(events, Options{Encoding: S2}) {
		items, err := Decode(p.Body, p.ContentType, p.Encoding, limit)
		if err != nil {
			t.Fatal(err)
		}
		back = append(back, items...)
	}
	for i := range events {
		if len(back) != len(events) || !bytes.Equal(back[i].Event.JSON(), events[i].JSON()) {
			t.Fatalf("event %d of %d did not come back", i, len(events))
		}
	}
}

// FuzzBase64 holds the vector code against encoding/base64.
func FuzzBase64(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("AQI="))
	f.Add(bytes.Repeat([]byte("AQID"), 40))
	f.Add(append(bytes.Repeat([]byte("AQID"), 40), "A_=="...))
	f.Add(append(bytes.Repeat([]byte("AQID"), 9), "\r\nAQ==AQID"...))
	f.Fuzz(func(t *testing.T, in []byte) {
		encoded := encodeBase64(in)
		if want := stdbase64.StdEncoding.EncodeToString(in); string(encoded) != want {
			t.Fatalf("%q is encoded as %q, want %q", in, encoded, want)
		}
		if out, err := decodeBase64(nil, encoded); err != nil || !bytes.Equal(out, in) {
			t.Fatalf("%q came back as %q, %v", in, out, err)
		}
		prefix := []byte("before")
		got, err := decodeBase64(bytes.Clone(prefix), in)
		want, wantErr := stdbase64.StdEncoding.AppendDecode(bytes.Clone(prefix), in)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, encoding/base64 says %v", in, err, wantErr)
		}
		if err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%q is decoded as %q, want %q", in, got, want)
		}
	})
}
