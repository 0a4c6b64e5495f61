package process

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

// What is recorded of an effect comes back byte for byte: a redelivery publishes the
// same events as the first delivery would have.
func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var events []event.Event
		for i := range rapid.IntRange(1, 4).Draw(t, "events") {
			data := rapid.SampledFrom([]string{`{"html":"<b>&</b>"}`, `[ 1, 2.50 ]`, `"\u2028 \/ é"`, `null`}).Draw(t, "data")
			e, err := event.Parse([]byte(` {"specversion":"1.0","id":"` + string(rune('a'+i)) + `","source":"/s","type":"t","data": ` + data + ` } `))
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, e)
		}
		out := decodeRecord(encodeRecord(pipeline.Forward(events...)))
		if out.Err != nil || out.Dropped != "" || jsons(out.Forward) != jsons(events) {
			t.Fatalf("got %+v\n%s\nwant\n%s", out, jsons(out.Forward), jsons(events))
		}
		reason := rapid.StringMatching(`[^\x00]+`).Draw(t, "reason")
		if out := decodeRecord(encodeRecord(pipeline.Drop(reason))); out.Dropped != reason || out.Err != nil || out.Forward != nil {
			t.Fatalf("got %+v, want drop %q", out, reason)
		}
	})
}

func TestDamagedRecord(t *testing.T) {
	for _, s := range []string{
		"", "x", "{", "{}", `{"dropped":""}`, `{"dropped":1}`, "[", `[{"id":"a"}]`, "null", `"x"`,
	} {
		wantFault(t, decodeRecord([]byte(s)), fault.Bug)
	}
}
