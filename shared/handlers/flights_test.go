package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

func flightEvent(t testing.TB, data string) event.Event {
	return parse(t, `{"specversion":"1.0","id":"f","source":"/bts/nyc","type":"gov.bts.flight.recorded","x":"kept","data":`+data+`}`)
}

// handle runs a handler on e and returns the one event that goes on.
func handle(t testing.TB, f Func, e event.Event) event.Event {
	t.Helper()
	r, err := f(context.Background(), e)
	if err != nil {
		t.Fatalf("%v for %s", err, e.JSON())
	}
	out, dropped, err := r.Output(&e)
	if err != nil || dropped != "" || len(out) != 1 {
		t.Fatalf("got %d events, dropped %q, %v", len(out), dropped, err)
	}
	return out[0]
}

func TestFlightDelayClasses(t *testing.T) {
	for minutes, want := range map[int]string{
		-43: "early", -1: "early", 0: "on_time", 14: "on_time", 15: "delayed", 59: "delayed", 60: "severe", 1301: "severe",
	} {
		e := flightEvent(t, fmt.Sprintf(`{"dep_time":1,"dep_delay":%d,"tailnum":"N1<2"}`, minutes))
		out := handle(t, flightRecorded, e)
		wantData := fmt.Sprintf(`{"dep_time":1,"dep_delay":%d,"tailnum":"N1<2","delay_class":"%s"}`, minutes, want)
		if out.Type() != "gov.bts.flight.departed" || string(out.Data()) != wantData {
			t.Errorf("%d min: %s %s, want %s", minutes, out.Type(), out.Data(), wantData)
		}
		if x, _ := out.Attr("x"); x != "kept" {
			t.Errorf("an extension was lost: %s", out.JSON())
		}
	}
}

func TestFlightCancelled(t *testing.T) {
	for _, data := range []string{
		`{"dep_time":null,"sched_dep_time":1630,"dep_delay":null}`,
		`{"sched_dep_time":1630}`,
	} {
		e := flightEvent(t, data)
		out := handle(t, flightRecorded, e)
		if out.Type() != "gov.bts.flight.cancelled" || string(out.Data()) != data {
			t.Errorf("%s became %s", data, out.JSON())
		}
	}
}

func TestFlightRejected(t *testing.T) {
	for _, data := range []string{
		`null`, `[]`, `"x"`, `{"dep_time":517}`, `{"dep_time":517,"dep_delay":null}`, `{"dep_time":517,"dep_delay":"2"}`,
		`{"dep_time":517,"dep_delay":2.5}`, `{"dep_time":"","dep_delay":2}`, `{"dep_time":{},"dep_delay":2}`,
	} {
		_, err := flightRecorded(context.Background(), flightEvent(t, data))
		if fault.ReasonOf(err) != fault.HandlerRejected {
			t.Errorf("%s: got %v, want a rejection", data, err)
		}
	}
}

// A delay class that the producer sent is replaced: the member is not there twice.
func TestFlightClassReplaced(t *testing.T) {
	out := handle(t, flightRecorded, flightEvent(t, `{"delay_class":"none","dep_time":1,"dep_delay":99}`))
	if want := `{"delay_class":"severe","dep_time":1,"dep_delay":99}`; string(out.Data()) != want {
		t.Errorf("got %s, want %s", out.Data(), want)
	}
}

// The 842 flights of the sample, counted as the table has them: 4 of them have no
// departure time. The classes were counted with awk from the published table.
func TestFlightSample(t *testing.T) {
	got := map[string]int{}
	for _, e := range readSample(t, "flights/2013-01-01.ndjson.gz") {
		out := handle(t, flightRecorded, e)
		var data struct {
			Class string `json:"delay_class"`
		}
		if err := json.Unmarshal(out.Data(), &data); err != nil {
			t.Fatal(err)
		}
		got[out.Type()+" "+data.Class]++
	}
	want := map[string]int{
		"gov.bts.flight.cancelled ":       4,
		"gov.bts.flight.departed early":   427,
		"gov.bts.flight.departed on_time": 248,
		"gov.bts.flight.departed delayed": 112,
		"gov.bts.flight.departed severe":  51,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
